"""A committee of trained networks, whose probabilities are averaged.

Ciresan, Meier & Schmidhuber, "Multi-column deep neural networks for image classification", CVPR 2012.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.inference.predict import load, probabilities
from sigconv.train.build import build_data
from sigconv.train.run import Run, runs_in


def committee(
    runs: Sequence[str | Path], corpus: str | Path | None = None, progress: Callable[[str], None] = lambda doing: None
) -> dict[str, Any]:
    """Accuracy of finished runs on the test split of their corpus, individually and as a committee.

    Args:
        runs: their folders; the folder of several runs (-m) stands for those of them that are finished.
        corpus: the folder of the corpus; if None, where it was when the first run was trained.
        progress: called with what is being done.

    Returns ``accuracy``, ``wrong`` and ``tested`` of the committee, for each of its ``members`` the ``folder`` and the
    ``accuracy``, and the folders that are ``left_out`` because their runs are not finished.

    Raises UsageError if there are fewer than two runs, or if they differ in corpus or classes, or read sentences.
    """
    folders, left_out = _runs_of(map(Path, runs))
    if len(folders) < 2:
        raise UsageError(f"a committee needs two runs or more; {', '.join(map(str, runs))} gives {len(folders)}.")
    opened = Run.open(folders[0]).corpus(corpus)
    for folder in folders:
        Run.open(folder).check(opened)
    if not opened.labels:
        raise UsageError(f"{opened.folder} has sentences; a committee tells classes apart.")
    labels = opened.split("test").labels
    members, total = [], torch.zeros(len(labels), len(opened.labels))
    for number, folder in enumerate(folders, 1):
        progress(f"member {number} of {len(folders)}")
        answers = _answers(folder, opened)
        total += answers
        members.append({"folder": str(folder), "accuracy": _right(answers, labels) / len(labels)})
    right = _right(total, labels)
    return {
        "accuracy": right / len(labels),
        "wrong": len(labels) - right,
        "tested": len(labels),
        "members": members,
        "left_out": [str(folder) for folder in left_out],
    }


def _runs_of(named: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The runs that are named, by themselves or as those of a folder, each once; and those of folders that are not
    finished."""
    folders, left_out = {}, []
    for path in named:
        runs = runs_in(path)
        finished = [run for run in runs if Run.open(run).finished] if runs else [path]
        folders |= {run.resolve(): run for run in finished if run.resolve() not in folders}
        left_out += [run for run in runs if run not in finished]
    return list(folders.values()), left_out


def _answers(folder: Path, corpus: Corpus) -> Tensor:
    """(N, classes), the probabilities for the test split."""
    network, _ = load(folder)
    data = build_data(Run.open(folder).config, corpus)
    return torch.cat([probabilities(network, signals) for signals in data.all_signals(corpus.split("test"))])


def _right(answers: Tensor, labels: Tensor) -> int:
    return int((answers.argmax(1) == labels).sum())


def in_words(result: dict[str, Any]) -> str:
    """The result as text for a terminal."""
    width = max(map(len, [*(member["folder"] for member in result["members"]), *result["left_out"]]))
    lines = [f"{member['folder']:{width}}  {member['accuracy']:.2%} right" for member in result["members"]]
    total = f"{result['accuracy']:.2%} right ({result['wrong']:,} of {result['tested']:,} wrong)"
    together = f"{f'all {len(lines)} together':{width}}  {total}"
    return "\n".join([*lines, *(f"{folder:{width}}  not finished" for folder in result["left_out"]), together])
