"""A way to start recipes within the test's process, on corpora so small that they train in a second."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import hydra
import numpy as np
import pytest
from omegaconf import DictConfig
from tones import write_tone_digits

from data_prep import fsdd, mnist
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.train.run import Run

COUNTS = {"train": 150, "validation": 30, "test": 40}
SMALL = ("model.layers=4C5-MP4-10N", "model.dropout=0.2", "loader.batch_size=32", "loader.least_steps=1")
SMALL_SPEECH = {
    "speech_spectrogram": ("model.layers=4C5-MP4-N", "loader.batch_size=32", "loader.least_steps=1"),
    "speech_waveform": ("features=waveform", "augment=waveform", "model.ndim=1", "model.layers=4C80/8-MP4-8C3-MP4-N"),
}


def write_digits(folder: Path, label: Callable[[int], int] = lambda i: i % 10) -> Corpus:
    """Noisy pictures of one bar for each class, at a height of its own."""
    generator = np.random.default_rng(0)

    def examples() -> Iterator[Example]:
        for split, count in COUNTS.items():
            for i in range(count):
                picture = generator.integers(0, 60, (1, 28, 28), np.uint8)
                picture[:, 2 * (i % 10) + 3 : 2 * (i % 10) + 5, 4:24] = 255
                yield Example(picture, split, f"{split}/{i}", label(i))

    info = CorpusInfo("bars", "image", "uint8", tuple("0123456789"), None, "none", "nobody", mnist.INFO.command)
    return write_corpus(folder, info, examples())


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_digits(tmp_path_factory.mktemp("corpus") / "digits")


@pytest.fixture(scope="session")
def tone_digits(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """FSDD as two whistlers would have recorded it: to be found by data.folder=<the folder above its own>."""
    folder = tmp_path_factory.mktemp("tones")
    write_tone_digits(folder / "recordings")
    return fsdd.prepare(folder / "fsdd", folder / "recordings")


@dataclass
class Answer:
    """What came of a command line: the exit code, the output, and the run's folder, if there is one."""

    code: int
    out: str
    err: str
    folder: Path | None

    @property
    def run(self) -> Run:
        assert self.folder is not None, self.err
        return Run.open(self.folder)


Start = Callable[..., Answer]


def newest_run(recipe: str) -> Path | None:
    configs = sorted(Path("runs", recipe).glob("*/config.yaml"), key=lambda path: path.stat().st_mtime_ns)
    return configs[-1].parent if configs else None


@cache
def _possible(root: str, *choices: str) -> DictConfig:
    return hydra.compose(root, [*choices], return_hydra_config=True)


@pytest.fixture
def run_recipe(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Start:
    """Starts recipes/<name>.py with these arguments, in an empty current folder.

    Only tests marked so get a report, which takes longer to draw than so short a training.
    """
    monkeypatch.chdir(tmp_path)
    if request.node.get_closest_marker("report") is None:
        monkeypatch.setattr("sigconv.train.finish.write_report", lambda *_: None)
    # Kept memory would be kept by all the tests that follow.
    monkeypatch.setattr("sigconv.train.attempt.make_the_most_of_this_machine", lambda: None)
    # A start composes its config three times. Two of them are to find what can be overridden, and a hydra.mode in it.
    monkeypatch.setattr("sigconv.train.overrides.compose", lambda root, choices, **_: _possible(root, *choices))
    monkeypatch.setattr("hydra._internal.hydra.Hydra.get_mode", lambda *_, **__: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def start(name: str, *words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", [f"recipes/{name}.py", *words])
        capsys.readouterr()
        try:
            import_module(f"recipes.{name}").main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        resumed = [Path(word.removeprefix("resume=")) for word in words if word.startswith("resume=")]
        return Answer(code, *capsys.readouterr(), resumed[0] if resumed else newest_run(name))

    return start


@pytest.fixture
def run_mnist(digits: Corpus, run_recipe: Start) -> Start:
    """Starts recipes/mnist.py on the small corpus with these arguments, or resumes a run."""

    def start(*arguments: str, resume: Path | None = None) -> Answer:
        words = [f"resume={resume}"] if resume else [f"data.folder={digits.folder}", *SMALL, *arguments]
        return run_recipe("mnist", *words)

    return start


@pytest.fixture
def run_speech(tone_digits: Corpus, run_recipe: Start) -> Start:
    """Starts one of the speech recipes on the tones with these arguments, by a small network, or resumes a run."""

    def start(name: str, *arguments: str, resume: Path | None = None) -> Answer:
        small = [f"data.folder={tone_digits.folder.parent}", "data.seconds=0.4", *SMALL_SPEECH[name]]
        return run_recipe(name, *([f"resume={resume}"] if resume else [*small, *arguments]))

    return start


def result(run: Run) -> tuple[dict, dict]:
    """All numbers of a run but the times, and its weights."""
    metrics = run.metrics
    metrics.pop("train_seconds")
    for epoch in metrics["epochs"]:
        epoch.pop("seconds")
    return metrics, run.read_model()[0]


def same(one: Run, other: Run) -> bool:
    (metrics, weights), (other_metrics, other_weights) = result(one), result(other)
    return metrics == other_metrics and all(weights[name].equal(other_weights[name]) for name in other_weights)


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int, batch: int, by: signal.Signals = signal.SIGINT) -> None:
    """Ctrl-C, or another signal, before this step."""
    from sigconv.train.callbacks import SeedSteps

    seed = SeedSteps.on_train_batch_start

    def stop(self, trainer, module, examples, index):
        if (trainer.current_epoch, index) == (epoch, batch):
            signal.raise_signal(by)
        seed(self, trainer, module, examples, index)

    monkeypatch.setattr(SeedSteps, "on_train_batch_start", stop)
