"""Vectors of LANES numbers that stay in registers, as values of compiled code.

In loops over arrays a compiler must assume that what it writes may be read again, and so it keeps every sum in memory.
These values stay in registers, and each operation on them is one instruction or a few.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from sigconv.kernels.compiled.emit import fused_multiply_add, spread, zeros
from sigconv.kernels.compiled.windows import LANES

_NUMBERS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}
_WHOLE = {types.int32: ir.IntType(32), types.boolean: ir.IntType(1)}


class Vector(types.Type):
    """LANES numbers of one type: float32 or float64, int32, or boolean."""

    def __init__(self, dtype: types.Type) -> None:
        super().__init__(name=f"Vector({dtype})")
        self.dtype = dtype


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, ir.VectorType((_NUMBERS | _WHOLE)[vector.dtype], LANES))


PLACES, MASK = Vector(types.int32), Vector(types.boolean)


def _instruction(build: Callable[..., Any]) -> Callable[..., Any]:
    """What an intrinsic generates, from the builder and the arguments' values."""
    return lambda context, builder, signature, arguments: build(builder, *arguments)


def _pointer(context: Any, builder: Any, array_type: Any, arguments: Any, kind: Any) -> Any:
    """A pointer to a value of this kind; array and index are the first two of the arguments."""
    array, index, *_ = arguments
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The LANES numbers of a contiguous one-dimensional array that begin at ``index``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        pointer = _pointer(context, builder, signature.args[0], arguments, kind)
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Put the vector into a contiguous one-dimensional array, from ``index`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.args[2])
        pointer = _pointer(context, builder, signature.args[0], arguments, kind)
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def item(typing: Any, array: Any, index: Any) -> Any:
    """array[index] of a contiguous one-dimensional array, where the index is known not to be negative."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        return builder.load(_pointer(context, builder, signature.args[0], arguments, kind))

    return array.dtype(array, types.intp), generate


_BYTES = ir.VectorType(ir.IntType(8), LANES)


@intrinsic
def load_places(typing: Any, array: Any, index: Any) -> Any:
    """Like :func:`load`, from bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], arguments, _BYTES)
        return builder.zext(builder.load(pointer, align=1), context.get_value_type(PLACES))

    return PLACES(array, types.intp), generate


@intrinsic
def store_places(typing: Any, array: Any, index: Any, places: Any) -> Any:
    """Like :func:`store`, into bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], arguments, _BYTES)
        builder.store(builder.trunc(arguments[2], _BYTES), pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, places), generate


@intrinsic
def place(typing: Any, number: Any) -> Any:
    """A vector of LANES copies of a whole number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow = context.cast(builder, arguments[0], types.intp, types.int32)
        return spread(builder, context.get_value_type(PLACES), narrow)

    return PLACES(types.intp), generate


@intrinsic
def zero(typing: Any, vector: Any) -> Any:
    """Zeros like ``vector``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return zeros(context.get_value_type(signature.return_type))

    return vector(vector), generate


@intrinsic
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""

    return a(a, b, c), _instruction(fused_multiply_add)


@intrinsic
def add(typing: Any, a: Any, b: Any) -> Any:
    return a(a, b), _instruction(lambda builder, x, y: builder.fadd(x, y))


@intrinsic
def multiply(typing: Any, a: Any, b: Any) -> Any:
    return a(a, b), _instruction(lambda builder, x, y: builder.fmul(x, y))


@intrinsic
def wins(typing: Any, value: Any, best: Any) -> Any:
    """Whether a value is larger, or NaN."""

    def build(builder: Any, x: Any, y: Any) -> Any:
        return builder.or_(builder.fcmp_ordered(">", x, y), builder.fcmp_unordered("uno", x, x))

    return MASK(value, best), _instruction(build)


@intrinsic
def at_most(typing: Any, a: Any, b: Any) -> Any:
    return MASK(a, b), _instruction(lambda builder, x, y: builder.fcmp_ordered("<=", x, y))


@intrinsic
def equal(typing: Any, a: Any, b: Any) -> Any:
    """Whether places are equal."""
    return MASK(a, b), _instruction(lambda builder, x, y: builder.icmp_signed("==", x, y))


@intrinsic
def where(typing: Any, mask: Any, a: Any, b: Any) -> Any:
    return a(mask, a, b), _instruction(lambda builder, m, x, y: builder.select(m, x, y))
