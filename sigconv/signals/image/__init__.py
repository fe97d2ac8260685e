"""Pictures: augmentation and standardisation, from torch alone; and reading digits from photographs."""

from sigconv.signals.image.permute import Permuted
from sigconv.signals.image.standardise import Standardise
from sigconv.signals.image.warp import RandomWarp
from sigconv.signals.image.width import WidthNormalised

__all__ = ["Permuted", "RandomWarp", "Standardise", "WidthNormalised"]
