"""From a config to a trained network and its report: what every recipe shares.

A recipe composes its config (`launch`), prepares a corpus, builds data, task and trainer from it (`build`), trains
and tests with Lightning, and writes a run's folder (`run`, `finish`, `report`), which `sigconv.inference` reads.
"""
