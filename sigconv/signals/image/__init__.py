"""Pictures: augmentation and standardisation, from torch alone; and reading digits from photographs."""

from .permute import Permuted
from .standardise import Standardise
from .warp import RandomWarp
from .width import WidthNormalised

__all__ = ["Permuted", "RandomWarp", "Standardise", "WidthNormalised"]
