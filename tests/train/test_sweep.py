"""What several runs amount to."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sigconv.train.summary import confidence_interval, summarise, table
from sigconv.train.sweep_picture import picture


def run(share: float, *overrides: str, figure: str = "accuracy", weights: int = 10, **more: Any) -> SimpleNamespace:
    metrics = {"test": {figure: share}, "train_seconds": 1.0, "weights": weights, **more}
    return SimpleNamespace(folder=Path("runs"), overrides=list(overrides), metrics=metrics)


def test_seeds_and_left_out_speakers_are_averaged_and_nothing_else() -> None:
    runs = [
        run(0.9, "data.split=speaker\\:theo", "seed=0", "model=a"),  # as Hydra's sweeper writes it
        run(0.7, "data.split=speaker:lucas", "seed=1", "model=a"),
        run(0.5, "data.split=official", "model=a"),
        run(0.3, "data.split=fold:1", "model=b"),
        run(0.1, "data.split=fold:2", "model=b"),
    ]
    means = {tuple(group["overrides"]): group["accuracy"]["mean"] for group in summarise(runs)["means"]}
    assert means == {("model=a",): pytest.approx(0.8), ("model=b",): pytest.approx(0.2)}


def test_the_seeds_of_a_speaker_are_averaged_before_the_mean_and_its_interval_are_taken() -> None:
    shares = {("theo", 0): 0.5, ("theo", 1): 0.7, ("lucas", 0): 0.8, ("lucas", 1): 0.8, ("nicolas", 0): 0.9}
    runs = [
        run(share, f"data.split=speaker:{speaker}", f"seed={seed}", noise={"20": share})
        for (speaker, seed), share in shares.items()
    ]
    summary = summarise(runs)
    (group,) = summary["means"]
    assert (group["runs"], group["splits"]) == (5, 3)
    assert group["accuracy"] == {
        "mean": pytest.approx((0.6 + 0.8 + 0.9) / 3),
        "confidence95": pytest.approx(confidence_interval([0.6, 0.8, 0.9])),
    }
    assert group["noise"]["20"] == pytest.approx(group["accuracy"]["mean"])
    explained = "by Student's t, over speakers or folds, the seeds of each averaged first)"
    assert table(summary).endswith(explained)
    assert table(summarise(runs[:3:2])).endswith("by Student's t)")  # one seed for each speaker
    (of_one,) = summarise(runs[:2])["means"]
    assert of_one["accuracy"]["confidence95"] == pytest.approx(confidence_interval([0.5, 0.7]))


def test_sentences_are_summed_up_by_their_word_errors() -> None:
    words = [run(share, f"seed={i}", "task=words") for i, share in enumerate((0.5, 0.75))]
    sentences = [run(share, f"seed={i}", "task=sentences", figure="wer") for i, share in enumerate((0.1, 0.2))]
    summary = summarise(words + sentences)
    assert [group.get("accuracy", group.get("wer"))["mean"] for group in summary["means"]] == [
        0.625,
        pytest.approx(0.15),
    ]
    lines = table(summary).splitlines()
    assert [line.split("  ")[0] for line in lines[3:]][-3:-1] == ["mean of 2 task=words", "mean of 2 task=sentences"]
    assert "50.00% right" in lines[4]
    assert "20.00% word errors" in lines[7]
    assert "15.00% ± 63.53% word errors" in lines[9]
    assert len({len(line) for line in lines[2:10]}) == 1  # one below the other


def test_the_picture_has_a_bar_for_each_setting_with_the_mean_of_its_seeds() -> None:
    figure = picture(summarise([run(0.5, "seed=0", "model=a"), run(0.7, "seed=1", "model=a"), run(0.9, "model=b")]))
    (bars,) = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ["model=a", "model=b"]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([40.0, 10.0])


def test_accuracies_in_noise_are_averaged_where_all_runs_have_them() -> None:
    runs = [run(0.9, f"seed={i}", noise={"20": 0.8 - i / 10, "0": 0.25}) for i in range(2)]
    (group,) = summarise(runs)["means"]
    assert group["noise"] == {"20": pytest.approx(0.75), "0": 0.25}
    assert "noise" not in summarise([*runs, run(0.9, "seed=2")])["means"][0]
    unlike = [run(0.9, "snr=[20]", noise={"20": 0.8}), run(0.9, "snr=[20,10]", noise={"20": 0.6, "10": 0.5})]
    assert "noise 20 dB" in table(summarise(unlike))
    assert "noise 10 dB" not in table(summarise(unlike))
    head, _, *rows = (line.split("  ") for line in table(summarise(runs)).splitlines()[2:6])
    assert [cell.strip() for cell in head if cell][-2:] == ["noise 20 dB", "noise 0 dB"]
    assert [row[-1].strip() for row in rows] == ["25.00%", "25.00%"]


def test_the_picture_shows_what_differs_beside_the_measure() -> None:
    runs = [
        run(0.5, "model=a", weights=10, shift={"0": 0.9, "3": 0.5}),
        run(0.7, "model=b", weights=99, shift={"0": 0.8, "3": 0.6}, deformation={"0": 0.8, "20": 0.4}),
        run(0.1, "task=sentences", figure="wer"),
    ]
    bars, weights, shifts, deformations = picture(summarise(runs)).axes
    assert len(bars.patches) == 2
    assert [line.get_xdata()[0] for line in weights.lines] == [10, 99]
    assert [list(line.get_xdata()) for line in shifts.lines] == [[0, 3], [0, 3]]
    assert list(shifts.lines[0].get_ydata()) == pytest.approx([10.0, 50.0])
    assert list(deformations.lines[0].get_ydata()) == pytest.approx([20.0, 60.0])
