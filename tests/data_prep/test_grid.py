"""The preparation on a few real clips of s1, which play other speakers as well; nothing looks for a mouth."""

import io
import shutil
import zipfile
from functools import partial
from unittest.mock import Mock

import pytest
import torch
from mouth_readers import WholePicture
from typer.testing import CliRunner

from data_prep import grid
from data_prep.lips.grid_files import find_alignments, find_videos
from data_prep.lips.grid_protocols import FOLDS, split_sentences
from sigconv.errors import UsageError

CLIPS = 10


@pytest.fixture(scope="module")
def source(tmp_path_factory, shared_data):
    """s1/video/*.mpg and s1/align/*.align: ten clips, and one whose alignment is missing, wrong or too long each."""
    root = tmp_path_factory.mktemp("source")
    video, align = root / "s1" / "video", root / "s1" / "align"
    raw = shared_data / "grid" / "s1"
    for folder in (video, align):
        folder.mkdir(parents=True)
    for path in sorted((raw / "video").glob("*.mpg"))[: CLIPS + 4]:
        shutil.copy(path, video)
        shutil.copy(raw / "align" / f"{path.stem}.align", align)
    missing, short, strange, late = sorted(align.iterdir())[:4]
    missing.unlink()
    short.write_text("0 1000 sil\n1000 9000 bin\n9000 20000 blue\n")
    strange.write_text(strange.read_text().replace(" bin\n", " pin\n"))
    late.write_text(late.read_text().replace("74500", "94500"))
    return root


