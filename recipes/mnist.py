"""Handwritten digits: `python recipes/mnist.py` trains, tests and reports; `--help` lists the options."""

from pathlib import Path

from omegaconf import DictConfig

from sigconv.train.launch import recipe
from sigconv.train.run import Run


@recipe(conf=Path(__file__).parents[1] / "conf")
def main(config: DictConfig, run: Run) -> None:
    from sigconv.train.finish import finish
    from sigconv.train.prepare import prepare_corpus
    from sigconv.train.training import train

    corpus = prepare_corpus(config, run)
    task, trainer = train(config, run, corpus)
    finish(run, task, trainer, corpus)


if __name__ == "__main__":
    main()
