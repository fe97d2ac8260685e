"""In which processes a run trains, whatever the job of a cluster says in which it was started."""

from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, ListConfig

from sigconv.errors import UsageError


def is_first_process() -> bool:
    return rank_zero_only.rank == 0  # type: ignore[attr-defined]


def be_first_if_alone(config: DictConfig) -> None:
    """Makes this the first process of a run that has no other, where Lightning has taken a number from the job."""
    if _is_alone(config.trainer):
        rank_zero_only.rank = 0  # type: ignore[attr-defined]


def cluster_environment(config: DictConfig) -> ClusterEnvironment | None:
    """A plugin by which Lightning neither counts a lone process among others, nor saves and requeues a job of SLURM.

    None where its own choice does neither. Raises UsageError for a job in which Lightning cannot run.
    """
    if _is_alone(config.trainer):
        return LightningEnvironment()
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return None
    try:
        return SLURMEnvironment(auto_requeue=False)
    except RuntimeError as error:
        raise UsageError(f"Lightning refuses this job of SLURM: {error}") from error


def _is_alone(trainer: DictConfig) -> bool:
    """Whether a trainer with these settings is one process."""
    devices = trainer.get("devices")
    one = len(devices) == 1 if isinstance(devices, ListConfig) else devices == 1
    return one and "strategy" not in trainer and trainer.get("num_nodes", 1) == 1
