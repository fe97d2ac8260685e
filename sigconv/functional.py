"""Convolution and pooling along any number of axes, each with its own backward pass.

Signals are (batch, channel, *size) or, unbatched, (channel, *size). The kernel's size determines how many axes ``size``
has (or ``ndim`` does, where the kernel size is one number for all axes). dtypes: float64, float32, bfloat16, float16;
under autocast, convolutions compute in autocast's dtype as torch's do.

Sizes, strides and so on are one number for all axes or one for each; see :meth:`sigconv.window.Window.parse` for what
``padding`` may be. Arguments that do not fit raise UsageError, a ValueError that names the axis and both numbers,
before anything is computed.

What happens in a call of :func:`conv`:

1. The kernel's size and the rest become a :class:`sigconv.window.Window`.
2. :mod:`sigconv.operations.fast_path` looks for the form of these operands, which is their shapes, strides, dtypes and
   so on. If it is known, the function that is remembered for it is called, and nothing else happens.
3. Else the operands are checked, brought into one layout, and padded if not by zeros.
4. :mod:`sigconv.planner.native` tells whether torch computes it and all gradients that are wanted. Then it is
   ``torch.convolution``, with torch's own autograd.
5. Else it is the Function of :mod:`sigconv.operations.trilinear`. That asks :mod:`sigconv.planner.choice` for the
   kernel of this direction, and in its backward pass for those of the other two.

Pooling goes the same way.
"""

import functools
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sigconv import planner
from sigconv.errors import UsageError
from sigconv.geometry import Geometry, transposed_geometry
from sigconv.kernels.problem import autocast_dtype, is_autocast, is_traced
from sigconv.layout import laid_out_for, preferred
from sigconv.operations import check, fast_path
from sigconv.operations.adaptive import AdaptiveSizes, even_windows, parse_sizes
from sigconv.operations.pooling import max_and_winner, max_pool_call, mean_call, window_sum, winner_index
from sigconv.operations.trilinear import derivative
from sigconv.padding import crop, pad, pad_constant, parse_modes
from sigconv.window import Padding, PerAxis, Sizes, Window, per_axis


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    padding_mode: str | Sequence[str] = "zeros",
) -> Tensor:
    """Convolution (as everywhere in the field: cross-correlation).

    Args:
        x: ([batch,] in channels, *size)
        weight: (out channels, in channels / groups, *kernel); its rank gives the number of spatial axes.
        bias: (out channels,)
        padding_mode: "zeros", "reflect", "replicate" or "circular", for all axes or one for each.

    Returns:
        ([batch,] out channels, *output size)

    Raises:
        UsageError: the arguments do not fit; the message names the axis and both numbers.
    """
    check.weight("conv", weight)
    window = Window.parse(tuple(weight.shape[2:]), stride, padding, dilation, owner="conv")
    return convolve(x, weight, bias, window, groups, parse_modes(padding_mode, window.ndim, "conv"), "conv")


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    window: Window,
    groups: int,
    modes: Sequence[str],
    owner: object,
    *,
    innermost: bool = False,
) -> Tensor:
    """:func:`conv` for a window that is already parsed; error messages start with ``owner``.

    The output is channels-last if ``innermost``, whatever the layout of signal and weight.
    """
    x, weight, bias = _autocast(x, weight, bias)  # type: ignore[assignment]
    form = fast_path.form(x, weight, bias, window, groups, modes, innermost)
    if (call := fast_path.known(form)) is not None:
        function, arguments = call
        return function(x, weight, bias, *arguments)
    check.convolution(owner, x, weight, bias, window, groups)
    batched = x if x.ndim == window.ndim + 2 else x.unsqueeze(0)
    batched = preferred(batched) if innermost else laid_out_for(batched, weight)
    ahead = [axis for axis, mode in enumerate(modes) if mode != "zeros"]
    if ahead:
        pairs = [pair if axis in ahead else (0, 0) for axis, pair in enumerate(window.padding)]
        batched, window = pad(batched, pairs, modes, owner), window.without_padding(ahead)
    geometry = Geometry(window, tuple(batched.shape[2:]), groups)
    check.fits(owner, geometry)
    function, arguments = call = fast_path.convolution_call(batched, weight, geometry)
    if batched.ndim == x.ndim and not ahead:
        fast_path.remember(form, call if batched is x else fast_path.laid_out(call))
    y = function(batched, weight, bias, *arguments)
    return y if batched.ndim == x.ndim else y.squeeze(0)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
) -> Tensor:
    """Transposed convolution: the gradient that :func:`conv` with the same weight passes back to its input.

    Args:
        x: ([batch,] in channels, *size)
        weight: (in channels, out channels / groups, *kernel)
        bias: (out channels,)
        output_padding: samples added at the end; a convolution of stride s maps up to s input sizes to the same output
            size, and this selects one of them.

    Returns:
        ([batch,] out channels, *output size), output size = (size - 1) * stride + extent - padding + output_padding
    """
    check.weight("conv_transpose", weight)
    window = Window.parse(tuple(weight.shape[2:]), stride, padding, dilation, owner="conv_transpose")
    extra = per_axis(output_padding, window.ndim, 0, "output_padding", "conv_transpose")
    return convolve_transposed(x, weight, bias, window, extra, groups, "conv_transpose")


