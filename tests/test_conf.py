"""Every file in conf/ is composed and made into what it describes."""

from functools import cache
from inspect import signature
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from lightning import Trainer
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from sigconv.errors import UsageError
from sigconv.train.instantiate import instantiate
from sigconv.train.network import build_network
from sigconv.train.options import check_options

CONF = Path(__file__).parents[1] / "conf"
RECIPES = [path.stem for path in CONF.glob("*.yaml") if path.stem not in ("base", "speech")]  # what several share
OPTIONS = {group.name: sorted(path.stem for path in group.glob("*.yaml")) for group in CONF.iterdir() if group.is_dir()}
# What has no default, or does not go with it.
GIVEN = {
    "data=folder": ("data.root=mine",),
    "data=video_folder": ("data.root=mine",),
    "data=lrw": ("data.source=lrw",),
    "mouth=yunet": ("mouth.model=yunet.onnx",),
    "features=waveform": ("model=m5", "augment=waveform"),
    "model=m5": ("features=waveform", "augment=waveform"),
}
EVERYWHERE = {"cnn", "lenet", "mlp", "mlp_small", "neocognitron", "none", "resnet", "resnet_preactivation"}
PICTURES = {
    "optim": OPTIONS["optim"],
    "trainer": OPTIONS["trainer"],
    "data": ["casia", "glyphs", "mnist"],
    "features": ["one_width", "permuted", "standardise"],
    "augment": ["affine", "elastic", "none"],
    "model": [
        "ciresan",
        "cnn",
        "lecun1989",
        "lenet",
        "lenet5",
        "mlp",
        "mlp_small",
        "neocognitron",
        "resnet_preactivation",
    ],
    "experiment": ["chinese", "deformation", "mcdnn", "mnist_best", "permuted_pixels", "sharing", "shift"],
}
LIPS = {
    "data": ["grid", "lrw", "drawn", "video_folder"],
    "mouth": OPTIONS["mouth"],
    "task": OPTIONS["task"],
    "features": ["clip_norm"],
    "augment": ["lips", "none"],
    "model": ["lips_cnn", "lipnet", "lipresnet", "lipresnet_small", "r2plus1d", "resnet"],
}
SPEECH = {
    group: [
        option
        for option in options
        if option not in (set(PICTURES.get(group, [])) | set(LIPS.get(group, []))) - EVERYWHERE
    ]
    for group, options in OPTIONS.items()
}
# The recipes of speech share all but their features, and every network takes these.
FITTING = {"mnist": PICTURES, "lips": LIPS, "speech_spectrogram": SPEECH, "speech_waveform": {}}


def fitting(recipe: str, group: str) -> list[str]:
    """The options of a group that make sense in a recipe."""
    return sorted(FITTING[recipe].get(group, []))


CHOICES = [(recipe, group, option) for recipe in RECIPES for group in OPTIONS for option in fitting(recipe, group)]


@cache
def composed(*overrides: str, recipe: str = "mnist") -> DictConfig:
    given = [words for choice in overrides for words in GIVEN.get(choice, ())]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(recipe, [*overrides, *given])


def raw_signal(config: DictConfig) -> Tensor:
    """(*shape), of the kind that the data in the config is."""
    if "mouth" in config:
        frames = round(config.data.rate * (config.data.seconds or 0.4))
        return torch.randint(1, 256, (1, frames, config.mouth.height, config.mouth.width), dtype=torch.uint8)
    if "rate" not in config.data:
        side = 28 if "mnist" in config.data.prepare else 48
        return torch.randint(256, (1, side, side), dtype=torch.uint8)
    seconds = config.data.seconds or 0.14
    return torch.randint(-3000, 3000, (1, round(config.data.rate * seconds)), dtype=torch.int16)


def build(config: DictConfig, classes: int = 10) -> tuple[nn.Module, nn.Module, Tensor]:
    """Features, network and a batch of raw signals, which both have taken."""
    signal = raw_signal(config)
    sequence = config.get("sequence", False)
    features, model = build_network(config, signal, classes, sequence=sequence)
    batch = torch.stack([signal, signal.flip(-1)])
    assert model(features(batch)).shape == (2, classes, *signal.shape[1 : 1 + sequence])
    return features, model, batch


