"""The commands as they are typed."""

import json
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from sigconv import cli, planner
from sigconv.verification import cases, run

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture
def one_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CASES", {"conv": cases.CASES["conv"][:1]})


def _type(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, words)
    return result.exit_code, result.output


def test_verify_prints_a_table_and_writes_json(one_case: None, tmp_path: Path) -> None:
    file = tmp_path / "proofs.json"
    status, output = _type("verify", "--json", str(file))
    assert status == 0
    assert output.rstrip().endswith("All proofs hold.")
    data = json.loads(file.read_text())
    assert data["holds"]
    assert {"vendor", "reference"} <= {row["kernel"] for row in data["rows"]} <= set(planner.KERNELS)


def test_verify_fails_where_a_kernel_is_wrong(one_case: None, monkeypatch: pytest.MonkeyPatch) -> None:
    right = planner.KERNELS["vendor"].grad_weight
    monkeypatch.setattr(planner.KERNELS["vendor"], "grad_weight", lambda *operands: -right(*operands))
    status, output = _type("verify")
    assert status == 1
    assert "NOT PROVED" in output


def test_describe_counts() -> None:
    status, output = _type("describe", "1x29x29-20C4-MP2-40C5-MP3-150N-10N")
    assert status == 0
    assert "76,040" in output
    assert "1,908,740" in output
    _, text = _type("describe", "1x16000-8C80/4-GAP-2N", "--input-rate", "16000", "--json")
    assert json.loads(text)["layers"][1]["receptive_field_ms"] == 5


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["describe", "1x28x28-20C4-MP2-40C5-MP3-MP3-10N"], "layer 5, MP3, receives 2x2"),
        (["verify", "--device", "gpu"], "device 'gpu' cannot be used"),
        pytest.param(["verify", "--device", "cuda"], "device 'cuda' cannot be used", marks=NO_GPU),
        (["verify", "--json", "/nowhere/at/all.json"], "/nowhere/at/all.json cannot be written"),
        (["predict", "/nowhere", "digit.png"], "/nowhere"),
    ],
)
def test_mistakes_get_one_line(
    words: list[str], answer: str, one_case: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sigconv", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert answer in error
    assert "Traceback" not in error
