"""`python recipes/mnist.py`, from a command line to a run's folder."""

import errno
import json
import multiprocessing
import re
import signal
import socket
import sys
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import OmegaConf
from recipe_runs import Answer, Start, interrupt, same

from sigconv.corpus import Corpus
from sigconv.train.callbacks import Record
from sigconv.train.cluster import cluster_environment
from sigconv.train.run import Run


@pytest.mark.report
def test_it_trains_tests_and_leaves_a_folder(run_mnist: Start, digits: Corpus) -> None:
    answer = run_mnist("trainer.max_epochs=8", "optim.lr=0.02", "augment=none")
    assert answer.code == 0
    run = answer.run
    names = {"config.yaml", "overrides.yaml", "corpus.json", "metrics.json", "environment.json"}
    names |= {"model.safetensors", "report.html"}
    assert {path.name for path in run.folder.iterdir()} == names | {"checkpoints"}
    assert run.metrics["test"]["accuracy"] > 0.9
    assert f"test       {run.metrics['test']['accuracy']:.2%} right" in answer.out
    assert str(run.folder / "report.html") in answer.out
    assert [epoch["epoch"] for epoch in run.metrics["epochs"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert run.metrics["train_seconds"] == pytest.approx(sum(epoch["seconds"] for epoch in run.metrics["epochs"]))
    assert sum(count for *_, count in run.metrics["confusion"]) == 40
    assert "trainer.max_epochs=8" in OmegaConf.load(run.folder / "overrides.yaml")
    assert json.loads((run.folder / "environment.json").read_text())["split_hash"] == digits.info.split_hash
    checkpoint = torch.load(run.checkpoint, weights_only=True)  # nothing pickled in it
    assert checkpoint["global_step"] == 8 * 5


def test_the_average_of_a_short_training_is_of_what_was_learned(run_mnist: Start) -> None:
    words = ("trainer.max_epochs=8", "optim.lr=0.02", "augment=none", "model.norm=batch")
    run = run_mnist(*words, "average=0.999").run
    assert run.metrics["test"]["accuracy"] > 0.9
    counts = [int(value) for name, value in run.read_model()[0].items() if name.endswith("num_batches_tracked")]
    assert set(counts) == {8 * 5}  # which no average is


def test_weights_of_another_run_are_taken_but_not_its_settings(run_mnist: Start) -> None:
    other = run_mnist("trainer.max_epochs=1")
    answer = run_mnist("trainer.max_epochs=1", f"init={other.folder}", "features.mean=0.2")
    assert re.search(rf"starts from {other.folder}: (\d+) of \1 tensors", answer.out), answer.err
    assert answer.run.read_model()[0]["features.mean"].item() == pytest.approx(0.2)


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(run_mnist: Start) -> None:
    first, second = (run_mnist("trainer.max_epochs=1", "seed=3").run for _ in range(2))
    assert first.folder != second.folder
    assert same(first, second)
    assert not same(first, run_mnist("trainer.max_epochs=1", "seed=4").run)


def test_hydra_says_where_a_run_is_but_no_other_run_is_written_over(run_mnist: Start) -> None:
    words = ("trainer.max_epochs=1", "hydra.run.dir=runs/mnist/mine")
    first = run_mnist(*words)
    assert first.folder == Path("runs/mnist/mine")
    again = run_mnist(*words)
    assert again.code == 1
    assert "error: runs/mnist/mine is not empty" in again.err
    assert first.run.finished


@pytest.mark.parametrize(
    ("options", "epoch", "batch"),
    [
        (("loader.in_memory=false", "loader.workers=0"), 2, 0),
        ((), 0, 2),
        (("average=0.9", "checkpoint=best", "augment=elastic"), 2, 1),
    ],
    ids=["between epochs, from disk", "within the first", "averaged, within one"],
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    run_mnist: Start, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], epoch: int, batch: int
) -> None:
    whole = run_mnist("trainer.max_epochs=4", *options)
    with monkeypatch.context() as patch:
        interrupt(patch, epoch, batch)
        stopped = run_mnist("trainer.max_epochs=4", *options)
    assert stopped.code == 130
    assert f"python recipes/mnist.py resume={stopped.run.folder}" in stopped.out
    assert not stopped.run.finished
    resumed = run_mnist(resume=stopped.run.folder)
    assert resumed.code == 0
    assert same(whole.run, resumed.run)
    again = run_mnist(resume=stopped.run.folder)
    assert again.code == 1
    assert f"{stopped.run.folder} is finished" in again.err


def test_a_terminated_run_says_how_to_go_on_and_does(run_mnist: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_mnist("trainer.max_epochs=2")
    with monkeypatch.context() as patch:
        interrupt(patch, 1, 1, signal.SIGTERM)
        stopped = run_mnist("trainer.max_epochs=2")
    assert stopped.code == 143
    assert "Terminated. To go on" in stopped.out
    assert f"python recipes/mnist.py resume={stopped.run.folder}" in stopped.out
    assert not stopped.run.finished
    resumed = run_mnist(resume=stopped.run.folder)
    assert resumed.code == 0
    assert same(whole.run, resumed.run)


def test_a_run_that_has_moved_knows_its_best_epoch(run_mnist: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    unlearning = ("trainer.max_epochs=3", "checkpoint=best", "optim.lr=1e-12", "watch=null")
    with monkeypatch.context() as patch:
        interrupt(patch, 2, 0)
        stopped = run_mnist(*unlearning)
    moved = stopped.run.folder.rename("elsewhere")
    resumed = run_mnist(resume=moved)
    assert resumed.code == 0
    state = torch.load(resumed.run.checkpoints / "best.ckpt", weights_only=True)
    assert state["epoch"] == 0  # of equals the first
    last = torch.load(resumed.run.checkpoint, weights_only=True)["callbacks"]
    (best,) = (kept for key, kept in last.items() if key.startswith("MovableCheckpoint") and kept["monitor"])
    assert list(best["best_k_models"]) == [best["best_model_path"]] == [str(moved.absolute() / "checkpoints/best.ckpt")]


def test_a_run_that_began_before_there_were_some_options_goes_on(
    run_mnist: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, 1, 0)
        stopped = run_mnist("trainer.max_epochs=2", "watch=null")
    config = stopped.run.folder / "config.yaml"
    then = OmegaConf.load(config)
    for option in ("watch", "average", "mixup"):
        del then[option]
    config.write_text(OmegaConf.to_yaml(then))
    assert run_mnist(resume=stopped.run.folder).code == 0


@pytest.mark.parametrize("options", [("average=0.9",), ("average=0.9", "checkpoint=best")], ids=["last", "best"])
def test_a_run_interrupted_after_its_training_is_only_finished(
    run_mnist: Start, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    whole = run_mnist("trainer.max_epochs=2", *options)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sigconv.train.finish.write_report", stop)
        stopped = run_mnist("trainer.max_epochs=2", *options)
    assert stopped.code == 130
    resumed = run_mnist(resume=stopped.run.folder)
    assert resumed.code == 0
    assert "epoch" not in resumed.out
    assert same(whole.run, resumed.run)


def of_torchrun(rank: int) -> dict[str, str]:
    """The environment of the first or second of two processes that torchrun starts."""
    world = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    return world | {"RANK": str(rank), "LOCAL_RANK": str(rank)}


def of_srun(rank: int) -> dict[str, str]:
    """The environment of one of the processes that srun --ntasks-per-node=2 starts."""
    job = {"SLURM_JOB_ID": "12345", "SLURM_JOB_NAME": "digits", "SLURM_NNODES": "1", "SLURM_NODEID": "0"}
    job |= {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}
    return job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}


def test_several_processes_make_one_folder_and_see_every_example_once(
    run_mnist: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, of which the first is this one, and the second a copy of it."""
    words = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.max_epochs=1"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}

    def start(rank: int) -> Answer:
        for name, value in (world | of_torchrun(rank)).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(rank_zero_only, "rank", rank)  # as Lightning finds it in this environment when imported
        return run_mnist(*words)

    second = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(start(1).code))
    second.start()
    try:
        first = start(0)
        second.join(timeout=300)
        assert (first.code, second.exitcode) == (0, 0), first.err
    finally:
        second.kill()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    (folder,) = (tmp_path / "runs" / "mnist").iterdir()
    metrics = Run.open(folder).metrics
    assert [sum(n for true, _, n in metrics["confusion"] if true == i) for i in range(10)] == [4] * 10
    assert len(metrics["epochs"]) == 1


@pytest.mark.parametrize("unset", [(), ("SLURM_NTASKS_PER_NODE",)], ids=["ntasks-per-node", "ntasks"])
def test_each_of_several_runs_in_a_job_of_slurm_is_by_itself(
    run_mnist: Start, monkeypatch: pytest.MonkeyPatch, unset: tuple[str, ...]
) -> None:
    for name, value in of_srun(1).items():
        if name not in unset:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning finds it in this environment
    Path("hpc_ckpt_1.ckpt").write_text("saved by another run")
    signals = []
    monkeypatch.setattr(Record, "on_train_start", lambda *_: signals.append(signal.getsignal(signal.SIGUSR1)))
    answer = run_mnist("trainer.max_epochs=1", "trainer.devices=1")
    assert answer.code == 0, answer.err
    assert answer.run.finished
    assert f"run        {answer.run.folder}" in answer.out
    assert signals == [signal.SIG_DFL]


def test_a_distributed_run_does_not_requeue_a_job_of_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in of_srun(0).items():
        monkeypatch.setenv(name, value)
    config = OmegaConf.create({"trainer": {"devices": 2, "strategy": "ddp"}})
    plugin = cluster_environment(config)
    assert isinstance(plugin, SLURMEnvironment)
    assert not plugin.auto_requeue
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    assert cluster_environment(config) is None


def test_a_job_of_slurm_that_lightning_refuses_is_said(run_mnist: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in of_srun(0).items():
        if name != "SLURM_NTASKS_PER_NODE":
            monkeypatch.setenv(name, value)
    answer = run_mnist("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    assert answer.code == 1
    assert "error: Lightning refuses this job of SLURM: You set `--ntasks=2`" in answer.err
    assert "--ntasks-per-node=2" in answer.err


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        (["modle=mlp"], 2, "error: modle: there is no such option. Did you mean model?"),
        (["model=mpl"], 2, "error: model=mpl: there is no such model. Did you mean mlp?"),
        (["lr=0.1"], 2, "error: lr: there is no such option. Did you mean optim.lr?"),
        (
            ["optim.optimizer.betas=[0.9,0.98]"],
            2,
            " To give what torch.optim.AdamW takes besides: +optim.optimizer.betas=",
        ),
        (["zzz=1"], 2, "trainer, seed, precision, label_smoothing, mixup, checkpoint, "),  # and no dotted ones
        (["trainer.max_epoch=3"], 2, "Did you mean trainer.max_epochs"),
        (["-m", "model=cnn,lenett"], 2, "error: model=lenett: there is no such model. Did you mean lenet or "),
        (["seed=none"], 2, "error: seed=none: it must be a number, such as 0."),
        (["mlp"], 2, "error: 'mlp' is not an override: write key=value, or group=option."),
        (
            ["data.folder=Wörter"],
            2,
            "is not an override: ö in a value wants quotes within quotes, as in \"data.folder='...ö",
        ),
        (["data.folder=[ö,a]"], 2, "is not an override: ö in a value"),
        (["data.folder=a(b"], 2, "is not an override: ( in a value"),
        (["data.folder=~/digits"], 2, "'data.folder=~/digits' is not an override: write $HOME for ~,"),
        (["model.layers=20C5-12N"], 1, "error: layer 2, 12N, gives 12 but there are 10 classes; end in 10N"),
        (["model.layers=20C5-MP30-10N"], 1, "MP30"),
        (["loader.batch_size=0"], 1, "error: loader.batch_size=0"),
        (["loader.least_steps=0"], 1, "error: loader.least_steps=0: it is 1 or more"),
        (["loader.workers=-1", "loader.in_memory=false"], 1, "error: loader.workers=-1: it is 0 or more"),
        (["loader.in_memory=maybe"], 1, "error: loader.in_memory=maybe: it must be true or false or auto."),
        (["seed=1.5"], 1, "error: seed=1.5: it must be a whole number."),
        (["init=2024"], 1, "error: 2024 is not a run's folder"),
        (["trainer.max_epochs=1.5"], 1, "error: trainer.max_epochs=1.5: it must be a whole number or null."),
        (["trainer.max_epochs=null"], 1, "error: trainer.max_epochs=None: it is a whole number, 1 or more."),
        (["trainer.limit_train_batches=[1]"], 1, "it must be a whole number or a number or null."),
        (["trainer.accelerator=tpu"], 1, "error: Lightning refuses the settings under trainer: "),
        (["+trainer.max_steps=2"], 1, "error: trainer.max_steps cannot be used: epochs are trained, validated and"),
        (["label_smoothing=null"], 1, "error: label_smoothing=None: it must be a number."),
        (["mixup=[1]"], 1, "error: mixup=[1]: it must be a number."),
        (["average=text"], 1, "error: average=text: it is a decay"),
        (["watch=true"], 2, "error: watch=True: it must be a number, such as 500."),
        (["optim.optimizer=null"], 2, "error: optim.optimizer=None: it must be options, of which there are _target_,"),
        (["optim.optimizer.weight_decay=null"], 1, "error: optim.optimizer.weight_decay=None: it must be a number."),
        (["optim.lr=null"], 1, "error: optim"),
        (["optim.schedule.pct_start=2"], 1, "error: optim: Expected float between 0 and 1 pct_start"),
        (["data.prepare=nowhere"], 1, "error: data.prepare=nowhere: there is none"),
        (["optim.schedule._target_=nowhere.at_all"], 1, "error: optim.schedule._target_=nowhere.at_all: there is none"),
        (["model.dropout=[0.1]"], 1, "error: model.dropout=[0.1]: it must be "),
        (["shifts=[true]"], 1, "error: shifts=[True]: it is a list of numbers"),
        (["model=null"], 2, "error: model=null: a recipe needs its model."),
        (["~seed"], 2, "error: ~seed: a recipe needs its seed."),
        (["recipe=lips"], 2, "error: recipe is the name of the script that is started"),
        (["trainer.limit_train_batches=0"], 1, "error: trainer.limit_train_batches=0: nothing would be trained"),
        (["trainer.limit_train_batches=0.001"], 1, "error: Lightning refuses the settings under trainer: You"),
        (["~augment", "trainer.max_epochs=1"], 2, "error: ~augment: a recipe needs its augment. There are affine,"),
        (["+task=sentences"], 2, "error: task is not part of this recipe, which has augment, data,"),
        (["watch=0"], 1, "error: watch=0: it is a whole number, 1 or more, or null for never."),
        (["trainer.max_epochs=0"], 1, "error: trainer.max_epochs=0: it is a whole number, 1 or more."),
        (["+model.foo=1"], 1, "error: The config has an option that build() does not take, foo: leave it out."),
        (["optim.lr=-1"], 1, "error: optim: Invalid learning rate: -1"),
        (["checkpoint=frist"], 1, "error: checkpoint=frist: it is last or best."),
        (["precision=12"], 1, "error: Lightning refuses the settings under trainer: Precision"),
        (["-m", "trainer=ddp", "trainer.accelerator=cpu"], 1, "error: trainer=ddp and -m do not go together"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_in_a_line(run_mnist: Start, words: list[str], code: int, answer: str) -> None:
    given = run_mnist(*words)
    assert given.code == code
    assert answer in given.err
    assert "Traceback" not in given.err
    assert given.folder is None  # a run that never began leaves nothing


def test_a_full_disk_is_said_and_how_to_go_on(run_mnist: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "report.html")

    monkeypatch.setattr("sigconv.train.finish.write_report", full)
    answer = run_mnist("trainer.max_epochs=1")
    assert answer.code == 1
    assert "error: the disk refuses report.html: No space left on device. To go on" in answer.err
    assert f"python recipes/mnist.py resume={answer.folder}" in answer.err


def test_a_disk_that_is_full_before_the_first_epoch_is_over_leaves_nothing_to_go_on_after(
    run_mnist: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "last.ckpt")

    monkeypatch.setattr("lightning.Trainer.save_checkpoint", full)
    answer = run_mnist("trainer.max_epochs=1")
    assert "No space left on device. To begin it again, as no epoch was completed:" in answer.err


def test_without_a_gpu_it_says_how_to_train(run_mnist: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = run_mnist("trainer=gpu")
    assert answer.code == 1
    assert "trainer=cpu" in answer.err


def test_several_runs_are_summed_up(run_mnist: Start) -> None:
    answer = run_mnist("trainer.max_epochs=1", "-m", "seed=0,1", "optim=adamw,sgd")
    assert answer.code == 0
    (folder,) = Path("runs/mnist").iterdir()
    assert folder.name.startswith("multirun_")
    summary = json.loads((folder / "summary.json").read_text())
    accuracies = [Run.open(folder / str(i)).metrics["test"]["accuracy"] for i in range(4)]
    assert [row["accuracy"] for row in summary["runs"]] == accuracies
    assert [group["runs"] for group in summary["means"]] == [2, 2]
    assert summary["means"][0]["accuracy"]["mean"] == pytest.approx((accuracies[0] + accuracies[2]) / 2)
    assert "mean of 2 optim=sgd" in answer.out


def summary_of_the_sweep() -> dict:
    (folder,) = Path("runs/mnist").iterdir()
    assert (folder / "summary.png").is_file()
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.parametrize(
    ("option", "values", "answer"),
    [
        ("optim.lr", ["0.01", "1e+30", "0.02"], "error: the loss is no longer a number"),
        ("checkpoint", ["last", "???", "best"], "error: checkpoint has to be given"),
    ],
    ids=["in training", "before it has a folder"],
)
def test_a_run_that_fails_does_not_keep_the_others_from_running(
    run_mnist: Start, option: str, values: list[str], answer: str
) -> None:
    given = run_mnist("-m", "trainer.max_epochs=1", f"{option}={','.join(values)}")
    assert given.code == 1
    assert answer in given.err
    assert "Traceback" not in given.err
    summary = summary_of_the_sweep()
    settings = [f"{option}={value}" for value in values]
    assert [row["overrides"][-1] for row in summary["runs"]] == settings[::2]
    assert [overrides[-1] for overrides in summary["failed"]] == [settings[1]]
    (failed,) = (line for line in given.out.splitlines() if line.startswith("failed "))
    assert failed.endswith(settings[1])


@pytest.mark.parametrize(
    ("error", "answer"),
    [(RuntimeError("a bug"), "RuntimeError: a bug"), (OSError(errno.ENOSPC, "full"), "error: the disk refuses a file")],
    ids=["bug", "disk"],
)
def test_neither_does_one_that_fails_by_no_mistake(
    run_mnist: Start, monkeypatch: pytest.MonkeyPatch, error: Exception, answer: str
) -> None:
    def write(run: Run, *_: object) -> None:
        if run.folder.name == "0":
            raise error

    monkeypatch.setattr("sigconv.train.finish.write_report", write)
    given = run_mnist("-m", "trainer.max_epochs=1", "seed=0,1")
    assert given.code == 1
    assert answer in given.err
    summary = summary_of_the_sweep()
    assert [row["overrides"][-1] for row in summary["runs"]] == ["seed=1"]
    assert [overrides[-1] for overrides in summary["failed"]] == ["seed=0"]


def test_several_runs_are_interrupted_together_and_completed_by_what_it_says(
    run_mnist: Start, run_recipe: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, 1, 0)
        stopped = run_mnist("-m", "checkpoint=???,last", "trainer.max_epochs=1,2,3")
    assert stopped.code == 130
    assert "run 5" not in stopped.out
    (row,) = summary_of_the_sweep()["runs"]
    assert row["overrides"][-1] == "trainer.max_epochs=1"
    resume, start = (line.split() for line in stopped.out.splitlines() if line.startswith("  python"))
    assert resume[1:] == ["recipes/mnist.py", f"resume={row['folder'][:-1]}4"]
    resumed = run_recipe("mnist", *resume[2:])
    assert resumed.code == 0, resumed.err
    assert f"left       {' '.join(start)}" in resumed.out
    last = run_recipe("mnist", *start[2:])
    assert last.code == 0, last.err
    assert "left" not in last.out
    assert "3 runs" in last.out
    summary = summary_of_the_sweep()
    assert [row["overrides"][-1] for row in summary["runs"]] == [f"trainer.max_epochs={n}" for n in (1, 2, 3)]
    assert len(summary["failed"]) == 3


def test_several_runs_are_interrupted_between_two(run_mnist: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigconv.train.sweep.picture", lambda _: signal.raise_signal(signal.SIGINT))
    stopped = run_mnist("-m", "trainer.max_epochs=1", "seed=0,1")
    assert stopped.code == 130
    assert "run 1" not in stopped.out
    assert "Interrupted. To complete the runs:\n  python recipes/mnist.py" in stopped.out
    assert "seed=1 hydra.run.dir=" in stopped.out
    (summary,) = Path("runs/mnist").glob("*/summary.json")
    assert len(json.loads(summary.read_text())["runs"]) == 1


def test_help_lists_groups_and_examples(run_mnist: Start) -> None:
    answer = run_mnist("--help")
    assert answer.code == 0
    assert "model: bcresnet, ciresan, cnn, " in answer.out
    assert "python recipes/mnist.py -m seed=0,1,2" in answer.out


def test_other_processes_make_no_folder(run_mnist: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    distributed = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    run_mnist(*distributed, "trainer.max_epochs=1", "checkpoint=frist")
    assert not list(Path("runs").glob("*/*"))


def test_other_processes_leave_it_to_the_first_to_exit_with_an_error_when_terminated(
    run_mnist: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminate(*_: object) -> None:
        raise SIGTERMException

    monkeypatch.setattr("sigconv.train.training.build_trainer", terminate)
    assert run_mnist("trainer=ddp", "trainer.accelerator=cpu").code == 143
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert run_mnist("trainer=ddp", "trainer.accelerator=cpu").code == 0


def test_a_corpus_that_has_changed_is_not_trained_on_further(
    run_mnist: Start, digits: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, 2, 0)
        stopped = run_mnist("trainer.max_epochs=4")
    facts = json.loads((stopped.run.folder / "corpus.json").read_text())
    stopped.run.write_json("corpus.json", facts | {"split_hash": "other"})
    resumed = run_mnist(resume=stopped.run.folder)
    assert resumed.code == 1
    assert "it has changed since" in resumed.err
