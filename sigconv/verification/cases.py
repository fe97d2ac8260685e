"""What is verified: every operation in many geometries, with the torch operator that it must equal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sigconv import functional as ours
from sigconv.geometry import Geometry, PooledGeometry
from sigconv.operations.batch_norm import normalised, normalised_max_pool
from sigconv.operations.conv_max_pool import convolved_max_pool
from sigconv.operations.pooling import rectified_max_pool
from sigconv.window import Window

BATCH, CHANNELS = 2, 2
MANY = 17
"""Channels that fill one vector, plus one: for kernels that take many at a time."""
RANKS = (1, 2, 3)
OF_MEANS = 1080
"""A divisor of means: windows hold products of 1, 2, 3 and (adaptive) 5 samples."""
SIZE = (5, 4, 3)
"""Small, and both odd and even, so that strides leave samples over; with fewer axes the first entries are used."""


@dataclass(frozen=True)
class Case:
    """``function`` must equal ``torch_function``, both of tensors of ``shapes``.

    ``linear_in`` are the groups of operands in which the function is linear (for max pooling: homogeneous), and
    ``divisor`` is a multiple of all that it divides by. A function that is not piecewise ``polynomial`` is never exact,
    and its differences need small steps. ``beside`` is added to the operands' whole numbers where the function has a
    kink at these. One that picks ``winners_of_sums`` is compared to torch on inputs whose sums are exact: with other
    rounding, nearly equal sums may rightly have other winners.
    """

    name: str
    function: Callable[..., Tensor]
    torch_function: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]
    linear_in: tuple[tuple[int, ...], ...]
    divisor: int = 1
    polynomial: bool = True
    beside: tuple[float, ...] = (0.0, 0.0, 0.0)
    winners_of_sums: bool = False


def _torch(name: str, ndim: int) -> Callable[..., Any]:
    return getattr(torch.nn.functional, f"{name}{ndim}d")


def _name(ndim: int, options: dict[str, Any]) -> str:
    return ", ".join([f"{ndim}-D", *(f"{key} {value}" for key, value in options.items())])


def _torch_pad(x: Tensor, pairs: tuple[tuple[int, int], ...], mode: str, value: float | None = None) -> Tensor:
    sides = [side for pair in reversed(pairs) for side in pair]
    return torch.nn.functional.pad(x, sides, mode="constant" if mode == "zeros" else mode, value=value)


def _conv_cases() -> Iterator[Case]:
    windows: tuple[dict[str, Any], ...] = (
        {},
        {"bias": True, "stride": 2, "padding": 1},
        {"stride": 2, "padding": "same"},
        {"padding": "causal", "groups": 2},
        {"padding": 2, "stride": 3, "padding_mode": "reflect"},
        {"padding": "same", "padding_mode": "replicate"},
    )
    for ndim in RANKS:
        for options in windows:
            yield _conv_case(ndim, (3, 2, 2)[:ndim], dict(options))
        yield _conv_case(ndim, (1, 1, 1)[:ndim], {})
        yield _conv_case(ndim, (3, 1, 1)[:ndim], {})
        uneven = {"padding": ((2, 1),) * ndim, "dilation": 2, "groups": 2}
        around = {"padding": ((0, 2),) * ndim, "padding_mode": "circular"}
        yield _conv_case(ndim, (2, 2, 2)[:ndim], uneven)
        yield _conv_case(ndim, (2, 3, 2)[:ndim], around)
        yield _conv_case(ndim, (1, 1, 1)[:ndim], {"stride": 2, "padding": 1})
        for options in (
            {"padding": "same", "dilation": 2},
            {"padding": "causal", "groups": MANY},
            {"padding": ((1, 2),) * ndim, "dilation": 2, "groups": MANY},
            {"stride": 2, "padding": 1, "groups": MANY},
        ):
            yield _conv_case(ndim, (3, 2, 2)[:ndim], dict(options))
        seldom = {"stride": 2, "padding": ((1, 2),) * ndim, "dilation": 2}
        yield _conv_case(ndim, (3, 2, 2)[:ndim], seldom, (CHANNELS, MANY))
    for kernel, options in (
        ((5,), {"padding": "same", "bias": True}),
        ((3, 5), {"padding": "causal", "dilation": 2}),
        ((3, 1, 3), {"padding": "same"}),
    ):
        yield _conv_case(len(kernel), kernel, dict(options), (MANY, MANY))


def _conv_case(
    ndim: int, kernel: tuple[int, ...], options: dict[str, Any], channels: tuple[int, int] = (CHANNELS, 2 * CHANNELS)
) -> Case:
    many = "" if MANY not in channels else f", {channels[0]} to {channels[1]} channels"
    name = f"{_name(ndim, options)}, kernel {kernel}{many}"
    biased = options.pop("bias", False)
    stride, dilation, groups = (options.get(key, 1) for key in ("stride", "dilation", "groups"))
    window = Window.parse(kernel, stride, options.get("padding", 0), dilation)

    def torch_function(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
        padded = _torch_pad(x, window.padding, options.get("padding_mode", "zeros"))
        return _torch("conv", ndim)(padded, w, bias, stride, 0, dilation, groups)

    source, maps = (MANY, MANY) if groups == MANY else channels
    batch = 1 if source == MANY else BATCH
    shapes: tuple[tuple[int, ...], ...] = ((batch, source, *SIZE[:ndim]), (maps, source // groups, *kernel))
    if biased:
        return Case(name, partial(ours.conv, **options), torch_function, (*shapes, (maps,)), ((1, 2),))
    return Case(name, partial(ours.conv, **options), torch_function, shapes, ((0,), (1,)))


def _conv_transpose_cases() -> Iterator[Case]:
    for ndim in RANKS:
        kernel = (3, 2, 2)[:ndim]
        windows: tuple[dict[str, Any], ...] = (
            {},
            {"stride": 2, "padding": 1, "output_padding": 1},
            {"stride": 3, "groups": 2},
            {"dilation": 2, "padding": 1, "stride": 2},
            {"dilation": 3, "output_padding": 2},
        )
        for options in windows:
            yield Case(
                _name(ndim, options),
                partial(ours.conv_transpose, **options),
                partial(_torch("conv_transpose", ndim), **options),
                ((BATCH, CHANNELS, *(4, 3, 2)[:ndim]), (CHANNELS, CHANNELS, *kernel)),
                ((0,), (1,)),
            )


def _max_pool_cases() -> Iterator[Case]:
    for ndim in RANKS:
        chosen = [(options, (BATCH, CHANNELS)) for options in MAX_POOL_WINDOWS]
        chosen += [(MAX_POOL_WINDOWS[0], (1, MANY)), (MAX_POOL_WINDOWS[2], (1, MANY))]
        for options, batch in chosen:
            yield _pool_case(ndim, options, ours.max_pool, partial(_torch("max_pool", ndim), **options), batch)
        padding = ((1, 0), (0, 2), (2, 1))[:ndim]

        def padded(x: Tensor, ndim: int = ndim, padding: Any = padding) -> Tensor:
            return _torch("max_pool", ndim)(_torch_pad(x, padding, "zeros", float("-inf")), 3, 2)

        yield _pool_case(ndim, {"kernel_size": 3, "stride": 2, "padding": padding}, ours.max_pool, padded)


def _avg_pool_cases() -> Iterator[Case]:
    for ndim in RANKS:
        for options in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 2, "padding": 1},
            {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False, "ceil_mode": True},
            {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
        ):
            torch_function = partial(_torch("avg_pool", ndim), **options)
            yield _pool_case(ndim, options, ours.avg_pool, torch_function, divisor=OF_MEANS)


def _adaptive_cases(name: str, divisor: int = 1) -> Iterator[Case]:
    for ndim in RANKS:
        for size in ((1, 1, 1), (3, 5, 2), (4, 3, 3)):
            options = {"output_size": size[:ndim]}
            torch_function = partial(_torch(name, ndim), **options)
            yield _pool_case(ndim, options, getattr(ours, name), torch_function, divisor=divisor)


def _rectified_cases(normalised: bool) -> Iterator[Case]:
    for ndim in RANKS:
        for options in MAX_POOL_WINDOWS[:3]:
            kernel = options["kernel_size"]
            window = Window.parse(kernel, options.get("stride", kernel), options.get("padding", 0), ndim=ndim)
            shape = (1, MANY, *SIZE[:ndim])
            geometry = Geometry(window, SIZE[:ndim])
            name, affine = f"{ndim}-D, {options}", ((MANY,),) * (2 if normalised else 1)

            def torch_function(x: Tensor, *factors: Tensor, ndim: int = ndim, options: Any = options) -> Tensor:
                if normalised:
                    x = torch.nn.functional.batch_norm(x, None, None, weight=factors[0], bias=factors[1], training=True)
                else:
                    x = x + factors[0].reshape(-1, *[1] * ndim)
                return _torch("max_pool", ndim)(torch.relu(x), **options)

            def function(x: Tensor, *factors: Tensor, geometry: Geometry = geometry) -> Tensor:
                if normalised:
                    return normalised_max_pool(x, factors[0], factors[1], 1e-5, geometry)[0]
                return rectified_max_pool(x, factors[0], geometry)

            linear_in = ((1, 2),) if normalised else ((0, 1),)
            beside = (0.0, 0.3, 0.7) if normalised else (0.0, 0.5)
            shapes = (shape, *affine)
            yield Case(name, function, torch_function, shapes, linear_in, polynomial=not normalised, beside=beside)


def _normalised_cases(rectified: bool) -> Iterator[Case]:
    """Followed by ReLU: without it, sums of the normalised signal cancel, leaving no scale to compare errors to."""
    size = (4, 3, 3)
    for ndim in RANKS:
        for bands in (1, 2):
            shape, factors = (BATCH, CHANNELS, *size[:ndim]), (CHANNELS * bands,)

            def torch_function(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
                apart = x.reshape(len(x), len(weight), -1)
                y = torch.nn.functional.batch_norm(apart, None, None, weight=weight, bias=bias, training=True)
                return torch.relu(y).reshape(x.shape)

            def function(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
                y = normalised(x, weight, bias, 1e-5, rectified=rectified)[0]
                return y if rectified else torch.relu(y)

            name, shapes = f"{ndim}-D, {bands} bands", (shape, factors, factors)
            yield Case(name, function, torch_function, shapes, ((1, 2),), polynomial=False, beside=(0.0, 0.3, 0.7))


def _convolved_cases() -> Iterator[Case]:
    windows: tuple[dict[str, Any], ...] = ({}, {"padding": 1, "stride": 2}, {"padding": 2, "dilation": 2})
    for ndim in RANKS:
        for options, pool in zip(windows, MAX_POOL_WINDOWS, strict=False):
            yield _convolved_case(ndim, options, pool)


def _convolved_case(ndim: int, options: dict[str, Any], pool: dict[str, Any]) -> Case:
    size, kernel = tuple(2 * n for n in SIZE[:ndim]), (2,) * ndim
    pooling = Window.parse(pool["kernel_size"], pool.get("stride", 2), pool.get("padding", 0), ndim=ndim)
    geometry = PooledGeometry(Window.parse(kernel, **options), size, pool=pooling)

    def torch_function(x: Tensor, w: Tensor, shift: Tensor) -> Tensor:
        return _torch("max_pool", ndim)(torch.relu(_torch("conv", ndim)(x, w, shift, **options)), **pool)

    function = partial(convolved_max_pool, geometry=geometry, rectified=True)
    shapes, name = ((1, MANY, *size), (2, MANY, *kernel), (2,)), f"{ndim}-D, {options}, {pool}"
    beside = (0.0, 0.0, 0.5)
    return Case(name, function, torch_function, shapes, ((1, 2),), beside=beside, winners_of_sums=True)


def _pool_case(
    ndim: int,
    options: dict[str, Any],
    function: Callable[..., Any],
    torch_function: Callable[..., Any],
    batch: tuple[int, int] = (BATCH, CHANNELS),
    divisor: int = 1,
) -> Case:
    shape, name = (*batch, *SIZE[:ndim]), f"{_name(ndim, options)}, {batch[1]} channels"
    return Case(name, partial(function, ndim=ndim, **options), torch_function, (shape,), ((0,),), divisor)


MAX_POOL_WINDOWS: tuple[dict[str, Any], ...] = (
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 2, "stride": 1, "dilation": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
)

CASES: dict[str, tuple[Case, ...]] = {
    "conv": tuple(_conv_cases()),
    "conv_transpose": tuple(_conv_transpose_cases()),
    "max_pool": tuple(_max_pool_cases()),
    "avg_pool": tuple(_avg_pool_cases()),
    "rectified_max_pool": tuple(_rectified_cases(normalised=False)),
    "convolved_max_pool": tuple(_convolved_cases()),
    "normalised": tuple(_normalised_cases(rectified=False)),
    "normalised_relu": tuple(_normalised_cases(rectified=True)),
    "normalised_max_pool": tuple(_rectified_cases(normalised=True)),
    "adaptive_max_pool": tuple(_adaptive_cases("adaptive_max_pool")),
    "adaptive_avg_pool": tuple(_adaptive_cases("adaptive_avg_pool", OF_MEANS)),
}
