"""Random windows, and inputs that they fit into, for property-based tests."""

from dataclasses import dataclass

from hypothesis import assume
from hypothesis import strategies as st

from sigconv.window import Window


@dataclass(frozen=True)
class Drawn:
    window: Window
    size: tuple[int, ...]
    groups: int


@st.composite
def drawn_windows(draw: st.DrawFn, ranks: tuple[int, ...] = (1, 2, 3), half_padded: bool = False) -> Drawn:
    """A window of 1 to 3 places an axis and an input of up to 7 samples; ``half_padded`` is what pooling admits."""
    ndim = draw(st.sampled_from(ranks))

    def per_axis(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    kernel, stride, dilation, size = per_axis(1, 3), per_axis(1, 3), per_axis(1, 2), per_axis(1, 7)
    if half_padded:
        sides = tuple(draw(st.integers(0, k // 2)) for k in kernel)
        padding = tuple((p, p) for p in sides)
    else:
        padding = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(ndim))
    window = Window(kernel, stride, padding, dilation)
    assume(all(m >= 1 for m in window.output_size(size)))
    return Drawn(window, size, draw(st.sampled_from((1, 2))))
