"""Sums of products with vectors that lie anywhere in memory: loops that Numba would not keep in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from .simd import ALIGN, LANES, fused_multiply_add, parts, spread, vector_at

AT_ONCE = 8 if binding.get_host_cpu_features().get("avx512f") else 4
"""So many vectors of sums fit into the processor's registers, with what goes into them."""


@intrinsic
def add_products(
    typing: Any,
    sums: Any,
    to: Any,
    to_offset: Any,
    factors: Any,
    source: Any,
    begin: Any,
    source_offset: Any,
    first: Any,
    stop: Any,
    vector: Any,
    count: Any,
) -> Any:
    """Add to the vector of ``sums`` at to + to_offset[v] the sum over n from ``first`` to ``stop`` of

        factors[n]  times the vector of ``source`` at begin[n] + source_offset[v]

    for ``count`` v from ``vector`` on, 1 to AT_ONCE of them; of n there is one at least. Arrays are contiguous and of
    one axis.
    """
    kinds = (sums, types.intp, to_offset, factors, source, begin, source_offset, *[types.intp] * 4)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, to, to_offset, factors, source, begin, source_offset, first, stop, vector, count = parts(
            context, builder, kinds, arguments
        )
        target, behind = builder.gep(sums, [to]), builder.append_basic_block("behind")
        switch = builder.switch(count, behind)
        for many in range(1, AT_ONCE + 1):
            block = builder.append_basic_block(f"vectors.{many}")
            switch.add_case(count.type(many), block)
            builder.position_at_end(block)
            vectors = [builder.add(vector, vector.type(v)) for v in range(many)]
            sources = [builder.gep(source, [_number(builder, source_offset, v)]) for v in vectors]
            totals = _summed(builder, factors, begin, sources, first, stop)
            for v, total in zip(vectors, totals, strict=True):
                place = vector_at(builder, target, _number(builder, to_offset, v))
                more = builder.fadd(builder.load(place, align=ALIGN), total)
                builder.store(more, place, align=ALIGN)
            builder.branch(behind)
        builder.position_at_end(behind)
        return context.get_dummy_value()

    return types.void(*kinds), generate


def _summed(builder: Any, factors: Any, begin: Any, sources: list[Any], first: Any, stop: Any) -> list[Any]:
    """The sums for each of the sources, by a loop behind which the builder is left."""
    before, loop, behind = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("summed")
    builder.branch(loop)
    builder.position_at_end(loop)
    kind = ir.VectorType(factors.type.pointee, LANES)
    n, totals = builder.phi(first.type), [builder.phi(kind) for _ in sources]
    factor, here = spread(builder, kind, _number(builder, factors, n)), _number(builder, begin, n)
    seen = [builder.load(vector_at(builder, source, here), align=ALIGN) for source in sources]
    more = [fused_multiply_add(builder, factor, x, total) for x, total in zip(seen, totals, strict=True)]
    following = builder.add(n, n.type(1))
    starts = [first, *[kind([0.0] * LANES)] * len(totals)]
    for phi, start, then in zip([n, *totals], starts, [following, *more], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(then, loop)
    builder.cbranch(builder.icmp_signed("<", following, stop), loop, behind)
    builder.position_at_end(behind)
    return more


def _number(builder: Any, array: Any, index: Any) -> Any:
    return builder.load(builder.gep(array, [index]))