def convolve_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    window: Window,
    output_padding: Sizes,
    groups: int,
    owner: object,
) -> Tensor:
    """:func:`conv_transpose` for a window that is already parsed; error messages start with ``owner``."""
    x, weight, bias = _autocast(x, weight, bias)  # type: ignore[assignment]
    check.convolution(owner, x, weight, bias, window, groups, transposed=True)
    check.output_padding(owner, output_padding, window)
    batched = x if x.ndim == window.ndim + 2 else x.unsqueeze(0)
    if is_traced() and planner.is_native_transposed(window, x, weight.shape[1] * groups):
        stated = window.stride, window.even_padding, window.dilation, True, output_padding, groups
        y = crop(torch.convolution(batched, weight, bias, *stated), window.uneven_padding)
    else:
        g = laid_out_for(batched, weight)
        geometry, unseen = transposed_geometry(window, output_padding, tuple(g.shape[2:]), groups)
        check.not_empty(owner, geometry.size)
        y = pad_constant(derivative(None, weight, g, None, geometry), unseen)
        if bias is not None:
            y = y + bias.reshape(-1, *[1] * window.ndim)
    return y if batched.ndim == x.ndim else y.squeeze(0)


def max_pool(
    x: Tensor,
    kernel_size: PerAxis,
    *,
    ndim: int | None = None,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The maximum of each window; the backward pass sends each window's gradient to its winner.

    The first of equal values wins and NaN wins over numbers, as in torch; padding never wins.

    Args:
        x: ([batch,] channel, *size)
        stride: the kernel size if None.
        ceil_mode: whether a last window may reach beyond the input.
        return_indices: also return the winners, as int64 indices into the flattened spatial axes.

    Returns:
        ([batch,] channel, *output size), or a pair of such tensors with ``return_indices``.
    """
    window = Window.parse(
        kernel_size, kernel_size if stride is None else stride, padding, dilation, ndim=ndim, owner="max_pool"
    )
    return pool_max(x, window, ceil_mode, return_indices, "max_pool")


def pool_max(
    x: Tensor, window: Window, ceil_mode: bool, return_indices: bool, owner: object
) -> Tensor | tuple[Tensor, Tensor]:
    """:func:`max_pool` for a window that is already parsed; error messages start with ``owner``."""
    form = None if return_indices else fast_path.pooling_form(x, window, ceil_mode)
    if (call := fast_path.known(form)) is not None:
        function, arguments = call
        return function(x, *arguments)[0]
    if (torchs := _for_compilers("max_pool", window)) is not None:
        check.signal(owner, x, window.ndim)
        stated = window.kernel, window.stride, window.even_padding, window.dilation
        return torchs(x, *stated, ceil_mode=ceil_mode, return_indices=return_indices)
    batched, geometry = _pooled(x, window, ceil_mode, owner)
    function, arguments = call = max_pool_call(batched, geometry)
    if batched.ndim == x.ndim:
        fast_path.remember(form, call)
    best, winner = function(batched, *arguments)
    best = best if batched.ndim == x.ndim else best.squeeze(0)
    if not return_indices:
        return best
    index = winner_index(winner, geometry)
    return best, index if batched.ndim == x.ndim else index.squeeze(0)


def avg_pool(
    x: Tensor,
    kernel_size: PerAxis,
    *,
    ndim: int | None = None,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    Args:
        x: ([batch,] channel, *size)
        stride: the kernel size if None.
        ceil_mode: whether a last window may reach beyond the input; what lies beyond the padding is never counted.
        count_include_pad: whether the zeros of the padding count as samples.
        divisor_override: divide the sums by this number instead.

    Returns:
        ([batch,] channel, *output size)
    """
    window = Window.parse(kernel_size, kernel_size if stride is None else stride, padding, ndim=ndim, owner="avg_pool")
    return pool_avg(x, window, ceil_mode, count_include_pad, divisor_override, "avg_pool")


def pool_avg(
    x: Tensor,
    window: Window,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    owner: object,
) -> Tensor:
    """:func:`avg_pool` for a window that is already parsed; error messages start with ``owner``."""
    if divisor_override == 0 or not isinstance(divisor_override, Integral | None):
        raise UsageError(f"{owner}: divisor_override is {divisor_override!r}; the sums cannot be divided by it")
    form = fast_path.pooling_form(x, window, ceil_mode, count_include_pad, divisor_override)
    if (call := fast_path.known(form)) is not None:
        function, arguments = call
        return function(x, *arguments)
    torchs = _for_compilers("avg_pool", window)
    divisors = () if divisor_override is None else (divisor_override,)  # torch takes none along one axis
    if torchs is not None and not (divisors and window.ndim == 1):
        check.signal(owner, x, window.ndim)
        return torchs(x, window.kernel, window.stride, window.even_padding, ceil_mode, count_include_pad, *divisors)
    batched, geometry = _pooled(x, window, ceil_mode, owner)
    # A sum of float16 numbers may be beyond the largest float16 where their mean is not.
    values = batched.float() if _is_half(x) else batched
    whole = geometry.window == window and (count_include_pad or not window.is_padded)
    if divisor := divisor_override or (window.places if whole else None):
        function, arguments = call = mean_call(values, geometry, divisor)
        if values is x:
            fast_path.remember(form, call)
        mean = function(values, *arguments)
    else:
        mean = window_sum(values, geometry) / _samples_counted(window, geometry, count_include_pad, x.device)
    mean = mean.to(x.dtype)
    return mean if batched.ndim == x.ndim else mean.squeeze(0)


def adaptive_avg_pool(x: Tensor, output_size: int | Sequence[int | None] | None, *, ndim: int | None = None) -> Tensor:
    """The mean of each of ``output_size`` windows that cover the input evenly; 1 is global average pooling.

    Window o of m along an axis of n samples goes from floor(o n / m) to ceil((o + 1) n / m).

    Args:
        x: ([batch,] channel, *size)
        output_size: a size for each axis, None to keep the input's; or one for all axes, if ``ndim`` is given.

    Returns:
        ([batch,] channel, *output_size)
    """
    return adapt_avg(x, parse_sizes(output_size, ndim, "adaptive_avg_pool"), "adaptive_avg_pool")


def adapt_avg(x: Tensor, sizes: AdaptiveSizes, owner: object) -> Tensor:
    """:func:`adaptive_avg_pool` for sizes that are already parsed; error messages start with ``owner``."""
    batched, sizes = _adaptive(x, sizes, owner)
    if torchs := _torchs("adaptive_avg_pool", len(sizes)):
        mean = torchs(batched, sizes)
    else:
        expanded, windows = even_windows(batched.float() if _is_half(x) else batched, sizes, 0.0)
        mean = (window_sum(expanded, windows.geometry) / windows.samples).to(x.dtype)
    return mean if batched.ndim == x.ndim else mean.squeeze(0)


def adaptive_max_pool(
    x: Tensor,
    output_size: int | Sequence[int | None] | None,
    *,
    ndim: int | None = None,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The maximum of each of ``output_size`` windows, which are those of :func:`adaptive_avg_pool`.

    With ``return_indices`` also the winners, as int64 indices into the flattened spatial axes.
    """
    best, winner = adapt_max(x, parse_sizes(output_size, ndim, "adaptive_max_pool"), "adaptive_max_pool")
    return (best, winner) if return_indices else best


def adapt_max(x: Tensor, sizes: AdaptiveSizes, owner: object) -> tuple[Tensor, Tensor]:
    """:func:`adaptive_max_pool` and its winners for sizes that are already parsed; messages start with ``owner``."""
    batched, sizes = _adaptive(x, sizes, owner)
    if torchs := _torchs("adaptive_max_pool", len(sizes)):
        best, winner = torchs(batched, sizes, return_indices=True)
    else:
        expanded, windows = even_windows(batched, sizes, float("-inf"))
        best, winner = max_and_winner(expanded, windows.geometry)
        winner = windows.original_index(winner_index(winner, windows.geometry))
    return (best, winner) if batched.ndim == x.ndim else (best.squeeze(0), winner.squeeze(0))


def _for_compilers(name: str, window: Window) -> Callable[..., Any] | None:
    """:func:`_torchs`, where it supports the window's padding and no kernel is forced."""
    far = any(2 * before > k for before, k in zip(window.even_padding, window.kernel, strict=True))
    return None if window.is_padded_unevenly or far or planner.is_forced() else _torchs(name, window.ndim)


def _torchs(name: str, ndim: int) -> Callable[..., Any] | None:
    """torch's function, for compilers, tracers and exporters: they know it, and it allows symbolic sizes."""
    return getattr(F, f"{name}{ndim}d", None) if is_traced() else None


def _adaptive(x: Tensor, sizes: AdaptiveSizes, owner: object) -> tuple[Tensor, Sizes]:
    check.signal(owner, x, len(sizes))
    batched = x if x.ndim == len(sizes) + 2 else x.unsqueeze(0)
    check.not_empty(owner, tuple(batched.shape[2:]))
    return batched, tuple(n if m is None else m for n, m in zip(batched.shape[2:], sizes, strict=True))


def _pooled(x: Tensor, window: Window, ceil_mode: bool, owner: object) -> tuple[Tensor, Geometry]:
    """The batched signal and the geometry of its pooling, after checking that they fit."""
    check.signal(owner, x, window.ndim)
    batched = x if x.ndim == window.ndim + 2 else x.unsqueeze(0)
    size = tuple(batched.shape[2:])
    geometry = Geometry(window.grown_to_ceil(size) if ceil_mode else window, size)
    check.fits(owner, geometry)
    if not torch.compiler.is_compiling():  # it would specialise symbolic sizes to their current values
        check.no_blind_window(owner, geometry)
    return batched, geometry


def _samples_counted(window: Window, geometry: Geometry, include_padding: bool, device: torch.device) -> Tensor:
    """How many samples of the input, or of it and its padding, each window holds: (*output size)."""
    before = tuple(pair[0] for pair in window.padding)
    end = tuple(n + b for n, b in zip(geometry.size, before, strict=True))
    if include_padding:
        end = tuple(e + after for e, (_, after) in zip(end, window.padding, strict=True))
        before = (0,) * window.ndim
    out = geometry.output_size
    to_end, to_start = window.places_before(end, out, device), window.places_before(before, out, device)
    counts = [e - s for e, s in zip(to_end, to_start, strict=True)]
    return functools.reduce(torch.mul, counts)


def _autocast(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """Under autocast, the tensors in its dtype; like torch it leaves float64 alone."""
    x = tensors[0]
    if x is None or not is_autocast(x):
        return tensors
    return tuple(t.to(autocast_dtype(t)) if t is not None and t.is_floating_point() else t for t in tensors)


def _is_half(x: Tensor) -> bool:
    return x.element_size() < 4
