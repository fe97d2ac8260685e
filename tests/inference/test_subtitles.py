"""Videos that a network reads: what it says of them, and the copy with subtitles."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from click.testing import Result
from clips import set_pixel_shape, set_times, write_clip
from torch import Tensor, nn
from typer.testing import CliRunner

from sigconv import cli
from sigconv.errors import UsageError
from sigconv.inference import predict as predicting
from sigconv.inference import subtitles
from sigconv.inference.predict import Prediction, Segment, predict
from sigconv.inference.subtitles import caption, subtitle
from sigconv.signals.lips import mouths
from sigconv.signals.lips.pose import Pose

RATE = 25.0
READER = {"locator": "haar", "model": None, "rate": RATE, "height": 4, "width": 8, "region": 1.0, "colour": False}
WORDS = {"name": "shades", "kind": "video", "labels": ["dark", "light"], "rate": RATE, "dtype": "uint8"} | {
    "shape": [1, 10, 4, 8],
    "reader": READER,
}
SENTENCES = (
    WORDS
    | {"labels": [], "shape": [1, 60, 4, 8], "decoder": "greedy", "grammar": {}}
    | {
        "tokens": ["", "dark", "light"],
        "by": "words",
    }
)


class Eyes(nn.Module):
    """Tells grey mouths by their brightness; in a sentence, a word where it changes, one answer for two frames."""

    def __init__(self, sequence: bool) -> None:
        super().__init__()
        self.sequence = sequence

    def forward(self, x: Tensor) -> Tensor:
        level = x.float().mean((1, 3, 4))  # (B, T)
        if not self.sequence:
            return torch.stack([-level.mean(1), level.mean(1) - 255], 1) + 128
        there = level[:, ::2]
        scores = torch.stack([(there < 5).float(), ((there >= 5) & (there < 128)).float(), (there >= 128).float()], 1)
        return 50 * scores


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A second of dark and a second of light, 160 x 120, at 10 frames/s."""
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (160, 120))
    for i in range(20):
        writer.write(np.full((120, 160, 3), 200 if i >= 10 else 40, np.uint8))
    writer.release()
    return path


@pytest.fixture
def _faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mouth is in the middle of the picture of any video."""

    class Reader(mouths.MouthReader):
        def __call__(self, path: str | Path, window: int | None = None) -> mouths.Mouths:
            video = mouths.Video(path, self.rate)
            frames = np.stack([frame[:4, :8, 0] for frame in video])[None]
            poses = np.tile([80.0, 60.0, 60.0, 0.0], (len(video), 1))
            stretches = window and [(0, len(video))]
            return mouths.Mouths(frames, poses, SimpleNamespace(found=0.9), video.notes, stretches)

    monkeypatch.setattr(mouths, "MouthReader", Reader)


def trained(monkeypatch: pytest.MonkeyPatch, about: dict) -> None:
    for module in (predicting, subtitles):
        monkeypatch.setattr(module, "load", lambda run: (Eyes("tokens" in about), about))


def typed(*words: object) -> Result:
    return CliRunner().invoke(cli.app, ["predict", "run", *map(str, words)])


def frames_of(path: Path) -> np.ndarray:
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = capture.read()
        if not there:
            return np.stack(frames)
        frames.append(frame)


@pytest.mark.usefixtures("_faces")
def test_a_long_clip_is_answered_by_a_sliding_window(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS)
    (answer,) = predict("run", [clip])
    assert answer.notes == ["resampled from 10 to 25 frames/s", "face found in 45 of 50 frames"]
    assert [piece.label for piece in answer.segments] == 4 * ["dark"] + 5 * ["light"]
    assert (answer.segments[0].start, answer.segments[0].end) == (0, 0.4)
    assert answer.segments[-1].end == 2.0
    assert caption(answer, 0.1) == "dark"
    assert caption(answer, 1.8) == "light"


def test_a_long_clip_is_read_where_it_has_a_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As short a glance away as one of 0.56 s does not cost all answers, where a window slides."""
    clip = write_clip(tmp_path / "clip.avi", 70 * [np.full((120, 160, 3), 200, np.uint8)])
    poses = 30 * [Pose(80, 60, 60, 0)] + 14 * [None] + 26 * [Pose(80, 60, 60, 0)]

    def locator() -> object:
        coming = iter(poses)
        return lambda frame: next(coming)

    monkeypatch.setitem(mouths.LOCATORS, "haar", locator)
    trained(monkeypatch, WORDS)
    answer = subtitle("run", [clip], tmp_path / "out.mp4")
    firsts = [round(25 * piece.start) for piece in answer.segments]
    assert firsts == [0, 5, 10, 15, 20, 44, 49, 54, 59, 60]
    assert answer.notes == ["face found in 56 of 70 frames", "0.6 of 2.8 s left out, for want of a face"]
    for about in (SENTENCES, WORDS | {"shape": [1, 70, 4, 8]}, WORDS | {"shape": [1, 40, 4, 8]}):
        trained(monkeypatch, about)
        (answer,) = predict("run", [clip])
        assert "no face; one was found in 56 of 70 frames, and in none of 14 together" in answer.error


