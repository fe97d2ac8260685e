"""A corpus so small that a recipe trains on it in a second, and a way to start recipes within the test's process."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from recipes import mnist
from sigconv.corpus import Corpus, CorpusInfo, Example, write_corpus
from sigconv.train.run import Run

COUNTS = {"train": 150, "validation": 30, "test": 40}
SMALL = ("model.layers=4C5-MP4-10N", "model.dropout=0.2", "loader.batch_size=32")


def write_digits(folder: Path, label: Callable[[int], int] = lambda i: i % 10) -> Corpus:
    """Noisy pictures of one bar for each class, at a height of its own."""
    generator = np.random.default_rng(0)

    def examples() -> Iterator[Example]:
        for split, count in COUNTS.items():
            for i in range(count):
                picture = generator.integers(0, 60, (1, 28, 28), np.uint8)
                picture[:, 2 * (i % 10) + 3 : 2 * (i % 10) + 5, 4:24] = 255
                yield Example(picture, split, f"{split}/{i}", label(i))

    info = CorpusInfo("bars", "image", "uint8", tuple("0123456789"), None, "none", "nobody", "python bars.py")
    return write_corpus(folder, info, examples())


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_digits(tmp_path_factory.mktemp("corpus") / "digits")


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


def newest_run() -> Path | None:
    configs = sorted(Path("runs/mnist").glob("*/config.yaml"), key=lambda path: path.stat().st_mtime_ns)
    return configs[-1].parent if configs else None


@pytest.fixture
def run_mnist(
    digits: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Answer]]:
    """Starts recipes/mnist.py on the small corpus with these arguments, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def start(*arguments: str, resume: Path | None = None) -> Answer:
        words = [f"resume={resume}"] if resume else [f"data.root={digits.folder}", *SMALL, *arguments]
        monkeypatch.setattr(sys, "argv", ["recipes/mnist.py", *words])
        capsys.readouterr()
        try:
            mnist.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return Answer(code, *capsys.readouterr(), resume or newest_run())

    return start
