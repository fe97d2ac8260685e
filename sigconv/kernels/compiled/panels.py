"""Products of matrices whose sums stay in registers, TALL rows of WIDE vectors at a time."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.kernels.compiled.emit import (
    ALIGN,
    HAS_AVX512,
    each_case,
    fused_multiply_add,
    number_at,
    repeat,
    spread,
    tuple_parts,
    vector_at,
    zeros,
)
from sigconv.kernels.compiled.runtime import called
from sigconv.kernels.compiled.windows import LANES

TALL = 6
WIDE = 4 if HAS_AVX512 else 1
"""How many vectors of sums fit into the processor's registers, along with their operands."""


@called
def multiply(to, left, right, rows, count, vectors, adds):
    """Put the sum over n < count of left[i, n] right[n, ...] into to[i, ...], for i < rows and all ``vectors``.

    Arrays are contiguous and one-dimensional, each given with its beginning and its steps: ``to`` (array, begin, row),
    ``left`` (array, begin, row, step of n), ``right`` (array, begin, step of n). Rows of ``left`` may lie anywhere:
    then an array of each row's offset from the beginning replaces their step. If ``adds``, what is there is added.
    """
    out, t, t_row = to
    factors, a, a_row, a_step = left
    seen, b, b_step = right
    for v in range(0, vectors, WIDE):
        for i in range(0, rows, TALL):
            there, above = (out, t + i * t_row + v * LANES, t_row), (factors, a, a_row, i, a_step)
            size = min(TALL, rows - i), min(WIDE, vectors - v)
            multiply_panel(there, above, (seen, b + v * LANES, b_step), size, count, adds)


@intrinsic
def multiply_panel(typing: Any, to: Any, left: Any, right: Any, size: Any, count: Any, adds: Any) -> Any:
    """The same for ``size`` rows and vectors, at most TALL and WIDE; ``count`` is at least 1.

    ``left`` is (array, begin, row, the first of the rows, step of n).
    """
    intp = types.intp
    kinds = [types.Tuple(tuple(k if isinstance(k, types.Array) else intp for k in kind)) for kind in (to, left, right)]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *arrays, size, count, adds = arguments
        (out, t, t_row), (factors, a, a_row, first, a_step), (seen, b, b_step) = (
            tuple_parts(context, builder, kind, value) for kind, value in zip(kinds, arrays, strict=True)
        )
        rows, vectors = cgutils.unpack_tuple(builder, size, 2)
        right_begin, chosen = builder.gep(seen, [b]), builder.add(builder.mul(rows, rows.type(WIDE + 1)), vectors)
        sizes = [tall * (WIDE + 1) + wide for tall in range(1, TALL + 1) for wide in range(1, WIDE + 1)]
        for tall, wide in (divmod(number, WIDE + 1) for number in each_case(builder, chosen, sizes)):
            numbers = [first.type(i) for i in range(tall)]
            outs = [_row(builder, out, t, i, t_row) for i in numbers]
            lefts = [_row(builder, factors, a, builder.add(first, i), a_row) for i in numbers]
            sums = _summed(builder, wide, lefts, a_step, right_begin, b_step, count)
            _put(builder, sums, [[_vector(builder, row, v) for v in range(wide)] for row in outs], adds)
        return context.get_dummy_value()

    return types.void(*kinds, types.UniTuple(intp, 2), count, types.boolean), generate


def _row(builder: Any, array: Any, begin: Any, number: Any, steps: Any) -> Any:
    """Where a row begins, by the step from each to the next or by an array of offsets."""
    away = number_at(builder, steps, number) if isinstance(steps.type, ir.PointerType) else builder.mul(steps, number)
    return builder.gep(array, [builder.add(begin, away)])


def _vector(builder: Any, row: Any, number: int) -> Any:
    return vector_at(builder, row, ir.IntType(64)(number * LANES))


def _summed(
    builder: Any, wide: int, factors: list[Any], a_step: Any, right: Any, b_step: Any, count: Any
) -> list[list[Any]]:
    """The sums, a row of ``wide`` vectors for each factor."""
    kind, zero = ir.VectorType(right.type.pointee, LANES), count.type(0)

    def add(n: Any, carried: list[Any]) -> list[Any]:
        a, b, *totals = carried
        here = builder.gep(right, [b])
        seen = [builder.load(_vector(builder, here, v), align=ALIGN) for v in range(wide)]
        more = []
        for i, factor in enumerate(factors):
            everywhere = spread(builder, kind, number_at(builder, factor, a))
            row = zip(seen, totals[i * wide : (i + 1) * wide], strict=True)
            more += [fused_multiply_add(builder, everywhere, x, total) for x, total in row]
        return [builder.add(a, a_step), builder.add(b, b_step), *more]

    _, _, *sums = repeat(builder, zero, count, 1, [zero, zero, *[zeros(kind)] * (len(factors) * wide)], add)
    return [sums[i : i + wide] for i in range(0, len(sums), wide)]


def _put(builder: Any, sums: list[list[Any]], places: list[list[Any]], adds: Any) -> None:
    """Store the sums, or add them to what is there: after the loop, so that long sums consist of shorter ones."""
    with builder.if_else(adds) as (there, new):
        for within, old in ((there, True), (new, False)):
            with within:
                for row, totals in zip(places, sums, strict=True):
                    for place, total in zip(row, totals, strict=True):
                        whole = builder.fadd(builder.load(place, align=ALIGN), total) if old else total
                        builder.store(whole, place, align=ALIGN)