@pytest.mark.usefixtures("_faces")
def test_a_clip_as_long_as_those_in_training_is_answered_as_in_the_test(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    trained(monkeypatch, WORDS | {"longest": 50})
    monkeypatch.setattr(predicting, "probabilities", lambda network, x: seen.append(x) or network(x).softmax(1))
    (answer,) = predict("run", [clip])
    assert answer.segments is None
    (window,) = (x.float().mean((0, 1, 3, 4)) for x in seen)
    assert len(window) == 10
    assert window.min() < 100 < window.max()  # where it turns light


@pytest.mark.usefixtures("_faces")
def test_a_clip_of_the_length_of_a_word_has_one_answer(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS | {"shape": [1, 50, 4, 8]})
    (answer,) = predict("run", [clip])
    assert (answer.label in WORDS["labels"], answer.segments, answer.text) == (True, None, None)
    assert caption(answer, 1.0) == answer.label


@pytest.mark.usefixtures("_faces")
@pytest.mark.parametrize("length", [20, 50, 60])
def test_a_sentence_is_read_as_a_whole(length: int, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the clip is longer or shorter than those in training."""
    trained(monkeypatch, SENTENCES | {"shape": [1, length, 4, 8]})
    (answer,) = predict("run", [clip])
    assert (answer.text, answer.label, answer.segments) == ("dark light", None, None)
    assert typed(clip).stdout.startswith(f"{clip}: dark light (100.0%); resampled")
    given = json.loads(typed("--json", clip).stdout)
    assert (given["text"], given["probability"]) == ("dark light", pytest.approx(1))


@pytest.mark.usefixtures("_faces")
def test_one_clip_without_a_face_does_not_stop_the_others(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS)
    bad = clip.with_name("bad.mp4")
    bad.write_bytes(b"no video")
    result = typed(bad, clip)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {bad}: not a video")
    assert result.stdout.startswith(f"{clip}: ")
    assert typed(bad, "--video", clip.with_name("out.mp4")).exit_code == 1
    assert not clip.with_name("out.mp4").exists()


def test_there_is_no_way_from_a_video_to_drawn_mouths(monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS | {"reader": {}})
    with pytest.raises(UsageError, match="no way from a video"):
        predict("run", ["clip.mp4"])


@pytest.mark.usefixtures("_faces")
def test_the_copy_has_the_mouth_framed_and_the_words_below(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, SENTENCES)
    out = clip.with_name("out.mp4")
    result = typed(clip, "--video", out)
    assert result.exit_code == 0
    assert result.stderr == f"{out} is written, without sound.\n"
    before, after = frames_of(clip).astype(int), frames_of(out).astype(int)
    assert after.shape == before.shape
    assert cv2.VideoCapture(str(out)).get(cv2.CAP_PROP_FPS) == 10
    assert sorted(path.name for path in clip.parent.iterdir()) == ["clip.mp4", "out.mp4"]
    changed = np.abs(after - before).max(3) > 40
    assert changed[:, 43:77, 48:112].any((1, 2)).all()  # the frame around the mouth
    assert not changed[:, :38].any()
    assert not changed[:, 52:68, 58:102].any()  # the mouth itself
    assert changed[:, 85:].any(2).any(1).all()  # the sentence


@pytest.mark.usefixtures("_faces")
def test_a_copy_has_the_proportions_of_the_clip_as_players_show_it(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS)
    set_pixel_shape(clip, 4, 3)
    answer = subtitle("run", [clip], clip.with_name("out.mp4"))
    assert "pixels made square (4:3)" in answer.notes
    copy = cv2.VideoCapture(str(clip.with_name("out.mp4")))
    assert copy.get(cv2.CAP_PROP_SAR_NUM) == copy.get(cv2.CAP_PROP_SAR_DEN)
    height, width = copy.read()[1].shape[:2]
    assert (height, width) == (120, pytest.approx(160 * 4 / 3, abs=1.5))  # the codec wants even sizes


@pytest.mark.usefixtures("_faces")
def test_a_frame_that_stands_still_is_drawn_on_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS)
    clip = write_clip(tmp_path / "clip.mkv", 20 * [np.full((120, 160, 3), 200, np.uint8)])
    set_times(clip, [40 * i + 800 * (i >= 10) for i in range(20)])  # the tenth picture lasts for long
    answer = subtitle("run", [clip], tmp_path / "out.mp4")
    assert "variable frame rate" in answer.notes
    frames = frames_of(tmp_path / "out.mp4").astype(int)
    assert np.abs(frames[0] - 200).max() > 100  # there are words and a frame
    assert np.abs(frames - frames[:1]).max() < 60


@pytest.mark.usefixtures("_faces")
@pytest.mark.parametrize("rate", [119.883, 66.667, 29.97003, 23.976, 700.123])
def test_a_copy_of_any_rate_is_written(rate: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS)
    clip = write_clip(tmp_path / "clip.avi", 70 * [np.full((120, 160, 3), 200, np.uint8)], rate)
    assert cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FPS) == pytest.approx(rate, abs=1e-3)
    assert subtitle("run", [clip], tmp_path / "out.mp4").error is None
    copy = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert copy.get(cv2.CAP_PROP_FRAME_COUNT) == 70
    assert abs(rate / copy.get(cv2.CAP_PROP_FPS) - 1) * 3600 < 0.3  # seconds by which an hour would drift


def test_a_sentence_stands_below_all_of_its_clip() -> None:
    """Whose network does not tell when a word is said."""
    answer = Prediction("clip", text="bin blue")
    assert [caption(answer, seconds) for seconds in (0.2, 3.0)] == ["bin blue", "bin blue"]


def test_a_word_does_not_stay_where_there_is_no_face() -> None:
    pieces = [Segment(0.0, 1.0, "dark", 0.9), Segment(5.0, 6.0, "light", 0.9)]
    words = [caption(Prediction("clip", segments=pieces), seconds) for seconds in (0.5, 1.1, 2.9, 3.1, 4.9, 6.1)]
    assert words == ["dark", "dark", "", "", "light", "light"]


def test_a_long_text_and_any_letter_fit_into_the_picture() -> None:
    grey = np.full((120, 160, 3), 200, np.uint8)
    for text in ("four " * 40, "smörgås ж", "$x", "f"):
        changed = (subtitles._written(grey, text) != grey).any(2)
        assert 40 < changed.any(1).argmax() < 110
        assert changed.any()
        assert not changed[:, [0, -1]].any()
        assert not changed[-1].any()


def test_what_video_may_not_be_is_told(clip: Path) -> None:
    for files, out, why in (
        ([clip, clip], "out.mp4", "2 files are given"),
        ([clip], "out.avi", "end in .mp4"),
        ([clip], clip, "is the clip itself"),
        ([clip], "nowhere/out.mp4", "there is no folder"),
    ):
        with pytest.raises(UsageError, match=why):
            subtitle("run", files, clip.parent / out)
    other = clip.with_name("other.mp4")
    other.write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already and is not overwritten"):
        subtitle("run", [clip], other)
    assert other.read_bytes() == b"mine"


def test_a_run_that_never_saw_a_video_writes_none(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, {"kind": "audio"})
    with pytest.raises(UsageError, match="trained on audio, not on video"):
        subtitle("run", [clip], clip.with_name("out.mp4"))


def test_a_real_face_is_found_and_framed(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(monkeypatch, WORDS | {"reader": READER | {"height": 48, "width": 80, "region": 1.7}})
    clip = shared_data / "grid" / "s1" / "video" / "bbaf5a.mpg"
    answer = subtitle("run", [clip], tmp_path / "out.mp4")
    assert answer.error is None
    assert "of 75 frames" in answer.notes[-1]
    assert frames_of(tmp_path / "out.mp4").shape == (75, 288, 360, 3)
