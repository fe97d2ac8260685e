"""A loop's turns, divided among threads.

Numba's own way, prange, turns loops into functions, which takes two to three times as long to compile. Here the loop is
already a function, and only the launcher that Numba uses for prange's functions is called.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.kernels.compiled import runtime

WORD, BYTES = cgutils.intp_t, cgutils.voidptr_t
OPERANDS = [BYTES.as_pointer(), WORD.as_pointer(), WORD.as_pointer(), BYTES]
"""The arguments of a ufunc's inner loop: pointers to operands, numbers of turns, the operands' steps, constant data."""

OF_PART = ir.FunctionType(ir.VoidType(), OPERANDS)
OF_START = ir.FunctionType(ir.VoidType(), [BYTES, *OPERANDS, WORD, WORD, WORD])
"""The launcher's type: it takes a part, its operands, their number of axes, their number, and the number of threads."""


@intrinsic
def in_parallel(typing: Any, loop: Any, count: Any, arguments: Any) -> Any:
    """Run loop(turns, *arguments) in parallel, with ``turns`` each thread's share of range(count).

    ``loop`` is a function :func:`.runtime.called`; an error raised in it is lost.
    """
    operands = types.Tuple(tuple(types.unliteral(kind) for kind in arguments))
    kinds = (types.range_state64_type, *operands)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        compiled = loop.dispatcher.get_compile_result(types.void(*kinds))
        context.add_linking_libs([compiled.library])
        count, arguments = values[1], _borrowed(context, builder, operands, values[2])
        threads = _call(builder, runtime.NUMBER_OF_THREADS, ir.FunctionType(WORD, []), [])
        shared = cgutils.pack_struct(builder, [count, threads, arguments])
        part = _part(context, builder.module, compiled.fndesc, kinds, shared.type)
        first, step, parts, shared = (
            cgutils.alloca_once_value(builder, value) for value in (BYTES(None), WORD(1), threads, shared)
        )
        part, shared = builder.bitcast(part, BYTES), builder.bitcast(shared, BYTES)
        given = [part, first, parts, step, shared, WORD(0), WORD(1), threads]
        _call(builder, runtime.PARALLEL_FOR, OF_START, given)
        return context.get_dummy_value()

    return types.void(loop, types.intp, operands), generate


def _borrowed(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """The same value without the owners of its arrays: threads would wait for each other to count references."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo, array.parent = cgutils.get_null_value(BYTES), cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        items = zip(kind, cgutils.unpack_tuple(builder, value, len(kind)), strict=True)
        return context.make_tuple(builder, kind, [_borrowed(context, builder, *item) for item in items])
    return value


def _call(builder: Any, name: str, kind: Any, arguments: list[Any]) -> Any:
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _part(context: Any, module: Any, loop: Any, kinds: Any, shared: Any) -> Any:
    """A function that runs one part of the turns."""
    part = ir.Function(module, OF_PART, module.get_unique_name(f"part_of_{loop.mangled_name}"))
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
