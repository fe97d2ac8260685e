"""Building blocks of intrinsics: each emits instructions at the current position of LLVM's builder."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target

from sigconv.kernels.compiled.windows import LANES

HAS_AVX512 = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[-1]
"""Whether the processor that Numba compiles for has 32 registers of LANES numbers."""

ALIGN = 4
"""The least alignment of vectors in bytes."""


def parts(context: Any, builder: Any, kinds: Any, values: Any) -> list[Any]:
    """The values, with arrays replaced by pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(kinds, values, strict=True)
    ]


def tuple_parts(context: Any, builder: Any, kind: Any, value: Any) -> list[Any]:
    """The same for the elements of a tuple."""
    return parts(context, builder, kind, cgutils.unpack_tuple(builder, value, len(kind)))


def number_at(builder: Any, array: Any, index: Any) -> Any:
    return builder.load(builder.gep(array, [index]))


def vector_at(builder: Any, array: Any, index: Any) -> Any:
    """A pointer to the vector that begins at an index of an array."""
    pointer = builder.gep(array, [index])
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, LANES).as_pointer())


def spread(builder: Any, kind: Any, number: Any) -> Any:
    """The value of a vector all of whose lanes are one number."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.IntType(32)(0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), everywhere)


def zeros(kind: Any) -> Any:
    return ir.Constant(kind, [0.0] * LANES)


def fused_multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """The value of a b + c."""
    suffix = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[a.type.element]
    kind = ir.FunctionType(a.type, [a.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}{suffix}")
    return builder.call(function, (a, b, c))


def each_case(builder: Any, value: Any, numbers: Iterable[int]) -> Iterator[int]:
    """Yield each number, with the builder in the branch where ``value`` is it; then leave it after all branches."""
    behind = builder.append_basic_block("behind")
    switch = builder.switch(value, behind)
    for number in numbers:
        block = builder.append_basic_block(f"case.{number}")
        switch.add_case(value.type(number), block)
        builder.position_at_end(block)
        yield number
        builder.branch(behind)
    builder.position_at_end(behind)


def repeat(
    builder: Any, first: Any, stop: Any, step: int, starts: Sequence[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """Emit a loop from ``first`` on while below ``stop``, run at least once; the builder is left after it.

    ``body`` emits the next values from the index and the current ones, which begin as ``starts``; returns the last.
    """
    before, loop, behind = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("behind")
    builder.branch(loop)
    builder.position_at_end(loop)
    index, *carried = (builder.phi(start.type) for start in (first, *starts))
    after = body(index, carried)
    following = builder.add(index, index.type(step))
    for phi, start, then in zip((index, *carried), (first, *starts), (following, *after), strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(then, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, stop), loop, behind)
    builder.position_at_end(behind)
    return after
