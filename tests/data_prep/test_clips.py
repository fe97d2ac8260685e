import csv
import itertools
import os
import shutil

import cv2
import numpy as np
import pytest
from films import film
from mouth_readers import Crashing, Forbidden, Interrupting, WholePicture

from data_prep.left_out import LeftOut
from data_prep.lips import contact_sheet, mouth_corpus
from data_prep.lips.clips import Clip, crop_clips, load_mouths, store_name
from data_prep.lips.mouth_corpus import write_mouths
from sigconv.corpus import CorpusInfo, Example
from sigconv.errors import UsageError
from sigconv.signals.lips.mouths import MouthReader
from sigconv.signals.lips.track import Quality

READER = WholePicture(height=12, width=16)


@pytest.fixture
def clips(tmp_path):
    """Three clips, the darkest first."""
    names = ["a/dark", "a/middle", "b/bright"]
    return [Clip(film(tmp_path / f"{name}.avi", 30 + 90 * i), name, name[0]) for i, name in enumerate(names)]


def reader(kind):
    return kind(height=12, width=16)


def test_a_crop_is_what_the_reader_gives_and_is_made_once_until_the_clip_changes(tmp_path, clips):
    store = tmp_path / "store"
    assert crop_clips(clips, READER, store, 1) == {}
    kept, made = load_mouths(store, clips[1]), READER(clips[1].path)
    assert np.array_equal(kept.frames, made.frames)
    assert kept.frames.shape == (1, 4, 12, 16)
    assert (kept.quality, kept.notes) == (made.quality, made.notes)
    assert np.array_equal(kept.poses, made.poses)
    assert crop_clips(clips, reader(Forbidden), store, 1) == {}
    film(clips[1].path, frames=6)
    assert crop_clips(clips, READER, store, 1) == {}
    assert load_mouths(store, clips[1]).frames.shape[1] == 6
    assert not list(store.rglob("*.part"))


def test_clips_that_are_none_are_refused_and_not_tried_again_until_they_change(tmp_path, shared_data):
    whole = shared_data / "grid" / "s1" / "video" / "bbaf5a.mpg"
    contents = {"good": whole.read_bytes(), "half": whole.read_bytes()[:5000], "empty": b"", "text": b"hello " * 99}
    clips = [Clip(tmp_path / f"{name}.mp4", name, None) for name in contents]
    for clip, content in zip(clips, contents.values(), strict=True):
        clip.path.write_bytes(content)
    clips.append(Clip(film(tmp_path / "wall.avi"), "wall", None))
    refused = crop_clips(clips, MouthReader(), tmp_path / "store", 1)
    assert sorted(refused) == ["empty", "half", "text", "wall"]
    assert (refused["empty"], refused["text"], refused["wall"]) == ("empty", "not a video", "no face")
    assert load_mouths(tmp_path / "store", clips[0]).frames.shape == (1, 75, 40, 64)
    assert crop_clips(clips, reader(Forbidden), tmp_path / "store", 1) == refused
    shutil.copy(whole, clips[3].path)
    assert "text" not in crop_clips(clips, READER, tmp_path / "store", 1)


def test_a_clip_that_kills_its_process_is_refused_and_the_others_are_cropped(tmp_path, clips):
    crash = Clip(film(tmp_path / "crash.avi"), "crash", None)
    refused = crop_clips([clips[0], crash, *clips[1:]], reader(Crashing), tmp_path / "store", 2)
    assert refused == {"crash": "crashed the decoder"}
    assert [load_mouths(tmp_path / "store", clip).frames.shape[1] for clip in clips] == [4, 4, 4]


def test_ctrl_c_keeps_what_is_done_and_the_next_time_goes_on(tmp_path, clips):
    stop = Clip(film(tmp_path / "stop.avi"), "stop", None)
    some = [clips[0], stop, clips[1]]
    with pytest.raises(KeyboardInterrupt):
        crop_clips(some, reader(Interrupting), tmp_path / "store", 1)
    assert [path.name for path in (tmp_path / "store").rglob("*.npz")] == ["dark.npz"]
    before = os.stat(tmp_path / "store" / "a" / "dark.npz").st_mtime_ns
    assert crop_clips(some, READER, tmp_path / "store", 1) == {}
    assert os.stat(tmp_path / "store" / "a" / "dark.npz").st_mtime_ns == before


def test_a_reader_that_cannot_work_at_all_says_so_once(tmp_path, clips):
    with pytest.raises(UsageError, match=r"there is no file .*none\.onnx"):
        crop_clips(clips, MouthReader(locator="yunet", model=str(tmp_path / "none.onnx")), tmp_path / "store", 1)
    with pytest.raises(UsageError, match="workers is 0"):
        crop_clips(clips, READER, tmp_path / "store", 0)