@pytest.mark.parametrize(("recipe", "group", "option"), CHOICES)
def test_every_option_is_made_in_each_recipe_that_it_fits(recipe: str, group: str, option: str) -> None:
    config = composed(f"{group}={option}", recipe=recipe)
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    for data in [config.data, *([config.cross_corpus] if "cross_corpus" in config else [])]:
        function = get_object(data.prepare)
        options = {name: data[name] for name in signature(function).parameters if name in data}
        signature(function).bind(**options)
        assert set(data) - set(options) <= {"prepare", "rate", "seconds", "mean", "std"}  # those of the recipes
        check_options(function, options, str)
    if group in ("data", "features", "model", "augment", "mouth", "task", "experiment"):
        features, _, batch = build(config)
        for stage in ("signal", "features"):
            if config.augment[stage] is not None:
                batch = features(batch) if stage == "features" else batch
                changed = instantiate(config.augment[stage]).train()(batch)
                assert changed.shape == batch.shape
                assert changed.is_floating_point()
    if group == "optim":
        weights = [nn.Parameter(torch.zeros(3))]
        optimizer = instantiate(config.optim.optimizer)(weights)
        schedule = instantiate(config.optim.schedule)(optimizer, total_steps=10)
        for _ in range(9):
            optimizer.step()
            schedule.step()
        assert optimizer.param_groups[0]["lr"] < config.optim.lr / 100


@pytest.mark.parametrize("features", fitting("speech_spectrogram", "features"))
def test_every_network_takes_all_features(features: str) -> None:
    """Or says why not: two axes where there is one, or a number of bands that cannot be cut."""
    config = composed(f"features={features}", "data.seconds=0.5", recipe="speech_spectrogram").copy()
    refused = []
    for model in fitting("speech_spectrogram", "model"):
        config.model = composed(f"model={model}", recipe="speech_spectrogram").model
        try:
            build(config, classes=7)
        except UsageError:
            refused.append(model)
    expected = {"spectrogram": ["bcresnet"], "waveform": ["bcresnet", "res15", "speech_cnn"]}
    assert refused == expected.get(features, [])


@pytest.mark.parametrize("model", ["lipnet", "lipresnet_small", "r2plus1d"])
def test_lips_can_be_read_without_future_frames(model: str) -> None:
    given = ("model.causal=true", "features=standardise", "features.mean=0.5", "features.std=0.25")  # the README's
    config = composed("task=sentences", f"model={model}", *given, "data.seconds=0.4", recipe="lips")
    features, network, batch = build(config)
    changed = batch.clone()
    changed[:, :, 6:] = 0
    before, after = (network.eval()(features(videos)) for videos in (batch, changed))
    torch.testing.assert_close(before[..., :6], after[..., :6])
    assert not torch.allclose(before[..., 6:], after[..., 6:])


@pytest.mark.parametrize("option", OPTIONS["trainer"])
def test_every_trainer_is_made(option: str) -> None:
    config = composed(f"trainer={option}", "trainer.accelerator=cpu", "trainer.devices=1")
    assert isinstance(Trainer(**config.trainer, logger=False, enable_checkpointing=False), Trainer)


@pytest.mark.parametrize("data", ["fsdd", "audiomnist", "speech_commands"])
def test_corpora_are_crossed_at_their_own_settings(data: str) -> None:
    config = composed("data=fsdd", f"cross_corpus={data}", recipe="speech_spectrogram")
    alone = composed(f"data={data}", recipe="speech_spectrogram").data
    assert {**config.cross_corpus, "words": None} == {**alone, "words": None}
    assert config.features.spectrum.rate == 8000  # that of the corpus to train on
    assert "cross_corpus" not in composed(recipe="speech_spectrogram")


def test_every_recipe_has_its_config_and_every_config_its_recipe() -> None:
    recipes = {path.stem for path in (CONF.parent / "recipes").glob("*.py")}
    assert recipes == set(RECIPES)
    assert all(composed(recipe=name).recipe == name for name in RECIPES)


def test_every_option_fits_some_recipe() -> None:
    for group, options in OPTIONS.items():
        assert set(options) == {option for recipe in RECIPES for option in fitting(recipe, group)}


def test_the_deep_plain_network_is_that_of_the_paper() -> None:
    """Ciresan et al. 2010, table 1: 12.11 million weights for 841-2500-2000-1500-1000-500-10, in pictures of 29x29."""
    network = instantiate(composed("model=mlp").model, input=(1, 29, 29), classes=10)
    assert sum(weight.numel() for weight in network.parameters()) == 12_115_010


def test_swapping_the_trainer_keeps_the_length_of_the_training() -> None:
    for recipe in RECIPES:
        assert len({composed(f"trainer={name}", recipe=recipe).trainer.max_epochs for name in OPTIONS["trainer"]}) == 1
