import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from sigconv.corpus import Corpus, CorpusInfo, Example, reader, split_hash, write_corpus, writer
from sigconv.corpus.form import file_checksum
from sigconv.errors import UsageError

IMAGES = CorpusInfo("dots", "image", "uint8", ("no", "yes"), None, "free", "nobody", "python data_prep/dots.py")
SPEECH = replace(IMAGES, name="talk", kind="audio", dtype="int16", labels=(), rate=16000)
SPLITS = ("train", "test", "train", "validation", "train")


def image(i, split="train", **changes):
    signal = np.arange(i, i + 12).astype(np.uint8).reshape(1, 3, 4)
    return replace(Example(signal, split, f"file{i}", label=i % 2), **changes)


def images(splits=SPLITS):
    return [image(i, split) for i, split in enumerate(splits)]


def utterances(lengths=(5, 3, 8)):
    return [
        Example(np.arange(-1, n - 1, dtype=np.int16)[None], "train", f"{n}.wav", text=f"größe {n}", speaker=f"s{n}")
        for n in lengths
    ]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "dots"


def leftovers(folder):
    return list(folder.parent.iterdir()) if folder.parent.exists() else []


def test_what_is_written_is_read(folder):
    corpus = write_corpus(folder, IMAGES, iter(images()), total=5)
    assert corpus.splits == ("train", "test", "validation")
    assert corpus.labels == ("no", "yes")
    assert corpus.info.counts == {"train": 3, "test": 1, "validation": 1}
    train = corpus.split("train")
    assert len(train) == 3
    assert train.sources == ["file0", "file2", "file4"]
    assert train.speakers == [None] * 3
    for i, expected in enumerate(image(n) for n in (0, 2, 4)):
        signal = train[i]
        assert signal.dtype == torch.uint8
        np.testing.assert_array_equal(signal.numpy(), expected.signal)
        assert train.labels[i] == expected.label
        signal.zero_()  # a copy, not the mapped file
    assert train[1].any()
    assert leftovers(folder) == [folder]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_to_an_empty_folder_or_to_one_that_is_made(folder, tmp_path, there):
    target = tmp_path / "disk" / "dots"
    if there:
        target.mkdir(parents=True)
    folder.parent.mkdir()
    folder.symlink_to(target)
    assert write_corpus(folder, IMAGES, images()).folder == folder
    assert Corpus.load(target).info.counts["train"] == 3
    assert leftovers(folder) == [folder]
    assert leftovers(target) == [target]


def test_a_full_disk_is_told_with_the_folder(folder, monkeypatch):
    monkeypatch.setattr(writer, "write_sidecar", Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=f"No space left on device: '{folder}'"):
        write_corpus(folder, IMAGES, images())
    assert leftovers(folder) == []


def test_the_signals_are_the_examples_stacked(folder):
    split = write_corpus(folder, IMAGES, images()).split("train")
    signals = split.signals()
    assert signals.shape == (3, 1, 3, 4)
    assert split.labels.dtype == torch.int64
    for i in range(3):
        assert torch.equal(signals[i], split[i])
    signals.zero_()
    assert split[1].any()


@pytest.mark.parametrize("batch_bytes", [1, 30, 1000])
def test_batches_in_the_file_do_not_show(folder, monkeypatch, batch_bytes):
    monkeypatch.setattr(writer, "BATCH_BYTES", batch_bytes)
    split = write_corpus(folder, IMAGES, images(["train"] * 10)).split("train")
    assert split.table["signal"].num_chunks == {1: 10, 30: 4, 1000: 1}[batch_bytes]
    signals = split.signals()
    np.testing.assert_array_equal(signals.numpy(), np.stack([image(i).signal for i in range(10)]))
    assert split.labels.tolist() == [0, 1] * 5
    assert split.shapes.tolist() == [[1, 3, 4]] * 10
    assert torch.equal(split[7], signals[7])


@pytest.mark.parametrize(
    ("kind", "dtype", "shape"),
    [("image", "float32", (3, 5, 2)), ("audio", "float32", (2, 7)), ("video", "uint8", (1, 4, 3, 2))],
)
def test_every_kind_differs_in_shape_only(folder, kind, dtype, shape):
    info = replace(IMAGES, kind=kind, dtype=dtype, rate=None if kind == "image" else 25)
    signals = [(np.random.default_rng(i).random(shape) * 99).astype(dtype) for i in range(4)]
    corpus = write_corpus(folder, info, [Example(x, "train", str(i), label=0) for i, x in enumerate(signals)])
    np.testing.assert_array_equal(corpus.split("train").signals().numpy(), np.stack(signals))
    np.testing.assert_array_equal(corpus.split("train")[2].numpy(), signals[2])


