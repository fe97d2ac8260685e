"""Every file in conf/ is composed and made into what it describes."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning import Trainer
from omegaconf import DictConfig, OmegaConf

from sigconv.train.instantiate import instantiate

CONF = Path(__file__).parents[1] / "conf"
RECIPES = [path.stem for path in CONF.glob("*.yaml") if path.stem != "base"]
OPTIONS = [(path.parent.name, path.stem) for path in sorted(CONF.glob("*/*.yaml"))]


def composed(*overrides: str, recipe: str = "mnist") -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(recipe, list(overrides))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_is_made(group: str, option: str) -> None:
    config = composed(f"{group}={option}")
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    signal = torch.zeros(2, *map(int, config.data.shape.split("x")), dtype=torch.uint8)
    features = instantiate(config.features)(signal)
    network = instantiate(config.model)
    assert network(instantiate(config.augment)(features)).shape == (2, 10)
    optimizer = instantiate(config.optim.optimizer)(network.parameters())
    schedule = instantiate(config.optim.schedule)(optimizer, total_steps=10)
    for _ in range(9):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] < config.optim.lr / 100


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "trainer"])
def test_every_trainer_is_made(option: str) -> None:
    config = composed(f"trainer={option}", "trainer.accelerator=cpu", "trainer.devices=1")
    assert isinstance(Trainer(**config.trainer, logger=False, enable_checkpointing=False), Trainer)


def test_every_recipe_has_its_config_and_every_config_its_recipe() -> None:
    recipes = {path.stem for path in (CONF.parent / "recipes").glob("*.py")}
    assert recipes == set(RECIPES)
    assert all(composed(recipe=name).recipe == name for name in RECIPES)


def test_the_deep_plain_network_is_that_of_the_paper() -> None:
    """Ciresan et al. 2010, table 1: 12.11 million weights for 841-2500-2000-1500-1000-500-10, in pictures of 29x29."""
    network = instantiate(composed("model=mlp", "data.shape=1x29x29").model)
    assert sum(weight.numel() for weight in network.parameters()) == 12_115_010


def test_swapping_the_trainer_keeps_the_length_of_the_training() -> None:
    lengths = {composed(f"trainer={option}").trainer.max_epochs for option in ("cpu", "gpu", "ddp")}
    assert len(lengths) == 1