def test_each_reader_has_a_store_of_its_own():
    assert store_name(MouthReader()).startswith("haar_25fps_40x64_")
    readers = [MouthReader(), MouthReader(region=2), MouthReader(colour=True), MouthReader(rate=30)]
    assert len({store_name(reader) for reader in readers}) == 4
    assert store_name(MouthReader(rate=25)) == store_name(MouthReader(rate=25.0))
    assert store_name(MouthReader(rate=29.97)) != store_name(MouthReader(rate=29.97003))


@pytest.fixture
def write(tmp_path, clips):
    """Writes the three clips as a corpus, one in each split, after `cut` has had its say."""
    info = CorpusInfo("clips", "video", "uint8", ("yes", "no"), 25, "none", "nobody", "python make_clips.py")
    splits = dict(zip((clip.source for clip in clips), ("train", "validation", "test"), strict=True))

    def write(cut=lambda clip: 0, left_out=None):
        def examples(clip, mouths):
            yield Example(mouths.frames, splits[clip.source], clip.source, cut(clip), speaker=clip.speaker)

        folder = tmp_path / "corpus"
        crops, left_out = tmp_path / "mouths", left_out or {}
        return write_mouths(folder, info, clips, READER, crops, examples, left_out=left_out, cure="wait")

    return write


def test_a_corpus_tells_of_quality_and_of_what_it_left_out(write, capfd, tmp_path):
    corpus = write(left_out={"a/lost": "no alignment"})
    assert corpus.info.counts == {"train": 1, "validation": 1, "test": 1}
    assert corpus.split("test").sources == ["b/bright"]
    with open(corpus.folder / "quality.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == ["a/dark", "a/middle", "b/bright"]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert (corpus.folder / "left_out.csv").read_text().splitlines() == ["source,reason", "a/lost,no alignment"]
    told = capfd.readouterr().err
    assert f"1 left out, listed in {tmp_path}/corpus/left_out.csv" in told
    assert "clips: there is no no in train (1 of 2 classes)" in told
    sheet = cv2.imread(str(corpus.folder / "contact_sheet.png"))
    middles = sheet[60, [84, 84 + 168, 84 + 336]].mean(axis=1)
    assert (np.diff(middles) < 0).all()  # the brightest are the worst, and come first
    assert sheet[1, 1].tolist() == [60, 60, 230]  # its frame is red


def test_a_split_of_which_nothing_is_left(write, tmp_path):
    def cut(clip):
        if clip.speaker == "b":
            raise LeftOut("too bright")
        return 0

    told = r"no clip is left for test: there are 4, and of them 2 are left out\. Add clips, mend these, or wait\.\n"
    with pytest.raises(UsageError, match=told) as error:
        write(cut, left_out={"a/lost": "no alignment"})
    assert "1 too bright: b/bright" in str(error.value)
    assert not (tmp_path / "corpus").exists()


def test_a_class_of_which_nothing_is_left_in_a_split(write, capfd):
    write(cut=lambda clip: int(clip.speaker == "b"))
    told = [line for line in capfd.readouterr().err.splitlines() if "there is no" in line]
    assert told == [
        "clips: there is no no in train (1 of 2 classes).",
        "clips: there is no no in validation (1 of 2 classes).",
        "clips: there is no yes in test (1 of 2 classes).",
    ]


def test_captions_have_the_letters_of_other_alphabets():
    quality, mouth = Quality(1, 0, 20, 0.9), np.zeros((1, 40, 64), np.uint8)
    sheets = [contact_sheet.draw_sheet([contact_sheet.Tile(name, quality, mouth)], 1) for name in ("да", "нё", "??")]
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(sheets, 2))


def test_of_many_clips_the_sheet_shows_the_worst_and_says_so(write, monkeypatch):
    monkeypatch.setattr(mouth_corpus, "MOST", 2)
    titles, written = [], contact_sheet._written

    def noted(picture, texts):
        titles.append(texts[0][0])
        return written(picture, texts)

    monkeypatch.setattr(contact_sheet, "_written", noted)
    corpus = write()
    assert titles == ["b/bright", "a/middle", "the worst 2 of 3 clips"]
    assert cv2.imread(str(corpus.folder / "contact_sheet.png")).shape == (30 + 162, 2 * 168, 3)
    assert len((corpus.folder / "quality.csv").read_text().splitlines()) == 1 + 3