def test_a_view_of_an_array_is_written_in_its_own_order(folder):
    turned = np.arange(12, dtype=np.uint8).reshape(1, 4, 3).transpose(0, 2, 1)
    corpus = write_corpus(folder, IMAGES, [image(0, signal=turned)])
    np.testing.assert_array_equal(corpus.split("train")[0].numpy(), turned)


def test_signals_of_several_lengths_with_texts_and_speakers(folder):
    split = write_corpus(folder, SPEECH, utterances()).split("train")
    assert split.shapes.tolist() == [[1, 5], [1, 3], [1, 8]]
    assert split.texts == ["größe 5", "größe 3", "größe 8"]
    assert split.speakers == ["s5", "s3", "s8"]
    assert split[2].tolist() == [[-1, 0, 1, 2, 3, 4, 5, 6]]


def test_signals_of_several_lengths_make_no_tensor(folder):
    split = write_corpus(folder, SPEECH, utterances()).split("train")
    with pytest.raises(UsageError, match=r"train.arrow differ in shape, between \(1, 3\) and \(1, 8\)"):
        split.signals()


def test_labels_and_texts_are_not_mixed_up(folder, tmp_path):
    with pytest.raises(UsageError, match=r"train.arrow have no text"):
        _ = write_corpus(folder, IMAGES, images()).split("train").texts
    with pytest.raises(UsageError, match=r"train.arrow have no label"):
        _ = write_corpus(tmp_path / "talk", SPEECH, utterances()).split("train").labels


def test_an_index_beyond_the_end(folder):
    split = write_corpus(folder, IMAGES, images()).split("train")
    assert torch.equal(split[-1], split[2])
    with pytest.raises(IndexError):
        split[3]


def test_a_split_that_is_not_there(folder):
    with pytest.raises(UsageError, match="no split 'dev', but train, test, validation"):
        write_corpus(folder, IMAGES, images()).split("dev")


def test_a_split_travels_as_a_path(folder):
    split = write_corpus(folder, IMAGES, images(["train"] * 500)).split("train")
    luggage = pickle.dumps(split)
    assert len(luggage) < 500
    assert torch.equal(pickle.loads(luggage)[3], split[3])


def test_hugging_face_datasets_opens_the_files(folder, tmp_path, monkeypatch):
    write_corpus(folder, IMAGES, images())
    home = tmp_path / "home"
    monkeypatch.setenv("HF_HOME", str(home))
    program = (
        "import sys, datasets; d = datasets.Dataset.from_file(sys.argv[1]);"
        "print(d.num_rows, d[1]['source'], d[1]['shape'], d[1]['signal'][0], d.features['signal'].dtype)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "train.arrow")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "3 file2 [1, 3, 4] 2 binary"


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signal": np.zeros((1, 3, 4), np.float64)}, "its dtype is float64, that of the corpus is uint8"),
        ({"signal": np.zeros((3, 4), np.uint8)}, r"its shape is \(3, 4\), it should be \(channels, height, width\)"),
        ({"signal": np.zeros((1, 0, 4), np.uint8)}, r"its shape is \(1, 0, 4\)"),
        ({"label": 2}, "its label is 2, but the corpus has 2 labels"),
        ({"label": -1}, "its label is -1"),
        ({"label": None}, "it needs a label or a text"),
        ({"text": "yes"}, "it needs a label or a text, and not both"),
        ({"label": None, "text": "yes"}, "it has a text, but the corpus has labels"),
        ({"split": "../test"}, "its split is '../test'"),
        ({"source": "file1"}, "another example has the same source"),
    ],
)
def test_an_example_that_does_not_fit_is_named_and_nothing_is_written(folder, changes, message):
    examples = images()
    examples[3] = replace(examples[3], **changes)
    with pytest.raises(UsageError, match=rf"dots, example '{changes.get('source', 'file3')}': .*{message}"):
        write_corpus(folder, IMAGES, examples)
    assert leftovers(folder) == []


