"""What every classification recipe does with its corpus."""

from lightning import Trainer
from omegaconf import DictConfig

from sigconv.corpus import Corpus
from sigconv.train.build import build_classification, build_data, build_trainer
from sigconv.train.console import say
from sigconv.train.finish import take_best
from sigconv.train.run import Run
from sigconv.train.task import Classification


def train_classifier(config: DictConfig, run: Run, corpus: Corpus) -> tuple[Classification, Trainer]:
    """Trains, or goes on training, what `config` describes, and tests it.

    Raises UsageError where config and corpus do not fit together, or where the training cannot succeed.
    """
    data = build_data(config, corpus)
    task = build_classification(config, data)
    trainer = build_trainer(config, run, corpus)

    say(f"run        {run.folder}")
    say(f"data       {corpus.info.name}, {', '.join(f'{n:,} {split}' for split, n in corpus.info.counts.items())}")
    say(f"network    {network_name(config)}, {task.weights:,} weights")
    trainer.fit(task, data, ckpt_path=run.checkpoint, weights_only=True)
    take_best(task, trainer)
    trainer.test(task, data, verbose=False)
    return task, trainer


def network_name(config: DictConfig) -> str:
    """The architecture string, or the name of the function that makes the network."""
    return config.model.get("layers") or config.model["_target_"].rsplit(".", 1)[-1]
