"""The lips recipe, from a command line to a run's folder and back to a video: on drawn mouths, and on real ones."""

from pathlib import Path

import cv2
import pytest
from recipe_runs import Answer, Start
from typer.testing import CliRunner

from data_prep.splits import place
from sigconv.cli import app

QUICK = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "loader.batch_size=4", "data.workers=1")
DRAWN = ("data=drawn", "mouth.height=24", "mouth.width=32")
FEW = (*DRAWN, "data.clips=12", "data.speakers=3")
MANY = (*DRAWN, "data.clips=48", "data.speakers=6", "loader.batch_size=16")
CLIPS = 1  # real one in each split


def test_it_learns_to_read_drawn_words(run_recipe: Start) -> None:
    network = "model.layers=8C3x5x5/1x2x2-MP2-16C3-MP2-N"
    answer = run_recipe("lips", *MANY, network, "trainer.max_epochs=14", "optim.lr=0.01", "augment=none")
    assert answer.code == 0, answer.err
    metrics = answer.run.metrics
    assert list(metrics["word_classes"]) == ["command", "colour", "preposition", "letter", "digit", "adverb"]
    assert (
        metrics["test"]["accuracy"] > 0.25
    )  # by faces that it never saw; 0.19 for guessing among the words of the right class


@pytest.fixture
def grid(shared_data: Path, tmp_path: Path) -> Path:
    """A few clips of GRID, some for each split."""
    files = sorted((shared_data / "grid" / "s1" / "video").iterdir())
    for low, high in ((0, 0.1), (0.1, 0.2), (0.2, 1)):
        for file in [file for file in files if low <= place(file.stem) < high][:CLIPS]:
            for path in (file, file.parents[1] / "align" / f"{file.stem}.align"):
                link = tmp_path / "grid" / "s1" / path.parent.name / path.name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
    return tmp_path / "grid"


@pytest.mark.report
def test_the_real_configs_on_real_lips(run_recipe: Start, grid: Path, tmp_path: Path) -> None:
    """Words and sentences from the same crops; then a clip at 30 frames/s, a copy with subtitles, a clip of a wall."""
    runs = {}
    for task in ("words", "sentences"):
        answer = run_recipe("lips", "data.source=grid", f"task={task}", *QUICK)
        assert answer.code == 0, answer.err
        runs[task] = answer
    assert list((tmp_path / "data" / "grid").glob("*/contact_sheet.png"))
    assert len(runs["sentences"].run.metrics["transcripts"]) == CLIPS
    clip = faster(next(grid.glob("s1/video/*.mpg")), tmp_path / "clip.mp4")
    wall = faster(None, tmp_path / "wall.mp4")
    for answer in runs.values():
        said = predict(answer, clip, wall)
        assert said.exit_code == 1
        assert "resampled from 30 to 25 frames/s" in said.stdout
        assert f"{wall}: no face" in said.stderr
    assert predict(runs["sentences"], clip, "--video", tmp_path / "out.mp4").exit_code == 0
    assert cv2.VideoCapture(str(tmp_path / "out.mp4")).get(cv2.CAP_PROP_FPS) == 30


def faster(source: Path | None, path: Path) -> Path:
    """The frames of a clip, or of a grey wall, at 30 frames/s."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (360, 288))
    capture = cv2.VideoCapture(str(source or next(path.parent.glob("grid/s1/video/*"))))
    while True:
        there, frame = capture.read()
        if not there:
            writer.release()
            return path
        writer.write(frame if source else frame * 0 + 90)


def predict(answer: Answer, *words: object):
    return CliRunner().invoke(app, ["predict", str(answer.folder), *map(str, words)])


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        (["task=word"], 2, "Did you mean words?"),
        (["data=lrw"], 1, "data.source"),
        (["data.source=/nowhere"], 1, "/nowhere"),
        (["mouth.locator=har"], 1, "Did you mean haar?"),
        ([*FEW, "task=sentences", "decoder=gramar"], 1, "Did you mean grammar?"),
        ([*FEW, "task=sentences", "model=lips_cnn", "model.layers=4C3-GAP-N"], 1, "such as model=lipnet"),
        ([*FEW, "task=sentences", "mixup=0.2"], 1, "mixup=0"),
        ([*FEW, "task=sentences", "data.seconds=1"], 1, "data.seconds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_in_a_line(run_recipe: Start, words: list[str], code: int, answer: str) -> None:
    given = run_recipe("lips", *words)
    assert given.code == code, given.err
    assert given.err.splitlines()[-1].startswith("error: ")
    assert answer in given.err
    assert "Traceback" not in given.err
    assert given.folder is None  # a run that never began leaves nothing