def test_a_label_in_a_corpus_with_texts(folder):
    with pytest.raises(UsageError, match="its label is 0, but the corpus has 0 labels"):
        write_corpus(folder, SPEECH, [replace(utterances()[0], text=None, label=0)])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers(folder, bad):
    signal = np.array([[[0, bad]]], np.float32)
    with pytest.raises(UsageError, match="NaN or infinite"):
        write_corpus(folder, replace(IMAGES, dtype="float32"), [image(0, signal=signal)])


def test_bytes_in_the_other_order(folder):
    swapped = utterances()[0].signal.astype(">i2")
    with pytest.raises(UsageError, match="its dtype is >i2, that of the corpus is int16"):
        write_corpus(folder, SPEECH, [replace(utterances()[0], signal=swapped)])


def test_no_example(folder):
    with pytest.raises(UsageError, match="there is no example"):
        write_corpus(folder, IMAGES, [])
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "smell"}, "'smell' is none of image, audio, video"),
        ({"dtype": "int32"}, "'int32' is none of uint8, int16, float32"),
        ({"rate": 25}, "images have none"),
        ({"kind": "video"}, "video needs a positive one"),
        ({"kind": "audio", "rate": 0}, "audio needs a positive one"),
        ({"labels": ("a", "b", "a")}, "comes twice in a, b, a"),
    ],
)
def test_information_that_contradicts_itself(changes, message):
    with pytest.raises(UsageError, match=message):
        replace(IMAGES, **changes)


# Whole or not at all


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError, UsageError])
def test_an_interruption_leaves_nothing(folder, interruption, monkeypatch):
    monkeypatch.setattr(writer, "BATCH_BYTES", 1)

    def interrupted():
        yield from images()
        raise interruption

    with pytest.raises(interruption):
        write_corpus(folder, IMAGES, interrupted())
    assert leftovers(folder) == []
    write_corpus(folder, IMAGES, images())  # and is in the way of nothing


def test_a_killed_process_leaves_no_corpus(folder):
    def killed():
        yield from images()
        os._exit(9)

    process = multiprocessing.get_context("fork").Process(target=write_corpus, args=(folder, IMAGES, killed()))
    process.start()
    process.join()
    assert process.exitcode == 9
    with pytest.raises(UsageError, match="There is no corpus in"):
        Corpus.load(folder)
    assert write_corpus(folder, IMAGES, images()).verify()


def test_what_is_there_is_not_replaced(folder):
    write_corpus(folder, IMAGES, images())
    with pytest.raises(UsageError, match="holds something already"):
        write_corpus(folder, IMAGES, images(["train"]))
    assert len(Corpus.load(folder).split("train")) == 3


def test_what_another_process_made_meanwhile_is_not_replaced(folder):
    def slowly():
        yield from images()
        write_corpus(folder, IMAGES, images())

    with pytest.raises(UsageError, match="was made by another process meanwhile"):
        write_corpus(folder, IMAGES, slowly())
    assert Corpus.load(folder).verify().splits
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "dots").write_text("mine")
    with pytest.raises(UsageError, match="holds something already"):
        write_corpus(tmp_path / "dots", IMAGES, images())
    with pytest.raises(UsageError, match="There is no corpus in"):
        Corpus.load(tmp_path / "dots")


def test_an_empty_folder_is_filled(folder):
    folder.mkdir(parents=True)
    assert write_corpus(folder, IMAGES, images()).verify().splits


# Damage


def test_no_corpus(tmp_path):
    with pytest.raises(UsageError, match=r"no corpus in .*nowhere \(no corpus.json\).*python data_prep/mnist.py"):
        Corpus.load(tmp_path / "nowhere")


def test_a_split_that_is_missing_is_named_with_the_cure(folder):
    write_corpus(folder, IMAGES, images())
    (folder / "test.arrow").unlink()
    with pytest.raises(UsageError) as error:
        Corpus.load(folder)
    cure = f"Delete {folder} and run again, or make it again: python data_prep/dots.py"
    assert str(error.value) == f"{folder / 'test.arrow'} is missing. {cure}"


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, -1])
def test_a_split_that_is_cut_short_is_named(folder, kept, monkeypatch):
    monkeypatch.setattr(writer, "BATCH_BYTES", 500)
    write_corpus(folder, IMAGES, images(["train"] * 500))
    path = folder / "train.arrow"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(UsageError, match=f"{path} is damaged"):
        Corpus.load(folder).verify()


