"""Sums of products with vectors that lie anywhere in memory: loops that Numba would not keep in registers."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sigconv.kernels.compiled.emit import (
    ALIGN,
    HAS_AVX512,
    each_case,
    fused_multiply_add,
    number_at,
    parts,
    repeat,
    spread,
    vector_at,
    zeros,
)
from sigconv.kernels.compiled.windows import LANES

AT_ONCE = 8 if HAS_AVX512 else 4
"""How many vectors of sums fit into the processor's registers, along with their operands."""


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

    for ``count`` v from ``vector`` on, 1 to AT_ONCE of them; there is at least one n. Arrays are contiguous and
    one-dimensional.
    """
    kinds = (sums, types.intp, to_offset, factors, source, begin, source_offset, *[types.intp] * 4)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, to, to_offset, factors, source, begin, source_offset, first, stop, vector, count = parts(
            context, builder, kinds, arguments
        )
        target = builder.gep(sums, [to])
        for many in each_case(builder, count, range(1, AT_ONCE + 1)):
            vectors = [builder.add(vector, vector.type(v)) for v in range(many)]
            sources = [builder.gep(source, [number_at(builder, source_offset, v)]) for v in vectors]
            totals = _summed(builder, factors, begin, sources, first, stop)
            for v, total in zip(vectors, totals, strict=True):
                place = vector_at(builder, target, number_at(builder, to_offset, v))
                more = builder.fadd(builder.load(place, align=ALIGN), total)
                builder.store(more, place, align=ALIGN)
        return context.get_dummy_value()

    return types.void(*kinds), generate


def _summed(builder: Any, factors: Any, begin: Any, sources: list[Any], first: Any, stop: Any) -> list[Any]:
    """The sums for each of the sources."""
    kind = ir.VectorType(factors.type.pointee, LANES)

    def add(n: Any, totals: list[Any]) -> list[Any]:
        factor, here = spread(builder, kind, number_at(builder, factors, n)), number_at(builder, begin, n)
        seen = [builder.load(vector_at(builder, source, here), align=ALIGN) for source in sources]
        return [fused_multiply_add(builder, factor, x, total) for x, total in zip(seen, totals, strict=True)]

    return repeat(builder, first, stop, 1, [zeros(kind)] * len(sources), add)
