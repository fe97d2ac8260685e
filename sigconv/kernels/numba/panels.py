"""Products of matrices whose sums stay in registers, TALL rows of WIDE vectors at a time."""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import ALIGN, LANES, fused_multiply_add, spread, tuple_parts, vector_at

TALL = 6
WIDE = 4 if binding.get_host_cpu_features().get("avx512f") else 1
"""So many vectors of sums fit into the processor's registers, with what goes into them."""


@njit(inline="always")
def multiply(to, left, right, rows, count, vectors, adds):
    """The sum over n < count of left[i, n] right[n, ...] into to[i, ...], for i < rows and the numbers of all vectors.

    Arrays are contiguous and of one axis, each with where it begins and its steps: ``to`` (array, begin, row), ``left``
    (array, begin, row, step of n), ``right`` (array, begin, step of n). If it ``adds``, what is there is kept.
    """
    out, t, t_row = to
    factors, a, a_row, a_step = left
    seen, b, b_step = right
    for v in range(0, vectors, WIDE):
        for i in range(0, rows, TALL):
            there, above = (out, t + i * t_row + v * LANES, t_row), (factors, a + i * a_row, a_row, a_step)
            size = min(TALL, rows - i), min(WIDE, vectors - v)
            multiply_panel(there, above, (seen, b + v * LANES, b_step), size, count, adds)


@intrinsic
def multiply_panel(typing: Any, to: Any, left: Any, right: Any, size: Any, count: Any, adds: Any) -> Any:
    """The same for ``size`` rows and vectors, TALL and WIDE at most; ``count`` is 1 at least."""
    intp = types.intp
    kinds = [types.Tuple((array[0], *[intp] * (len(array) - 1))) for array in (to, left, right)]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *arrays, size, count, adds = arguments
        (out, t, t_row), (factors, a, a_row, a_step), (seen, b, b_step) = (
            tuple_parts(context, builder, kind, value) for kind, value in zip(kinds, arrays, strict=True)
        )
        rows, vectors = cgutils.unpack_tuple(builder, size, 2)
        behind, right_begin = builder.append_basic_block("behind"), builder.gep(seen, [b])
        switch = builder.switch(builder.add(builder.mul(rows, rows.type(WIDE + 1)), vectors), behind)
        for tall in range(1, TALL + 1):
            for wide in range(1, WIDE + 1):
                block = builder.append_basic_block(f"panel.{tall}.{wide}")
                switch.add_case(rows.type(tall * (WIDE + 1) + wide), block)
                builder.position_at_end(block)
                outs = [_row(builder, out, t, i, t_row) for i in range(tall)]
                lefts = [_row(builder, factors, a, i, a_row) for i in range(tall)]
                sums = _summed(builder, wide, lefts, a_step, right_begin, b_step, count)
                _put(builder, sums, [[_vector(builder, row, v) for v in range(wide)] for row in outs], adds)
                builder.branch(behind)
        builder.position_at_end(behind)
        return context.get_dummy_value()

    return types.void(*kinds, types.UniTuple(intp, 2), count, types.boolean), generate


def _row(builder: Any, array: Any, begin: Any, number: int, step: Any) -> Any:
    return builder.gep(array, [builder.add(begin, builder.mul(step, step.type(number)))])


def _vector(builder: Any, row: Any, number: int) -> Any:
    return vector_at(builder, row, ir.IntType(64)(number * LANES))


def _summed(
    builder: Any, wide: int, factors: list[Any], a_step: Any, right: Any, b_step: Any, count: Any
) -> list[list[Any]]:
    """The sums, by a loop behind which the builder is left."""
    before, loop, behind = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("summed")
    builder.branch(loop)
    builder.position_at_end(loop)
    kind, zero = ir.VectorType(right.type.pointee, LANES), count.type(0)
    n, a, b = (builder.phi(count.type) for _ in range(3))
    sums = [[builder.phi(kind) for _ in range(wide)] for _ in factors]
    here = builder.gep(right, [b])
    seen = [builder.load(_vector(builder, here, v), align=ALIGN) for v in range(wide)]
    more = []
    for factor, totals in zip(factors, sums, strict=True):
        everywhere = spread(builder, kind, builder.load(builder.gep(factor, [a])))
        more.append([fused_multiply_add(builder, everywhere, x, total) for x, total in zip(seen, totals, strict=True)])
    following = builder.add(n, n.type(1))
    steps = [(n, zero, following), (a, zero, builder.add(a, a_step)), (b, zero, builder.add(b, b_step))]
    for row, then in zip(sums, more, strict=True):
        steps += zip(row, [kind([0.0] * LANES)] * wide, then, strict=True)
    for phi, start, then in steps:
        phi.add_incoming(start, before)
        phi.add_incoming(then, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, behind)
    builder.position_at_end(behind)
    return more


def _put(builder: Any, sums: list[list[Any]], places: list[list[Any]], adds: Any) -> None:
    """Store the sums, or add them to what is there: behind the loop, so that long sums are of shorter ones."""
    with builder.if_else(adds) as (there, new):
        for within, old in ((there, True), (new, False)):
            with within:
                for row, totals in zip(places, sums, strict=True):
                    for place, total in zip(row, totals, strict=True):
                        whole = builder.fadd(builder.load(place, align=ALIGN), total) if old else total
                        builder.store(whole, place, align=ALIGN)
