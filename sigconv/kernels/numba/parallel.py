"""A loop's turns, shared out among threads.

Numba's own way, prange, makes functions of the loops in it, which takes two to three times as long to compile. Here the
loop is a function already, and what Numba starts prange's functions with is called alone.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORD, BYTES = cgutils.intp_t, cgutils.voidptr_t
PART = ir.FunctionType(ir.VoidType(), [BYTES.as_pointer(), WORD.as_pointer(), WORD.as_pointer(), BYTES])
"""Of its arguments the first points to the part's number, and the last is what all parts are given."""

PARALLEL_FOR = ir.FunctionType(
    ir.VoidType(), [BYTES, BYTES.as_pointer(), WORD.as_pointer(), WORD.as_pointer(), BYTES, WORD, WORD, WORD]
)


@intrinsic
def in_parallel(typing: Any, loop: Any, count: Any, arguments: Any) -> Any:
    """loop(turns, *arguments) at the same time for each of the ranges in which as many threads share range(count).

    ``loop`` is a function :func:`.runtime.called`; an error raised in it is lost.
    """
    given = types.Tuple(tuple(types.unliteral(kind) for kind in arguments))
    kinds = (types.range_state64_type, *given)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        compiled = loop.dispatcher.get_compile_result(types.void(*kinds))
        context.add_linking_libs([compiled.library])
        _, count, operands = values
        threads = builder.call(
            cgutils.get_or_insert_function(builder.module, ir.FunctionType(WORD, []), "get_num_threads"), []
        )
        shared = cgutils.pack_struct(builder, [count, threads, operands])
        part = _part(context, builder.module, compiled.fndesc, kinds, shared.type)
        start = cgutils.get_or_insert_function(builder.module, PARALLEL_FOR, "numba_parallel_for")
        number, step = cgutils.alloca_once_value(builder, BYTES(None)), cgutils.alloca_once_value(builder, WORD(1))
        parts = cgutils.alloca_once_value(builder, threads)
        shared = builder.bitcast(cgutils.alloca_once_value(builder, shared), BYTES)
        part = builder.bitcast(part, BYTES)
        builder.call(start, [part, number, parts, step, shared, WORD(0), WORD(1), threads])
        return context.get_dummy_value()

    return types.void(loop, types.intp, given), generate


def _part(context: Any, module: Any, loop: Any, kinds: Any, shared: Any) -> Any:
    """A function that goes through one part of the turns."""
    part = ir.Function(module, PART, module.get_unique_name(f"part_of_{loop.mangled_name}"))
    part.linkage = "internal"
    builder = ir.IRBuilder(part.append_basic_block())
    number = builder.ptrtoint(builder.load(part.args[0]), WORD)
    count, threads, operands = cgutils.unpack_tuple(
        builder, builder.load(builder.bitcast(part.args[3], shared.as_pointer()))
    )
    turns = cgutils.create_struct_proxy(types.range_state64_type)(context, builder)
    turns.start = builder.sdiv(builder.mul(count, number), threads)
    turns.stop = builder.sdiv(builder.mul(count, builder.add(number, WORD(1))), threads)
    turns.step = WORD(1)
    arguments = [turns._getvalue(), *cgutils.unpack_tuple(builder, operands)]
    function = context.declare_function(module, loop)
    context.call_conv.call_function(builder, function, types.void, kinds, arguments)
    builder.ret_void()
    return part
