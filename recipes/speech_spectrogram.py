"""Words from spectrograms: `python recipes/speech_spectrogram.py` trains, tests and reports; `--help` lists options."""

from pathlib import Path

from omegaconf import DictConfig

from sigconv.train.launch import recipe
from sigconv.train.run import Run


@recipe(conf=Path(__file__).parents[1] / "conf")
def main(config: DictConfig, run: Run) -> None:
    from sigconv.train.finish import finish
    from sigconv.train.prepare import prepare_corpus, prepare_cross_corpus
    from sigconv.train.training import train

    corpus = prepare_corpus(config, run)
    other = prepare_cross_corpus(config, corpus)
    task, trainer = train(config, run, corpus)
    finish(run, task, trainer, corpus, other)


if __name__ == "__main__":
    main()
