"""Random networks of the architecture language, for Hypothesis."""

from hypothesis import strategies as st

from sigconv.notation.architecture import Architecture, Layer

LONGEST = {1: 40, 2: 14, 3: 9}  # samples along each axis


@st.composite
def architectures(draw: st.DrawFn, vector: bool | None = None) -> Architecture:
    """A network that fits in 1 to 3 dimensions without padding; ``vector`` says what it ends in."""
    ndim = draw(st.integers(1, 3))
    small = st.integers(1, 3)
    size = tuple(draw(st.lists(st.integers(4, LONGEST[ndim]), min_size=ndim, max_size=ndim)))
    left, layers = size, []
    for _ in range(draw(st.integers(0 if vector else 1, 4))):
        kernel = tuple(draw(st.integers(1, min(n, 4))) for n in left)
        stride = tuple(draw(small) for _ in left)
        kind = draw(st.sampled_from(["C", "C", "MP", "AP"]))
        layers.append(Layer(kind, draw(small) if kind == "C" else None, kernel, stride))
        left = tuple((n - k) // s + 1 for n, k, s in zip(left, kernel, stride, strict=True))
    if vector or (vector is None and draw(st.booleans())):
        layers += draw(st.sampled_from([[], [Layer("GMP")], [Layer("GAP")]]))
        layers += [Layer("N", draw(st.integers(1, 5))) for _ in range(draw(st.integers(1, 2)))]
    return Architecture((draw(small), *size), tuple(layers))


paddings = st.sampled_from(["valid", "same", "causal", 1, (0, 2)])