def test_one_wrong_byte_is_found_by_verify(folder):
    corpus = write_corpus(folder, IMAGES, images())
    assert corpus.verify() is corpus
    path = folder / "train.arrow"
    data = path.read_bytes()
    path.write_bytes(data.replace(image(2).signal.tobytes(), image(3).signal.tobytes()))
    with pytest.raises(UsageError, match=rf"{path} is damaged \(sha256 "):
        Corpus.load(folder).verify()


def set_back(folder, seconds):
    """Makes the corpus' files older than they are, so that what is written now is later whatever the clock's step."""
    for path in folder.iterdir():
        written = path.stat().st_mtime_ns - seconds * 10**9
        os.utime(path, ns=(written, written))


@pytest.fixture
def checked(monkeypatch):
    """The files whose checksums are taken."""
    paths = []
    monkeypatch.setattr(reader, "file_checksum", lambda path: paths.append(path) or file_checksum(path))
    return paths


def test_files_that_are_older_than_the_sidecar_are_not_read(folder, checked):
    write_corpus(folder, IMAGES, images())
    set_back(folder, 10)
    (folder / "corpus.json").touch()
    corpus = Corpus.load(folder)
    assert corpus.verify_changed() is corpus
    assert checked == []


def test_a_file_that_was_written_after_the_sidecar_is_read_once(folder, checked):
    write_corpus(folder, IMAGES, images())
    set_back(folder, 10)
    (folder / "test.arrow").touch()
    for _ in range(2):
        set_back(folder, 10)
        Corpus.load(folder).verify_changed()
    assert [path.name for path in checked] == ["train.arrow", "test.arrow", "validation.arrow"]


def test_where_nothing_can_be_written_it_is_read_each_time(folder, checked, monkeypatch):
    write_corpus(folder, IMAGES, images(["train"]))
    (folder / "train.arrow").touch()
    monkeypatch.setattr(Path, "touch", Mock(side_effect=PermissionError))
    for _ in range(2):
        Corpus.load(folder).verify_changed()
    assert len(checked) == 2


def test_a_file_that_was_changed_after_the_sidecar_is_found(folder):
    write_corpus(folder, IMAGES, images())
    path = folder / "train.arrow"
    path.write_bytes(path.read_bytes().replace(image(2).signal.tobytes(), image(3).signal.tobytes()))
    for _ in range(2):
        with pytest.raises(UsageError, match=rf"{path} is damaged \(sha256 .*Delete {folder} and run again"):
            Corpus.load(folder).verify_changed()


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "{}", '{"name": "dots"}', '{"surprise": 1}', '{"labels": 1}', "\ufffd"]
)
def test_a_damaged_sidecar_is_named(folder, text):
    write_corpus(folder, IMAGES, images())
    (folder / "corpus.json").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=rf"{folder / 'corpus.json'} is damaged .*Delete"):
        Corpus.load(folder)


def test_a_sidecar_of_another_time(folder):
    write_corpus(folder, IMAGES, images())
    path = folder / "corpus.json"
    facts = json.loads(path.read_text())
    facts["counts"]["train"] = 4
    path.write_text(json.dumps(facts))
    with pytest.raises(UsageError, match=r"train.arrow is damaged \(3 examples, not 4\)"):
        Corpus.load(folder)


# The hash of the splits


def test_the_hash_tells_the_splits_and_nothing_else(folder, tmp_path):
    first = write_corpus(folder, IMAGES, images()).info.split_hash
    assert len(first) == 64
    assert write_corpus(tmp_path / "b", IMAGES, images()[::-1]).info.split_hash == first
    moved = images(("test", "train", "train", "validation", "train"))
    assert write_corpus(tmp_path / "c", IMAGES, moved).info.split_hash != first
    assert write_corpus(tmp_path / "d", IMAGES, images()[:-1]).info.split_hash != first


def test_the_hash_is_what_sha256sum_says():
    """printf 'test\\tc\\ntrain\\ta\\ntrain\\tb\\n' | sha256sum"""
    assert split_hash({"train": ["b", "a"], "test": ["c"]}) == (
        "2bf85e6ca35287242d123b0416029f1977042fab83b737bc25a8fc3fcad13e8d"
    )
