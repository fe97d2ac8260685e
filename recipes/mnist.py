"""Handwritten digits: `python recipes/mnist.py` trains, tests and reports; `--help` tells what can be changed."""

from pathlib import Path

from omegaconf import DictConfig

from data_prep.mnist import prepare
from sigconv.train.build import build_classification, build_data, build_trainer
from sigconv.train.console import say
from sigconv.train.finish import finish, take_best
from sigconv.train.launch import one_at_a_time, recipe
from sigconv.train.run import Run


@recipe(conf=Path(__file__).parents[1] / "conf")
def main(config: DictConfig, run: Run) -> None:
    with one_at_a_time(config.data.root):
        corpus = prepare(config.data.root, config.data.source)
    data = build_data(config, corpus)
    task = build_classification(config, corpus)
    trainer = build_trainer(config, run, corpus)

    say(f"run        {run.folder}")
    say(f"data       {corpus.info.name}, {', '.join(f'{n:,} {split}' for split, n in corpus.info.counts.items())}")
    say(f"network    {config.model.layers}, {task.weights:,} weights")
    trainer.fit(task, data, ckpt_path=run.checkpoint, weights_only=True)
    take_best(task, trainer)
    trainer.test(task, data, verbose=False)
    finish(run, task, trainer, corpus)


if __name__ == "__main__":
    main()
