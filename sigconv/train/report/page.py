"""`report.html`: what a run did and learned, in one self-contained file."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from markupsafe import Markup
from omegaconf import OmegaConf

from sigconv.train.classification import Classification
from sigconv.train.data import CorpusData
from sigconv.train.network import output_shape
from sigconv.train.report import classes, pictures, transcripts
from sigconv.train.report.learned import filter_sections, layers_sections, response_sections
from sigconv.train.report.section import Section, page, part
from sigconv.train.run import Run
from sigconv.train.task import Task
from sigconv.train.transcription import Transcription
from sigconv.words import plural

CARDS: Mapping[type[Task], ModuleType] = {Classification: classes, Transcription: transcripts}


def write_report(
    run: Run, task: Task, data: CorpusData, metrics: Mapping[str, Any], environment: Mapping[str, Any]
) -> None:
    """Writes `report.html` into the run's folder.

    Args:
        task: after its test, in evaluation mode.
        data: what it was tested on.
        metrics, environment: the contents of the files of these names.
    """
    corpus, cards = data.corpus, CARDS[type(task)]
    seen = output_shape(task.features, data.example)
    outputs = output_shape(task.model, torch.zeros(seen))
    headline = cards.headline(metrics)
    sections = [
        Section("Training", part("plots", pictures.curves(metrics["epochs"])), size="wide"),
        *cards.results(metrics, corpus),
        *layers_sections(run.config.model, seen, outputs[0]),
        *filter_sections(task.model, seen),
        *response_sections(task.features, task.model, seen, corpus.info),
        *cards.examples(task, data, metrics),
        environment_section(environment),
        Section("Config", Markup('<pre class="columns">{}</pre>').format(OmegaConf.to_yaml(run.config))),
    ]
    name = corpus.info.name
    facts = cards.facts(metrics) | _training_facts(metrics)
    html = page(headline, name, f"{name} · {run.folder}", facts, run.command, sections)
    run.write_text("report.html", html)


def _training_facts(metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        "training": f"{metrics['train_seconds']:.1f} s, {plural(len(metrics['epochs']), 'epoch')}",
        "weights": f"{metrics['weights']:,}",
    }


def environment_section(environment: Mapping[str, Any]) -> Section:
    rows = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {part}" for key, part in value.items() if part is not None)
        rows.append((name.replace("_", " "), value))
    return Section("Environment", part("table", (), rows, kind="facts"))
