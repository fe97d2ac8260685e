"""The command, its tables and its files."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from sigconv import cli
from sigconv.bench import bench, contestant, run
from sigconv.bench.case import Case, Suite
from sigconv.bench.picture import draw, save
from sigconv.bench.report import Report
from sigconv.bench.roofline import Rates
from sigconv.layers import Conv1d


class Wrong(Conv1d):
    def forward(self, x: Tensor) -> Tensor:
        return 1.1 * super().forward(x)


def _suite(*layers: type[Conv1d]) -> Suite:
    cases = (Case(layer.__name__, "dense", lambda layer=layer: layer(2, 3, 3), (2, 2, 20)) for layer in layers)
    return Suite("small", tuple(cases), seconds=0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SUITES", {"small": _suite(Conv1d)})
    monkeypatch.setattr(run, "measure_rates", lambda setting, wait: Rates(2e9, 1e9))


def _type(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["bench", "--without-compile", *words])
    return result.exit_code, result.output


def test_the_picture_shows_what_was_measured(tmp_path: Path) -> None:
    report = bench(["small"], compiles=False)
    speed, memory = draw(report).axes
    (result,) = report.results
    assert [label.get_text() for label in speed.get_yticklabels()] == ["Conv1d"]
    best, ours = (float(marks.get_offsets()[0][0]) for marks in speed.collections[1:])
    assert (best, ours) == (result.ratio("best", "step"), result.to_torch("step"))
    assert [bar.get_width() for bar in memory.patches] == [1.0]
    save(Report(report.machine), tmp_path / "nothing_yet", "png")


def test_the_picture_has_the_format_of_its_name(tmp_path: Path) -> None:
    status, _ = _type("--picture", str(tmp_path / "a.svg"))
    assert status == 0
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_tables_json_and_markdown_tell_the_same(tmp_path: Path) -> None:
    status, output = _type("--json", str(tmp_path / "a.json"), "--markdown", str(tmp_path / "a.md"), "--threads", "1")
    assert status == 0
    data = json.loads((tmp_path / "a.json").read_text())
    (result,) = data["results"]
    assert set(result["figures"]) == {"torch", "torch channels_last", "sigconv"}
    assert result["figures"]["torch"]["saved"] == 4 * 2 * 2 * 20
    ratio = result["derived"]["step"]["ratios"]["sigconv"]
    times = {name: figures["times"]["step"]["median"] for name, figures in result["figures"].items()}
    assert ratio == pytest.approx(times["torch"] / times["sigconv"])
    assert data["machine"]["threads"] == 1
    assert data["wrong"] == data["notes"] == []

    written = (tmp_path / "a.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in written.splitlines() if line.startswith("|")]
    (row,) = (row for row in rows if row[0] == "Conv1d" and len(row) == 12)
    assert row[9] == f"{ratio:.2f}"
    printed = [line.split() for line in output.splitlines()]
    assert row in printed
    assert "### small" in written


def test_without_compile_its_column_is_empty() -> None:
    report = bench(compiles=False)
    assert report.results[0].of("compile") is None
    assert " - " in str(report)


def test_a_compiler_that_fails_is_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(network: torch.nn.Module) -> torch.nn.Module:
        raise RuntimeError("no C++ compiler\nand more")

    monkeypatch.setattr(contestant.torch, "compile", fail)
    monkeypatch.setattr(run, "SUITES", {"small": _suite(Conv1d, Conv1d)})
    report = bench()
    assert len(report.results) == 2
    assert report.notes == ["torch.compile is left out where it fails: no C++ compiler"]


def test_a_wrong_network_gets_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SUITES", {"small": _suite(Wrong, Conv1d)})
    status, output = _type()
    assert status == 1
    assert (
        "DIFFERENT, so not measured: small, Wrong: sigconv: output is off by 0.1 where 0.0001 is allowed"
        in " ".join(output.split())
    )
    assert not [line for line in output.splitlines() if line.startswith("Wrong")]
    assert "Different, so not measured: small, Wrong" in bench(compiles=False).markdown()


def test_what_is_finished_is_printed_when_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SUITES", {"small": _suite(Conv1d, Wrong)})
    right = run.measure

    def interrupt(suite: Suite, case: Case, *rest: object) -> object:
        if case.name == "Wrong":
            raise KeyboardInterrupt
        return right(suite, case, *rest)

    monkeypatch.setattr(run, "measure", interrupt)
    report = bench(compiles=False)
    assert len(report.results) == 1
    assert report.notes == ["Interrupted: 1 of 2 cases are measured."]


def test_what_is_finished_is_in_the_files_when_the_process_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "SUITES", {"small": _suite(Conv1d, Conv1d, Wrong)})
    files, measured = [tmp_path / "a.json", tmp_path / "a.md"], []
    right = run.measure

    def look(suite: Suite, case: Case, *rest: object) -> object:
        assert len(json.loads(files[0].read_text())["results"]) == len(measured)
        assert files[1].read_text().count("\n| Conv1d |") == 2 * len(measured)
        if case.name == "Wrong":
            raise SystemExit(1)
        measured.append(right(suite, case, *rest))
        return measured[-1]

    monkeypatch.setattr(run, "measure", look)
    assert _type("--json", str(files[0]), "--markdown", str(files[1]))[0] == 1
    assert len(measured) == 2


def test_threads_and_generator_are_as_before() -> None:
    torch.manual_seed(3)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    bench(compiles=False, threads=2)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_memory_is_kept_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(run.backends, "keep_freed_memory", lambda: asked.append(True) or True)
    assert "freed memory is kept" not in str(bench(compiles=False))
    assert not asked
    assert "freed memory is kept" in str(bench(compiles=False, keep_memory=True))


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--suite", "smal"], "there is no suite 'smal'. Did you mean small?"),
        (["--dtype", "float8"], "there is no dtype 'float8'"),
        (["--device", "gpu"], "device 'gpu' cannot be used"),
        (["--json", "/nowhere/at/all.json"], "/nowhere/at/all.json cannot be written"),
        (["--picture", "/nowhere/at/all.png"], "/nowhere/at/all.png cannot be written"),
        (["--picture", "all.xyz"], "there is no format of pictures 'xyz'"),
    ],
)
def test_mistakes_get_one_line(
    words: list[str], answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sigconv", "bench", "--without-compile", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert answer in capsys.readouterr().err
