"""What an architecture string says (:mod:`sigconv.notation` reads it), and the shapes that follow from it."""

from dataclasses import dataclass

from sigconv.errors import UsageError
from sigconv.window import Padding, Sizes, Window
from sigconv.words import by_x

SLIDING = ("C", "L")
"""Kinds of layers whose stride is 1 where none is written, and which may be padded."""


@dataclass(frozen=True)
class Layer:
    """A layer as it is written: ``kind`` is C, L, MP, AP, GMP, GAP or N.

    ``maps`` is None for pooling. ``kernel`` and ``stride`` have a number for each axis; they are None for neurons and
    global pooling, whose window covers their whole input.
    """

    kind: str
    maps: int | None = None
    kernel: Sizes | None = None
    stride: Sizes | None = None

    @property
    def gives_vector(self) -> bool:
        return self.kernel is None

    def __str__(self) -> str:
        text = f"{self.maps or ''}{self.kind}"
        if self.kernel is None or self.stride is None:
            return text
        usual = (1,) * len(self.kernel) if self.kind in SLIDING else self.kernel
        return text + _shortest(self.kernel) + ("" if self.stride == usual else f"/{_shortest(self.stride)}")


@dataclass(frozen=True)
class Stage:
    """A layer in its place in a network: the shape that it receives, and the window that it slides over it.

    ``receives`` and ``gives`` are (maps, \\*size), or (numbers,) for a vector. A layer of neurons is the convolution
    whose window covers its whole input (a vector has one place along each axis), so every kind is computed alike.
    """

    number: int
    layer: Layer
    receives: Sizes
    window: Window

    def __str__(self) -> str:
        return f"layer {self.number}, {self.layer}"

    @property
    def maps(self) -> int:
        return self.layer.maps or self.receives[0]

    @property
    def gives(self) -> Sizes:
        return (self.maps,) if self.layer.gives_vector else (self.maps, *self.window.output_size(self.receives[1:]))


@dataclass(frozen=True)
class Architecture:
    """A network as it is written. ``str`` gives its string, in the shortest form."""

    input: Sizes
    """(channels, \\*size)"""
    layers: tuple[Layer, ...]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.input) - 1

    def __str__(self) -> str:
        return "-".join([by_x(self.input), *map(str, self.layers)])

    def stages(self, padding: Padding = "valid") -> list[Stage]:
        """The layers in their places, where each convolution has this ``padding``.

        Raises UsageError where a window is larger than what it receives.
        """
        stages: list[Stage] = []
        receives = self.input
        for number, layer in enumerate(self.layers, start=1):
            window = Window.parse(
                layer.kernel or receives[1:] or 1,
                layer.stride or 1,
                padding if layer.kind in SLIDING else 0,
                ndim=self.ndim,
                owner=f"layer {number}, {layer}",
            )
            stage = Stage(number, layer, receives, window)
            _check_fit(stage)
            stages.append(stage)
            receives = stage.gives
        return stages


def _shortest(sizes: Sizes) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else by_x(sizes)


def _check_fit(stage: Stage) -> None:
    if min(stage.gives) < 1:
        least = (max(n, 1) for n in stage.window.input_size((1,) * stage.window.ndim))
        raise UsageError(
            f"{stage}, receives {by_x(stage.receives[1:])} but its window needs at least {by_x(least)}; "
            "take a smaller window here, smaller kernels or less pooling before, or pad the convolutions"
        )
