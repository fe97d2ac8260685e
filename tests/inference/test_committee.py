"""Networks that answer together."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from recipe_runs import Start, write_digits
from typer.testing import CliRunner

from sigconv.cli import app
from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.inference.committee import committee
from sigconv.inference.predict import load
from sigconv.train.run import Run


def test_it_answers_by_the_mean(run_mnist: Start, digits: Corpus) -> None:
    answer = run_mnist("-m", "seed=0,1", "trainer.max_epochs=2")
    assert answer.code == 0, answer.err
    (folder,) = Path("runs/mnist").iterdir()
    result = json.loads(CliRunner().invoke(app, ["committee", str(folder), "--json"]).stdout)
    signals, labels = digits.split("test").signals(), digits.split("test").labels
    runs = [folder / "0", folder / "1"]
    with torch.no_grad():
        each = [load(run)[0](signals).softmax(1) for run in runs]
    assert [member["folder"] for member in result["members"]] == list(map(str, runs))
    assert [member["accuracy"] for member in result["members"]] == [
        Run.open(run).metrics["test"]["accuracy"] for run in runs
    ]
    assert result["wrong"] == int((sum(each).argmax(1) != labels).sum())
    assert result["tested"] == len(labels) == 40
    assert result["left_out"] == []
    shutil.copytree(runs[0], folder / "2")
    (folder / "2" / "metrics.json").unlink()
    assert committee([folder]) == result | {"left_out": [str(folder / "2")]}
    assert committee([*runs, folder / "." / "0"]) == result
    *_, left_out, last = CliRunner().invoke(app, ["committee", str(folder)]).stdout.splitlines()
    assert left_out == f"{folder / '2'}  not finished"
    assert last.startswith("all 2 together ")
    assert last.endswith(f"{result['accuracy']:.2%} right ({result['wrong']} of 40 wrong)")


def test_who_cannot_answer_together_is_told(run_mnist: Start, tmp_path: Path) -> None:
    one = run_mnist("trainer.max_epochs=1").run.folder
    other = write_digits(tmp_path / "other", lambda i: (i + 1) % 10)
    another = run_mnist("trainer.max_epochs=1", f"data.folder={other.folder}").run.folder
    with pytest.raises(UsageError, match=r"two runs or more; .* gives 1"):
        committee([one])
    with pytest.raises(UsageError, match=r"is not what .* was trained on, bars"):
        committee([one, another])
    with pytest.raises(UsageError, match="is not a run's folder"):
        committee([one, tmp_path])
