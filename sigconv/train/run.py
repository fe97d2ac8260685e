"""A run's folder: everything to rebuild, resume, explain and use what was trained."""

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from sigconv.corpus import Corpus, is_free
from sigconv.errors import UsageError
from sigconv.files import write_whole

CONFIG, CORPUS, METRICS, MODEL = "config.yaml", "corpus.json", "metrics.json", "model.safetensors"


def new_folder(wanted: Path) -> Path:
    """Makes `wanted`, or the first of wanted_2, wanted_3, ... that does not exist yet; never reuses a folder."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    number, folder = 1, wanted
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
            folder = wanted.with_name(f"{wanted.name}_{number}")


def runs_in(folder: Path) -> list[Path]:
    """The folders of the runs that one command line (-m) made in `folder`, in order."""
    folders = (path.parent for path in folder.glob(f"[0-9]*/{CONFIG}"))  # Hydra's, of a run that never began, is empty
    return sorted(folders, key=lambda path: path.name.zfill(9))


def _facts(corpus: Corpus) -> dict[str, Any]:
    """The facts by which a corpus is recognised."""
    return {name: getattr(corpus.info, name) for name in ("name", "split_hash", "checksums")}


class Run:
    """One training and its folder. Of the processes of a distributed run only the first may write."""

    def __init__(self, folder: Path, config: DictConfig) -> None:
        self.folder, self.config = folder, config

    @classmethod
    def create(cls, folder: Path, config: DictConfig, overrides: Sequence[str]) -> "Run":
        """A new run in an existing folder. Raises UsageError if that is not empty."""
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty: a run has a folder to itself.")
        run = cls(folder, DictConfig(OmegaConf.to_container(config, resolve=True)))
        run.write_text("overrides.yaml", OmegaConf.to_yaml(list(overrides)))
        run.write_text(CONFIG, OmegaConf.to_yaml(run.config))  # last, as it makes the folder a run's
        return run

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """The run in `folder`. Raises UsageError if there is none."""
        folder = Path(str(folder))  # Hydra takes a name of digits for a number
        if not (folder / CONFIG).is_file():
            raise UsageError(f"{folder} is not a run's folder: it holds no {CONFIG}.{_neighbours(folder)}")
        config = OmegaConf.load(folder / CONFIG)
        assert isinstance(config, DictConfig)
        return cls(folder, config)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def checkpoint(self) -> Path | None:
        """Where training goes on: the state after the last whole epoch, or None before the first."""
        path = self.checkpoints / "last.ckpt"
        return path if path.is_file() else None

    @property
    def finished(self) -> bool:
        return (self.folder / METRICS).is_file()

    @property
    def metrics(self) -> dict[str, Any]:
        """What the finished run measured."""
        return self.read_json(METRICS)

    @property
    def overrides(self) -> list[str]:
        return list(OmegaConf.load(self.folder / "overrides.yaml"))

    @property
    def command(self) -> str:
        """What starts the same run again."""
        return shlex.join(["python", f"recipes/{self.config.recipe}.py", *self.overrides])

    @property
    def resume_command(self) -> str:
        """What goes on with it, from the current folder."""
        return command_from_here(self.config.recipe, f"resume={self.folder}")

    def remember(self, corpus: Corpus) -> None:
        """Records which corpus the run is trained on, and where that is."""
        self.write_json(CORPUS, _facts(corpus) | {"folder": str(corpus.folder.absolute())})

    def knows(self, corpus: Corpus) -> bool:
        """Whether `corpus` is what the run was trained on."""
        known, facts = self.read_json(CORPUS), _facts(corpus)
        return all(known[name] == facts[name] for name in facts)

    def corpus(self, folder: str | Path | None = None) -> Corpus:
        """The corpus that the run was trained on, from `folder` or, if that is None, from where it was at that time.

        Raises UsageError if it is not there, is damaged, or is a different one.
        """
        where = folder or self.read_json(CORPUS)["folder"]
        if folder is None and is_free(Path(where)):
            raise UsageError(f"The corpus of {self.folder} is no longer in {where}: name its folder by --corpus.")
        corpus = Corpus.load(where).verify_changed()
        self.check(corpus)
        return corpus

    def check(self, corpus: Corpus) -> None:
        """Raises UsageError if the run was not trained on `corpus`."""
        if not self.knows(corpus):
            name = self.read_json(CORPUS)["name"]
            raise UsageError(f"{corpus.folder} is not what {self.folder} was trained on, {name}.")

    def discard(self) -> None:
        """Deletes the run's folder, unless the run has completed an epoch."""
        if (self.folder / CONFIG).is_file() and self.checkpoint is None and not self.finished:
            shutil.rmtree(self.folder)

    def write_text(self, name: str, text: str) -> None:
        write_whole(self.folder / name, lambda path: path.write_text(text, "utf-8"))

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        self.write_text(name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text("utf-8"))

    def write_model(self, weights: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Writes the weights, with `about` in their header: what is needed to read files and to name classes."""
        tensors = {name: weight.detach().cpu().contiguous().clone() for name, weight in weights.items()}
        metadata = {name: json.dumps(value) for name, value in about.items()}
        write_whole(self.folder / MODEL, lambda path: path.write_bytes(save(tensors, metadata)))

    def carry(self, file: Path) -> str:
        """Copies a file that readers need into the folder, and returns its name there."""
        name = f"reader{file.suffix}"
        write_whole(self.folder / name, lambda path: shutil.copyfile(file, path))
        return name

    def read_model(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The weights and what `write_model` was told about the corpus."""
        path = self.folder / MODEL
        if not path.is_file():
            raise UsageError(f"{self.folder} holds no {MODEL}: its training is not finished. Resume it first.")
        with safe_open(path, "pt") as file:
            about = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118


def command_from_here(recipe: str, *words: str) -> str:
    """What starts a recipe with these words, from the current folder."""
    script = Path(sys.argv[0])
    if script.stem != recipe:
        script = Path("recipes", f"{recipe}.py")
    return shlex.join(["python", str(script), *words])


def run_folder(recipe: str) -> Path:
    return new_folder(Path("runs") / recipe / datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))


def _neighbours(folder: Path) -> str:
    runs = sorted(path.parent for path in folder.parent.glob(f"*/{CONFIG}")) if folder.parent.is_dir() else []
    return f" The latest beside it is {runs[-1]}." if runs else ""
