"""From a config to a trained network and its report: what every recipe shares.

A recipe composes its config (`launch`), prepares a corpus, makes data, task and trainer of it (`build`), trains and
tests with Lightning, and leaves a run's folder (`run`, `finish`, `report`), which is all that `predict` needs.
"""