@pytest.fixture(scope="module")
def prepare(tmp_path_factory, source):
    """Prepares small pictures, in a folder where the mouths are cropped once."""
    folder = tmp_path_factory.mktemp("grid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "MouthReader", partial(WholePicture, height=6, width=8))
        grid.prepare(folder, source, workers=1)
        yield partial(grid.prepare, folder, source)


def everything(corpus, column):
    return [value for split in corpus.splits for value in getattr(corpus.split(split), column)]


def test_six_words_of_each_clip_and_all_of_them_in_one_split(prepare):
    corpus = prepare()
    assert len(corpus.labels) == 51
    assert corpus.info.grammar["command"] == ["bin", "lay", "place", "set"]
    assert corpus.info.reader == {**vars(WholePicture(height=6, width=8))}
    assert corpus.folder.name.startswith("words_context_speaker_dependent_")
    splits = {source: split for split in corpus.splits for source in corpus.split(split).sources}
    assert len(splits) == 6 * CLIPS
    assert len({(source.rsplit("/", 2)[0], split) for source, split in splits.items()}) == CLIPS
    for split in map(corpus.split, corpus.splits):
        assert split.shapes.unique(dim=0).tolist() == [[1, 20, 6, 8]]
        for source, label in zip(split.sources, split.labels, strict=True):
            assert corpus.labels[label] == source.rsplit("/", 1)[1]
            spelt = source.split("/")[1]  # bin blue at f five again is bbaf5a
            place = int(source.split("/")[2])
            digits = {"zero": "z", **{word: str(i) for i, word in enumerate(grid.GRID_GRAMMAR["digit"]) if i}}
            assert digits.get(corpus.labels[label], corpus.labels[label][0]) == spelt[place]
    assert set(everything(corpus, "speakers")) == {"s1"}


def test_clips_without_a_usable_alignment_are_listed(prepare, source):
    listed = (prepare().folder / "left_out.csv").read_text().splitlines()
    names = sorted(path.stem for path in (source / "s1" / "video").iterdir())[:4]
    reasons = [
        "no alignment",
        '"alignment has 2 words, not 6"',
        "\"alignment has the command 'pin', which is none of GRID\"",
        "alignment ends after the video",
    ]
    assert sorted(listed[1:]) == sorted(f"s1/{name},{reason}" for name, reason in zip(names, reasons, strict=True))


def test_words_alone_have_their_own_frames_and_those_with_context_are_around_them(prepare):
    alone, around = prepare(context=False), prepare()
    assert alone.folder != around.folder
    source = alone.split("train").sources[1]
    word, shown = (corpus.split("train")[corpus.split("train").sources.index(source)] for corpus in (alone, around))
    length = word.shape[1]
    assert 2 <= length < 20
    starts = [start for start in range(20 - length + 1) if torch.equal(shown[:, start : start + length], word)]
    assert any(abs(start + length / 2 - 10) <= 1.5 for start in starts)


def test_sentences_have_texts(prepare):
    corpus = prepare(task="sentences")
    assert (corpus.labels, sum(corpus.info.counts.values())) == ((), CLIPS)
    train = corpus.split("train")
    assert train[0].shape == (1, 75, 6, 8)
    assert [word[0] for word in train.texts[0].split()][:3] == list(train.sources[0].split("/")[1][:3])


def test_a_share_of_the_training_clips(prepare):
    whole, half = prepare(), prepare(share=0.6)
    assert 0 < half.info.counts["train"] < whole.info.counts["train"]
    assert set(half.split("train").sources) < set(whole.split("train").sources)
    for split in ("validation", "test"):
        assert half.split(split).sources == whole.split(split).sources


def test_a_source_with_other_clips_makes_another_corpus(prepare, source, tmp_path):
    """A sample first, and then all: the command is the same."""
    sample = tmp_path / "sample"
    shutil.copytree(source, sample)
    names = sorted(path.stem for path in (sample / "s1" / "video").iterdir())
    (sample / "s1" / "video" / f"{names[-1]}.mpg").unlink()
    folder = prepare.args[0]
    part, whole = grid.prepare(folder, sample, workers=1), prepare()
    assert part.info.command == whole.info.command
    assert sum(part.info.counts.values()) == sum(whole.info.counts.values()) - 6
    assert grid.prepare(folder, sample).folder == part.folder != whole.folder
    with open(sample / "s1" / "align" / f"{names[-2]}.align", "a") as alignment:
        alignment.write("\n")
    with pytest.raises(UsageError, match=f"have changed since {part.folder} was made: delete it"):
        grid.prepare(folder, sample)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "fold:5"}, "Did you mean fold:"),
        ({"split": "unseen"}, "trains on the others, but there is no s2, s20, s22, s3, s4"),
        ({"speakers": "s1,s2"}, "no speaker of GRID 's2'"),
        ({"speakers": [1, 2]}, r"no speaker of GRID '1'\. Did you mean s1"),
        ({"speakers": 1}, "no speaker of GRID '1'.* There are s1"),
        ({"task": "letters"}, "no task 'letters'. There are words, sentences"),
        ({"share": 0}, "share=0"),
        ({"seconds": None}, "needs a length above 0"),
        ({"split": "overlapped"}, r"no clip is left for train.* are 14, .* 4 are left out\..*, or take another split"),
    ],
)
def test_what_cannot_be_prepared(prepare, options, message):
    with pytest.raises(UsageError, match=message):
        prepare(**options)


SPEAKERS = [f"s{i}" for i in (1, 2, 3, 4, 5, 20, 22)]
NAMES = [(speaker, f"{int(speaker[1:]) % 3}{j}") for speaker in SPEAKERS for j in range(1000)]


def counts(splits, speaker=None):
    parts = [split for (name, _), split in splits.items() if speaker in (None, name)]
    return {split: parts.count(split) for split in ("train", "validation", "test")}


def test_folds_test_each_sentence_once_and_what_two_speakers_say_is_in_one_split():
    folds = [split_sentences(NAMES, f"fold:{fold}") for fold in range(FOLDS)]
    for key in folds[0]:
        assert [fold[key] for fold in folds].count("test") == 1
    for fold in folds:
        assert counts(fold, "s1") == pytest.approx({"train": 720, "validation": 80, "test": 200}, abs=40)
        assert all(fold["s1", name] == fold["s4", name] for speaker, name in NAMES if speaker == "s1")


