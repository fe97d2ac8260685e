"""Vectors combined with constants: the transforms of tiles, as straight-line code for each of their matrices."""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from sigconv.kernels.compiled.emit import (
    ALIGN,
    each_case,
    fused_multiply_add,
    number_at,
    parts,
    repeat,
    tuple_parts,
    vector_at,
)
from sigconv.kernels.compiled.windows import LANES
from sigconv.kernels.winograd.matrices import FINITE_POINTS, PLACES, factors, matrices

_CHOICES = [(points, places) for points, choices in PLACES.items() for places in choices]

_MATRICES: list[np.ndarray] = []


def _numbered(matrix: np.ndarray) -> int:
    _MATRICES.append(matrix)
    return len(_MATRICES) - 1


OF_INPUT = {points: _numbered(matrices(points, 1).input) for points in FINITE_POINTS}
"""The number of the transform of a tile of the input, by its points."""

OF_WEIGHT = {choice: _numbered(matrices(*choice).weight) for choice in _CHOICES}
"""The same for windows, by points and places."""

OF_OUTPUT = {choice: _numbered(matrices(*choice).output) for choice in _CHOICES}
"""The same from values at the points to a tile of the output."""

OF_ERROR = {choice: _numbered(matrices(*choice).output.T) for choice in _CHOICES}
"""The same for a tile of the output's gradient."""

OF_SUM = {choice: _numbered(matrices(*choice).weight.T) for choice in _CHOICES}
"""The same from sums over all tiles to the window's gradient."""


@intrinsic
def combine(typing: Any, transform: Any, to: Any, source: Any, numbers: Any, zeros: Any) -> Any:
    """Multiply rows of ``source`` by the transform of this number, and store the result in the rows of ``to``.

    ``to`` is (array, begin, step): row i begins at begin + i step. ``source`` is (array, begin, length, row, first):
    row j begins at begin + length row[first + j], or is ``zeros`` where that entry of ``row`` is negative. Each row has
    ``numbers`` elements, at least LANES. Arrays are contiguous and one-dimensional.
    """
    intp = types.intp

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        transform, target, rows, numbers, blank = parts(context, builder, signature.args, arguments)
        out, to_begin, to_step = tuple_parts(context, builder, signature.args[1], target)
        seen, begin, length, row, first = tuple_parts(context, builder, signature.args[2], rows)
        for number in each_case(builder, transform, range(len(_MATRICES))):
            matrix, sources = _MATRICES[number], []
            for j in range(matrix.shape[1]):
                place = number_at(builder, row, builder.add(first, first.type(j)))
                here = builder.gep(seen, [builder.add(begin, builder.mul(place, length))])
                sources.append(builder.select(builder.icmp_signed("<", place, place.type(0)), blank, here))
            steps = (builder.mul(to_step, to_step.type(i)) for i in range(matrix.shape[0]))
            outs = [builder.gep(out, [builder.add(to_begin, step)]) for step in steps]
            _combined(builder, matrix, outs, sources, numbers)
        return context.get_dummy_value()

    array, _, _ = to
    where, _, _, row, _ = source
    kinds = types.Tuple((array, intp, intp)), types.Tuple((where, intp, intp, row, intp))
    return types.void(intp, *kinds, intp, zeros), generate


def _combined(builder: Any, matrix: np.ndarray, outs: list[Any], rows: list[Any], numbers: Any) -> None:
    """A loop over vectors, the last of which overlaps the one before."""
    last = builder.sub(numbers, numbers.type(LANES))

    def combine_one(start: Any, _: list[Any]) -> list[Any]:
        at = builder.select(builder.icmp_signed(">", start, last), last, start)
        values = [builder.load(vector_at(builder, row, at), align=ALIGN) for row in rows]
        for factor in reversed(factors(matrix)):
            values = [_weighted(builder, weights, values) for weights in factor]
        for value, out in zip(values, outs, strict=True):
            builder.store(value, vector_at(builder, out, at), align=ALIGN)
        return []

    repeat(builder, numbers.type(0), numbers, LANES, [], combine_one)


def _weighted(builder: Any, weights: np.ndarray, vectors: list[Any]) -> Any:
    """The sum of the vectors times constants; constants of 1 come first, since the first one then needs no product."""
    total = None
    for weight, vector in sorted(zip(weights, vectors, strict=True), key=lambda pair: pair[0] != 1):
        if weight == 0:
            continue
        if total is None:
            total = vector if weight == 1 else builder.fmul(vector, vector.type([weight] * LANES))
        elif abs(weight) == 1:
            total = builder.fadd(total, vector) if weight == 1 else builder.fsub(total, vector)
        else:
            total = fused_multiply_add(builder, vector, vector.type([weight] * LANES), total)
    return total
