"""Trains and tests: what every recipe does with its corpus."""

from lightning import Trainer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from sigconv.corpus import Corpus
from sigconv.errors import UsageError
from sigconv.train.build import build_data, build_task
from sigconv.train.cluster import is_first_process
from sigconv.train.console import say
from sigconv.train.finish import take_kept
from sigconv.train.network import network_name
from sigconv.train.robustness import wanted_changes
from sigconv.train.run import Run
from sigconv.train.task import Task
from sigconv.train.trainer import build_trainer, refused

SPLITTING = ("split", "test", "validation", "speaker")
"""Options of data that decide which examples are tested."""


def train(config: DictConfig, run: Run, corpus: Corpus) -> tuple[Task, Trainer]:
    """Trains, or resumes training, what `config` describes, and tests it.

    Raises UsageError if config and corpus do not fit together, or if the training cannot succeed.
    """
    wanted_changes(config)  # better to report a mistake in them before training
    _remember(run, corpus)
    data = build_data(config, corpus)
    task = build_task(config, data)
    trainer = build_trainer(config, run, task, corpus)

    say(f"run        {run.folder}")
    say(f"data       {corpus.info.name}, {corpus.info.counts_in_words}")
    if cut := data.cut_short():
        long = f"{cut:,} of {sum(corpus.info.counts.values()):,} are longer than data.seconds={config.data.seconds:g}"
        say(f"           {long}: of each, the part is taken in which most happens")
    say(f"network    {network_name(config)}, {task.weights:,} weights")
    if config.init is not None and run.checkpoint is None:
        other = Run.open(config.init)
        taken, tensors = start_from(task, other)
        say(f"           starts from {config.init}: {taken} of {tensors} tensors")
        if others := _split_otherwise(config.data, other.config.data):
            say(f"           which was trained with {others}, perhaps on what is tested here")
    from sigconv.train.compiling import announced_compiling  # imports Numba, which is slow: only after the checks

    try:
        with announced_compiling():
            trainer.fit(task, data, ckpt_path=run.checkpoint, weights_only=True)
    except MisconfigurationException as error:
        raise refused(error) from None
    take_kept(task, trainer)
    trainer.test(task, data, verbose=False)
    return task, trainer


def start_from(task: Task, other: Run) -> tuple[int, int]:
    """Loads those weights of a finished run into `task` that match in name and shape: returns how many, of how many.

    The features' settings and statistics, which are no weights, stay as they are.

    Raises UsageError if none of the network's weights match.
    """
    (weights, _), settings = other.read_model(), dict(task.features.named_buffers(prefix="features"))
    own = {name: value for name, value in task.state_dict().items() if name not in settings}
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    if not any(name.startswith("model.") for name in fitting):
        raise UsageError(f"init={other.folder}: none of its weights has the name and shape of one of this network's.")
    task.load_state_dict(fitting, strict=False)
    return len(fitting), len(own)


def _split_otherwise(data: DictConfig, other: DictConfig) -> str:
    """The options by which `other` splits the same corpus in another way; empty if it does not."""
    if any(data.get(name) != other.get(name) for name in ("prepare", "root")):
        return ""
    return ", ".join(
        f"data.{name}={other[name]}" for name in SPLITTING if name in other and data.get(name) != other[name]
    )


def _remember(run: Run, corpus: Corpus) -> None:
    """Records which corpus the run is trained on; raises UsageError if a resumed run was trained on something else."""
    if run.checkpoint is None:
        if is_first_process():
            run.remember(corpus)
    elif not run.knows(corpus):
        raise UsageError(
            f"{corpus.folder} is not what {run.folder} was trained on so far: it has changed since. Start a new run."
        )
