"""From the text of an architecture to its layers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

from sigconv.blocks import Fold
from sigconv.errors import UsageError
from sigconv.notation.architecture import SLIDING, Architecture, Layer
from sigconv.window import Sizes, per_axis
from sigconv.words import by_x

EXAMPLE = "1x28x28-20C4-MP2-40C5-MP3-150N-10N"

# As papers print them: dashes of every length, minus and multiplication signs.
_PRINTED = {**dict.fromkeys(range(0x2010, 0x2016), "-"), 0x2212: "-", 0xD7: "x"}
MOST_DIGITS = 9  # what Python and torch say of larger numbers is hard to read
_SIZES = "[0-9]+(?:x[0-9]+)*"
_LAYER = re.compile(f"(?P<maps>[0-9]+)?(?P<kind>[a-wyz]+)(?P<kernel>{_SIZES})?(?:/(?P<stride>{_SIZES}))?")


@dataclass(frozen=True)
class _Form:
    """How a kind of layer is written: an example, and whether it has maps before and a window after its letters."""

    what: str
    example: str
    has_maps: bool
    has_window: bool


_FORMS = {
    "C": _Form("a convolution", "20C5, 20C5x3 or 20C5/2 (maps C kernel / stride)", True, True),
    "L": _Form("a locally connected layer", "20L5, 20L5x3 or 20L5/2 (maps L kernel / stride)", True, True),
    "MP": _Form("maximum pooling", "MP2, MP2x3 or MP3/2 (MP size / stride)", False, True),
    "AP": _Form("average pooling", "AP2, AP2x3 or AP3/2 (AP size / stride)", False, True),
    "GMP": _Form("global maximum pooling", "GMP", False, False),
    "GAP": _Form("global average pooling", "GAP", False, False),
    "N": _Form("a layer of neurons", "150N (the last layer may be N, one for each class)", True, False),
}


def parse(
    layers: str | Architecture,
    input: str | Sequence[int] | None = None,
    *,
    classes: int | None = None,
    ndim: int | None = None,
) -> Architecture:
    """Read an architecture string.

    Args:
        layers: such as "1x28x28-20C4-MP2-40C5-MP3-150N-10N"; an Architecture stands for its string.
        input: "1x28x28" or (1, 28, 28), where ``layers`` does not begin with it. If both are there they must agree.
        classes: how many neurons the last layer has where it is written N, without a number.
        ndim: how many axes to convolve over, the last ones; those before are folded into the channels, so that
            1x40x101 with ndim=1 is 40x101. All axes if None.

    Raises:
        UsageError: naming the layer, what is wrong with it and how it is written.
    """
    if not isinstance(classes, Integral | None):
        raise UsageError(f"classes is {classes!r}; it must be a whole number")
    first, *rest = tokens = [token.strip() for token in str(layers).translate(_PRINTED).split("-")]
    begins_with_input = re.fullmatch("[0-9x]+", first, re.IGNORECASE) is not None
    shape = _agreed(first if begins_with_input else None, input, first, ndim)
    written = rest if begins_with_input else tokens
    if not any(written):
        raise UsageError(f"there are no layers in {str(layers)!r}; an example with six is {EXAMPLE}")
    if written[-1].upper() == "N":
        written = [*written[:-1], _output(classes, f"layer {len(written)}, {written[-1]!r}")]
    parsed: list[Layer] = []
    for number, token in enumerate(written, start=1):
        layer = _parse_layer(token, f"layer {number}, {token!r}", len(shape) - 1)
        if parsed and parsed[-1].gives_vector and layer.kind != "N":
            raise UsageError(
                f"layer {number}, {layer}, receives a vector from layer {number - 1}, {parsed[-1]}; it needs maps, "
                "so only neurons may follow there"
            )
        parsed.append(layer)
    return Architecture(shape, tuple(parsed))


def _parse_layer(token: str, owner: str, ndim: int) -> Layer:
    match = _LAYER.fullmatch(token.lower())
    kind = match["kind"].upper() if match else ""
    if match is None or kind not in _FORMS:
        raise UsageError(
            f"{owner}, is not a layer; there are 20C5 (convolution: maps C kernel), 20L5 (without sharing), "
            f"MP2 and AP2 (pooling), GMP and GAP (global pooling) and 150N (neurons), as in {EXAMPLE}"
        )
    form = _FORMS[kind]
    has_stray_stride = match["stride"] and not match["kernel"]
    if (bool(match["maps"]), bool(match["kernel"])) != (form.has_maps, form.has_window) or has_stray_stride:
        raise UsageError(f"{owner}, is not a layer: {form.what} is written {form.example}")
    maps = _number(match["maps"]) if form.has_maps else None
    if maps == 0:
        raise UsageError(f"{owner}: 0 {'neurons' if kind == 'N' else 'maps'}; there must be at least 1")
    if not form.has_window:
        return Layer(kind, maps)
    kernel = per_axis(_numbers(match["kernel"]), ndim, 1, "kernel", owner)
    usual = (1,) * ndim if kind in SLIDING else kernel
    stride = per_axis(_numbers(match["stride"]), ndim, 1, "stride", owner) if match["stride"] else usual
    return Layer(kind, maps, kernel, stride)


def _output(classes: int | None, owner: str) -> str:
    if classes is None:
        raise UsageError(f"{owner}: as many neurons as there are classes, which is not known here; write it, as in 10N")
    return f"{classes}N"


def _agreed(written: str | None, given: str | Sequence[int] | None, first: str, ndim: int | None) -> Sizes:
    """The input's shape after folding, from the string, from the argument, or from both."""
    shapes = [parse_input(value) for value in (written, given) if value is not None]
    if ndim is not None:
        shapes = [Fold(ndim).folded(shape) for shape in shapes]
    if not shapes:
        raise UsageError(
            f"the string begins with {first!r}, which is not an input; begin with one, as in {EXAMPLE}, or give it "
            'apart: input="1x28x28"'
        )
    if shapes[0] != shapes[-1]:
        raise UsageError(
            f"the string begins with the input {by_x(shapes[0])} but input={by_x(shapes[1])} is given; "
            "leave it out of the string, or make them equal"
        )
    return shapes[0]


def parse_input(value: str | Sequence[int]) -> Sizes:
    """(1, 28, 28) from "1x28x28", or from itself. Raises UsageError where it is not channels x sizes."""
    text = by_x(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
    plain = text.translate(_PRINTED).strip().lower()
    if re.fullmatch(f"[0-9]+x{_SIZES}", plain) and all(shape := _numbers(plain)):
        return shape
    raise UsageError(
        f"the input {text!r} must be channels x sizes, a size of 1 or more for each axis: 1x28x28 is a picture, "
        "1x16000 a waveform, 1x75x40x80 a video, 1x784 a vector"
    )


def _numbers(text: str) -> Sizes:
    return tuple(map(_number, text.split("x")))


def _number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise UsageError(
            f"the number {digits:.20} has {len(digits)} digits; in layers and inputs there are at most {MOST_DIGITS}"
        )
    return int(digits)
