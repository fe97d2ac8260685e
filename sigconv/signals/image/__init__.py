"""Pictures: augmentation and standardisation, from torch alone; and reading digits from photographs."""

from .standardise import Standardise
from .warp import RandomWarp

__all__ = ["RandomWarp", "Standardise"]
