"""What one place of a feature map sees of the network's input."""

from dataclasses import dataclass

from sigconv.window import Sizes, Window


@dataclass(frozen=True)
class ReceptiveField:
    """What one place of a feature map sees of the network's input, per axis.

    ``size`` is in input samples, ``jump`` the input samples between neighbouring places. Araujo, Norris & Sim,
    "Computing receptive fields of convolutional neural networks", Distill 2019.
    """

    size: Sizes
    jump: Sizes

    @classmethod
    def of_input(cls, ndim: int) -> "ReceptiveField":
        return cls((1,) * ndim, (1,) * ndim)

    def through(self, window: Window) -> "ReceptiveField":
        """The receptive field after one more layer."""
        return ReceptiveField(
            tuple(r + (e - 1) * j for r, j, e in zip(self.size, self.jump, window.extent, strict=True)),
            tuple(j * s for j, s in zip(self.jump, window.stride, strict=True)),
        )