def test_the_protocols_of_the_papers():
    dependent, overlapped, unseen = (split_sentences(NAMES, p) for p in ("speaker_dependent", "overlapped", "unseen"))
    assert counts(dependent, "s2") == pytest.approx({"train": 800, "validation": 100, "test": 100}, abs=30)
    for speaker in SPEAKERS:
        assert counts(overlapped, speaker)["test"] == 255
    assert {speaker for (speaker, _), split in unseen.items() if split == "test"} == {"s1", "s2", "s20", "s22"}
    assert {speaker for (speaker, _), split in unseen.items() if split == "validation"} == {"s3", "s4"}
    assert counts(unseen)["train"] == 1000


def test_layouts(tmp_path):
    for path in ("s1/a.mpg", "s2/s2/b.MP4", "s3/video/c.avi", "__MACOSX/s1/._a.mpg", "alignments/s1/a.align"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    videos = find_videos(tmp_path)
    assert {speaker: list(clips) for speaker, clips in videos.items()} == {"s1": ["a"], "s2": ["b"], "s3": ["c"]}
    assert list(find_videos(tmp_path / "s3")) == ["s3"]
    assert find_alignments(tmp_path, videos)["s1"]["a"].name == "a.align"
    shutil.copytree(tmp_path / "s1", tmp_path / ".s1.part-k3_x9abc" / "whole" / "s1")  # left of a killed unpacking
    assert find_videos(tmp_path) == videos
    (tmp_path / "s1" / "a.avi").touch()
    with pytest.raises(UsageError, match="are the same sentence of one speaker"):
        find_videos(tmp_path)
    with pytest.raises(UsageError, match="There are no videos of GRID"):
        find_videos(tmp_path / "alignments")


def test_alignments_in_the_folder_of_another_speaker(tmp_path, capfd):
    for number, other in ((5, 6), (6, 5)):
        for name in "abc":
            for path in (f"s{number}/{name}{number}.mpg", f"alignments/s{other}/{name}{number}.align"):
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).touch()
    found = find_alignments(tmp_path, find_videos(tmp_path))
    assert found["s5"]["a5"].parent.name == "s6"
    assert "the alignments of s5 are in the folder of s6" in capfd.readouterr().err


def packed(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, path in files.items():
            archive.write(path, name)
    return buffer.getvalue()


def test_only_the_wanted_speaker_is_fetched(tmp_path, source, server, monkeypatch):
    videos, alignments = (sorted((source / "s1" / kind).iterdir())[-CLIPS:] for kind in ("video", "align"))
    server.files["/s2.zip?download=1"] = packed({f"s2/{path.name}": path for path in videos})
    server.files["/alignments.zip?download=1"] = packed({f"alignments/s2/{path.name}": path for path in alignments})
    monkeypatch.setattr(grid, "PLACE", server.url)
    monkeypatch.setattr(grid, "MouthReader", partial(WholePicture, height=6, width=8))
    corpus = grid.prepare(tmp_path, speakers="s2", task="sentences", workers=1)
    assert sum(corpus.info.counts.values()) == CLIPS
    assert set(everything(corpus, "speakers")) == {"s2"}
    assert grid.prepare(tmp_path, speakers=["s2"], task="sentences").folder == corpus.folder
    assert len(server.requests) == 2


def test_a_damaged_archive_is_fetched_anew_the_next_time(tmp_path, server, monkeypatch):
    server.files["/alignments.zip?download=1"] = b"Please sign in to this network."
    monkeypatch.setattr(grid, "PLACE", server.url)
    with pytest.raises(UsageError, match=r"is not a whole, safe archive .* run again to fetch it again"):
        grid.prepare(tmp_path, speakers="s1")
    assert not list((tmp_path / "raw").iterdir())


def test_the_command_takes_the_settings_of_the_reader(source, monkeypatch):
    reader = Mock(side_effect=UsageError("nothing to prepare"))
    monkeypatch.setattr(grid, "MouthReader", reader)
    given = ["--source", str(source), "--task", "sentences", "--locator", "yunet", "--model", "a.onnx", "--colour"]
    failed = CliRunner().invoke(grid.main, [*given, "--height", "32"])
    assert (failed.exit_code, failed.stderr) == (1, "error: nothing to prepare\n")
    reader.assert_called_once_with(
        **{"locator": "yunet", "model": "a.onnx", "rate": 25.0, "height": 32},
        **{"width": 64, "region": 1.7, "colour": True},
    )
