"""What is not needed is not loaded: in one new process, from what needs least to what needs most."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sigconv.corpus import CorpusInfo, Example, write_corpus

RECIPE = Path(__file__).parents[1] / "recipes" / "mnist.py"
HEAVY = {"pandas", "datasets", "lightning", "torchmetrics", "librosa", "cv2", "matplotlib"}
PROGRAM = """
import json, runpy, sys, torch

seen, steps = set(sys.modules), {}

def step(name):
    steps[name] = sorted(set(sys.modules) - seen)
    seen.update(sys.modules)

import sigconv
step("layers")
import sigconv.cost
step("cost")
from sigconv.corpus import Corpus
corpus = Corpus.load(sys.argv[1]).verify()
split = corpus.split("train")
split.signals(), split.labels, split[0], split.sources, split.speakers
step("corpus")
recipe, sys.argv[1:] = sys.argv[2], ["model=mpl"]
try:
    runpy.run_path(recipe, run_name="__main__")
except SystemExit as stop:
    assert stop.code == 2
step("mistake")
print(json.dumps(steps))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The modules that each step has loaded beside those before it."""
    folder = tmp_path_factory.mktemp("data") / "dots"
    info = CorpusInfo("dots", "image", "uint8", ("no", "yes"), None, "free", "nobody", "none")
    write_corpus(folder, info, [Example(np.zeros((1, 3, 4), np.uint8), "train", "file", label=0)])
    command = [sys.executable, "-c", PROGRAM, str(folder), str(RECIPE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "error: model=mpl: there is no such model. Did you mean mlp?\n"
    return {step: set(modules) for step, modules in json.loads(done.stdout).items()}


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names


def test_importing_the_layers_loads_torch_only(loaded: dict[str, set[str]]) -> None:
    assert packages(loaded["layers"]) == {"sigconv"}


def test_costs_need_no_benchmark(loaded: dict[str, set[str]]) -> None:
    assert "sigconv.cost" in loaded["cost"]
    assert "sigconv.bench" not in loaded["cost"]


def test_reading_a_corpus_needs_no_pandas_and_no_datasets(loaded: dict[str, set[str]]) -> None:
    assert "pyarrow" in packages(loaded["corpus"])
    assert not packages(loaded["corpus"]) & {*HEAVY, "hydra"}


def test_a_mistake_on_the_command_line_is_found_before_what_trains_is_loaded(loaded: dict[str, set[str]]) -> None:
    assert "hydra" in packages(loaded["mistake"])
    assert not packages(loaded["mistake"]) & HEAVY
