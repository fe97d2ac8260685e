import os
import shutil
import unicodedata
from functools import partial

import pytest
from films import film
from mouth_readers import Forbidden, WholePicture
from typer.testing import CliRunner

from data_prep import folder, video_folder
from sigconv.errors import UsageError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two classes with five clips each of two speakers, one of them damaged, and a file that is none."""
    root = tmp_path_factory.mktemp("raw") / "clips"
    for take in range(5):
        for number, word in enumerate(("yes", "no")):
            name = f"{'ab'[take % 2]}_{take}"
            film(root / word / f"{name}{('.avi', '.MP4')[number]}", code=("MJPG", "mp4v")[number])
    (root / "no" / "c_6.mp4").write_text("no video")
    (root / "notes.txt").write_text("filmed on Monday")
    return root


@pytest.fixture
def prepare(root, monkeypatch):
    """In one folder, where the mouths are cropped once."""
    monkeypatch.setattr(video_folder, "MouthReader", partial(WholePicture, height=6, width=8))
    return lambda name, root=root, **options: video_folder.prepare(root, root.parent / name, workers=1, **options)


def sources(corpus):
    return [source for split in corpus.splits for source in corpus.split(split).sources]


def test_a_subfolder_is_a_class(prepare, capfd):
    corpus = prepare("words")
    assert corpus.labels == ("no", "yes")
    assert len(sources(corpus)) == 10
    assert set(corpus.splits) == {"train", "validation", "test"}
    for split in map(corpus.split, corpus.splits):
        assert [source.split("/")[0] for source in split.sources] == [corpus.labels[i] for i in split.labels]
    assert (corpus.folder / "left_out.csv").read_text().splitlines()[1:] == ["no/c_6.mp4,not a video"]
    assert "skipped 1 files whose names are not those of recordings: 1 .txt" in capfd.readouterr().err
    assert prepare("words").info == corpus.info


def test_the_folder_is_named_by_what_is_in_it(root, prepare, tmp_path, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert prepare("words")
    shutil.copytree(root.parent / "mouths", "data/mouths")
    one = video_folder.prepare(root)
    assert one.folder.name.startswith("video_folder_clips_")
    assert video_folder.prepare(root, test=0.2).folder != one.folder
    clip = root / "yes" / "a_0.avi"
    before = clip.stat()
    os.utime(clip, (1, 1))
    assert video_folder.prepare(root).folder != one.folder
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_sentences_have_a_text_beside_each_clip(tmp_path, root, prepare, capfd):
    said = tmp_path / "said"
    shutil.copytree(root / "yes", said)
    for i, path in enumerate(sorted(said.glob("*.avi"))):
        path.with_suffix(".txt").write_text(f"Don\N{RIGHT SINGLE QUOTATION MARK}t  go,\nno. {i}!\n", "utf-8")
    (said / "a_2.txt").rename(said / "a_2.TXT")
    corpus = prepare("corpus", said, task="sentences")
    assert "skipped" not in capfd.readouterr().err
    texts = [text for split in corpus.splits for text in corpus.split(split).texts]
    assert sorted(texts) == [f"don't go no {i}" for i in range(5)]
    assert corpus.labels == ()
    (said / "a_0.txt").write_text("Something else.")
    with pytest.raises(UsageError, match="have changed since"):
        prepare("corpus", said, task="sentences")
    (said / "a_0.txt").write_text(" ... ")
    with pytest.raises(UsageError, match=r"a_0\.txt is empty: write into it what is said in a_0\.avi"):
        prepare("other", said, task="sentences")
    (said / "a_0.txt").unlink()
    with pytest.raises(UsageError, match=r"Of 5 clips 1 have none: a_0\.avi"):
        prepare("other", said, task="sentences")


@pytest.mark.parametrize("task", ["words", "sentences"])
def test_a_clip_in_two_formats_is_refused(tmp_path, prepare, task):
    (tmp_path / "said" / "yes").mkdir(parents=True)
    for name in ("hello.avi", "hello.mpg", "hello.txt"):
        (tmp_path / "said" / "yes" / name).touch()
    with pytest.raises(UsageError, match=r"yes/hello\.avi and yes/hello\.mpg are the same recording in two formats"):
        prepare("corpus", tmp_path / "said", task=task)


def test_words_that_only_validation_or_test_has_are_told_before_the_cropping(
    tmp_path, root, prepare, monkeypatch, capfd
):
    said = tmp_path / "said"
    for split, text in (("train", "yes no"), ("validation", "no yes"), ("test", "yes")):
        (said / split).mkdir(parents=True)
        shutil.copy(root / "yes" / "a_0.avi", said / split)
        (said / split / "a_0.txt").write_text(text)
    prepare("known", said, task="sentences")
    assert "train lacks" not in capfd.readouterr().err
    (said / "test" / "a_0.txt").write_text("yes or maybe")
    monkeypatch.setattr(video_folder, "MouthReader", partial(Forbidden, height=6, width=12))
    with pytest.raises(AssertionError, match="is cropped again"):
        prepare("unknown", said, task="sentences")
    told = "said: train lacks words that are said in validation or test: maybe, or (2 of 4 words)."
    assert told in capfd.readouterr().err


@pytest.fixture
def read_text(tmp_path):
    """Writes what is said beside a clip, and reads it."""

    def read(said, encoding="utf-8"):
        path = tmp_path / "a.txt"
        path.write_text(said, encoding)
        return video_folder.read_text(path, "a.mp4")

    return read


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Don't! 2 o\N{RIGHT SINGLE QUOTATION MARK}clock, 3½…", "don't 2 o'clock 3½"),
        ("Hello \N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}", "hello"),
        ("हिन्दी में नमस्ते।", "हिन्दी में नमस्ते"),
        ("สวัสดีตอนเช้า", "สวัสดีตอนเช้า"),
        ("Cafe\N{COMBINING ACUTE ACCENT} ÉTÉ", "caf\N{LATIN SMALL LETTER E WITH ACUTE} été"),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}stanbul", "i\N{COMBINING DOT ABOVE}stanbul"),
    ],
)
def test_texts_of_any_language_keep_their_words(read_text, said, text):
    assert read_text(said) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("'blue'", "blue"),
        ("\N{LEFT SINGLE QUOTATION MARK}Blue\N{RIGHT SINGLE QUOTATION MARK} and blue", "blue and blue"),
        ("'Place blue,' he said. 'Now!'", "place blue he said now"),
        ("he said 'it's the red one'", "he said it's the red one"),
        ("''so''", "so"),
        ("'Twas 'blue', the dogs' bone", "'twas blue the dogs' bone"),
        ("he said, ' go - '", "he said go"),
        ("a ' b", "a b"),
    ],
)
def test_apostrophes_that_quote_are_no_part_of_a_word(read_text, said, text):
    assert read_text(said) == text


@pytest.mark.parametrize("name", ["SOFT HYPHEN", "ZERO WIDTH SPACE", "ZERO WIDTH NON-JOINER", "ZERO WIDTH JOINER"])
def test_what_nobody_sees_makes_no_other_word(read_text, name):
    assert read_text(f"\N{ZERO WIDTH NO-BREAK SPACE}sun{unicodedata.lookup(name)}day") == "sunday"


@pytest.mark.parametrize("said", ["'", "- ' -", "\N{SOFT HYPHEN}", "\N{COMBINING ACUTE ACCENT}'"])
def test_a_text_without_words_is_refused(read_text, said):
    with pytest.raises(UsageError, match=r"a\.txt is empty: write into it what is said in a\.mp4"):
        read_text(said)


@pytest.mark.parametrize(
    ("said", "encoding"), [("yes", "utf-16"), ("yes", "utf-16-le"), ("yes", "utf-16-be"), ("été", "latin-1")]
)
def test_texts_in_other_encodings_are_refused(read_text, said, encoding):
    with pytest.raises(UsageError, match=r"a\.txt is not UTF-8 text: save it again"):
        read_text(said, encoding)


def test_a_corpus_among_the_clips_is_refused(root, prepare):
    with pytest.raises(
        UsageError, match=f"would be made in {root}/prepared, among the recordings: work outside of {root}"
    ):
        prepare(f"{root.name}/prepared")


def test_speakers_and_too_few_of_them(prepare):
    with pytest.raises(UsageError, match="finds no speaker in 4 of 11 names"):
        prepare("speakers", speaker="^(a|c)_")
    with pytest.raises(UsageError, match="Record more speakers"):
        prepare("speakers", speaker="^([a-c])_")


def test_a_split_of_which_no_clip_is_left(tmp_path, root, prepare):
    for split, name in (("train", "a_0.avi"), ("validation", "b_1.avi"), ("test", "a_2.avi")):
        (tmp_path / "said" / split).mkdir(parents=True)
        shutil.copy(root / "yes" / name, tmp_path / "said" / split)
        (tmp_path / "said" / split / name).with_suffix(".txt").write_text("yes")
    (tmp_path / "said" / "test" / "a_2.avi").write_text("no video")
    with pytest.raises(UsageError, match=r"mend these, or divide the clips otherwise among folders train, validation"):
        prepare("corpus", tmp_path / "said", task="sentences")


def test_sound_and_video_are_told_apart(tmp_path, root, prepare):
    with pytest.raises(UsageError, match=r"holds video and no sound: take data=video_folder.*to hear .* convert"):
        folder.prepare(root, tmp_path / "corpus")
    (tmp_path / "sound" / "yes").mkdir(parents=True)
    (tmp_path / "sound" / "yes" / "1.wav").touch()
    with pytest.raises(UsageError, match="holds sound and no video: take data=folder"):
        prepare("corpus", tmp_path / "sound")


def test_the_command(tmp_path):
    failed = CliRunner().invoke(video_folder.main, [str(tmp_path / "none"), "--task", "sentences", "--no-colour"])
    assert failed.exit_code == 1
    assert failed.stderr.startswith("error: There is no folder")
