"""Layers for any number of axes: drop-in replacements for torch.nn's, with the same parameters and state_dict.

They are initialised in the same way, too. ``Conv1d``, ``Conv2d``, ``Conv3d`` and so on are the general layer with a
fixed number of axes. The general layer takes it from a kernel size that is a tuple, or from ``ndim``.
"""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sigconv import functional as F
from sigconv.errors import UsageError
from sigconv.operations import check
from sigconv.operations.adaptive import parse_sizes
from sigconv.padding import parse_modes
from sigconv.window import Padding, PerAxis, Sizes, Window, per_axis

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "Conv",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "MaxPool",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class _Ranked(nn.Module):
    """A layer that knows its number of axes: from its class, from ``ndim``, or from a size that is a tuple."""

    rank: ClassVar[int | None] = None

    def _ndim(self, ndim: int | None) -> int | None:
        if self.rank is not None and ndim not in (None, self.rank):
            raise UsageError(f"{type(self).__name__}: has {self.rank} spatial axes, not ndim={ndim}")
        return self.rank if self.rank is not None else ndim


class _Windowed(_Ranked):
    """A layer whose window can be read, and changed after construction, under torch.nn's attribute names."""

    window: Window
    _words: Padding | None = None
    """The padding as it was given, if in words, which hold for any kernel and dilation."""

    def _set_window(
        self, kernel: PerAxis, stride: PerAxis, padding: Padding, dilation: PerAxis = 1, ndim: int | None = None
    ) -> None:
        self.window = Window.parse(kernel, stride, padding, dilation, ndim=self._ndim(ndim), owner=type(self).__name__)
        axes = padding if isinstance(padding, Sequence) else ()  # or the letters of a word
        self._words = padding if any(isinstance(axis, str) for axis in axes) else None

    @property
    def kernel_size(self) -> Sizes:
        return self.window.kernel

    @kernel_size.setter
    def kernel_size(self, value: PerAxis) -> None:
        self._change(kernel=value)

    @property
    def stride(self) -> Sizes:
        return self.window.stride

    @stride.setter
    def stride(self, value: PerAxis) -> None:
        self._change(stride=value)

    @property
    def padding(self) -> Padding:
        """As it was given, if in words; else a number for each axis, or pairs (before, after) if some are uneven."""
        if self._words is not None:
            return self._words
        pairs = self.window.padding
        return pairs if self.window.is_padded_unevenly else tuple(before for before, _ in pairs)

    @padding.setter
    def padding(self, value: Padding) -> None:
        self._change(padding=value)

    def _change(self, **changes: Any) -> None:
        window = self.window
        now: dict[str, Any] = {name: getattr(window, name) for name in ("kernel", "stride", "dilation")}
        self._set_window(**(now | {"padding": self.padding} | changes), ndim=window.ndim)

    def extra_repr(self) -> str:
        window = self.window
        words = [f"kernel_size={window.kernel}, stride={window.stride}"]
        if window.is_padded:
            words.append(f"padding={window.padding}")
        if any(d != 1 for d in window.dilation):
            words.append(f"dilation={window.dilation}")
        return ", ".join(words)


class _Dilated(_Windowed):
    @property
    def dilation(self) -> Sizes:
        return self.window.dilation

    @dilation.setter
    def dilation(self, value: PerAxis) -> None:
        self._change(dilation=value)


class _ConvNd(_Dilated):
    """What convolution and its transpose share: the window, and parameters as torch initialises them."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis,
        padding: Padding,
        dilation: PerAxis,
        groups: int,
        bias: bool,
        ndim: int | None,
        transposed: bool,
        factory: dict[str, Any],
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self._set_window(kernel_size, stride, padding, dilation, ndim)
        for what, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if not isinstance(channels, Integral):
                raise UsageError(f"{name}: {what} is {channels!r}, not a whole number")
            if channels < 1:
                raise UsageError(f"{name}: {what} is {channels}; it must be at least 1")
            check.groups(name, groups, channels, what)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        rows, columns = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = nn.Parameter(torch.empty((rows, columns // groups, *self.window.kernel), **factory))
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels, **factory))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias from U(-1/sqrt(n), 1/sqrt(n)), n the inputs of a neuron: torch's own initialisation."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        words = [f"{self.in_channels}, {self.out_channels}, {super().extra_repr()}"]
        if self.groups != 1:
            words.append(f"groups={self.groups}")
        if self.bias is None:
            words.append("bias=False")
        return ", ".join(words)


class Conv(_ConvNd):
    """Convolution, :func:`sigconv.functional.conv`; ([batch,] in_channels, *size) -> ([batch,] out_channels, *size).

    Args:
        padding: a number, a (before, after) pair, "valid", "same" (with any stride), "causal", or one of these for each
            axis: ("causal", "same", "same") is video that never looks into the future.
        padding_mode: "zeros", "reflect", "replicate" or "circular", or one for each axis.
        ndim: the number of axes, where kernel_size is a single number.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str | Sequence[str] = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        ndim: int | None = None,
    ) -> None:
        factory = {"device": device, "dtype": dtype}
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, ndim, False, factory
        )
        self.padding_mode = padding_mode

    @property
    def padding_mode(self) -> str | tuple[str, ...]:
        """One name, or one for each axis where they differ."""
        return self.modes if len({*self.modes}) > 1 else self.modes[0]

    @padding_mode.setter
    def padding_mode(self, value: str | Sequence[str]) -> None:
        self.modes = parse_modes(value, self.window.ndim, type(self).__name__)

    @property
    def output_padding(self) -> Sizes:
        """Zeros: only a transposed convolution pads its output, but torch.nn's layers all have this attribute."""
        return (0,) * self.window.ndim

    def forward(self, input: Tensor) -> Tensor:
        return F.convolve(input, self.weight, self.bias, self.window, self.groups, self.modes, self)

    def extra_repr(self) -> str:
        modes = "" if set(self.modes) == {"zeros"} else f", padding_mode={self.padding_mode!r}"
        return super().extra_repr() + modes


class ConvTranspose(_ConvNd):
    """Transposed convolution, :func:`sigconv.functional.conv_transpose`.

    ``torch.nn.utils.spectral_norm`` and its parametrisation want ``dim=1`` here, which they take by themselves for
    torch's own classes.
    """

    padding_mode: ClassVar[str] = "zeros"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        output_padding: PerAxis = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: PerAxis = 1,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        ndim: int | None = None,
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise UsageError(f"{name}: padding_mode is {padding_mode!r}; a transposed convolution knows 'zeros' only")
        factory = {"device": device, "dtype": dtype}
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, ndim, True, factory
        )
        self.output_padding = output_padding
        check.output_padding(name, self.output_padding, self.window)

    @property
    def output_padding(self) -> Sizes:
        return self.__dict__["output_padding"]  # where it lies in layers pickled before it was a property

    @output_padding.setter
    def output_padding(self, value: PerAxis) -> None:
        self.__dict__["output_padding"] = per_axis(value, self.window.ndim, 0, "output_padding", type(self).__name__)

    def forward(self, input: Tensor, output_size: PerAxis | None = None) -> Tensor:
        """``output_size``, with or without batch and channels, overrides the layer's output_padding."""
        extra = self.output_padding
        if output_size is not None:
            extra = check.padding_to(self, output_size, self.window, input)
        return F.convolve_transposed(input, self.weight, self.bias, self.window, extra, self.groups, self)

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", output_padding={self.output_padding}" if any(self.output_padding) else "")


class MaxPool(_Dilated):
    """Max pooling, :func:`sigconv.functional.max_pool`; ([batch,] channel, *size) -> ([batch,] channel, *size)."""

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
        *,
        ndim: int | None = None,
    ) -> None:
        super().__init__()
        self._set_window(kernel_size, kernel_size if stride is None else stride, padding, dilation, ndim)
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.pool_max(input, self.window, self.ceil_mode, self.return_indices, self)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", ceil_mode=True" if self.ceil_mode else "")


class AvgPool(_Windowed):
    """Average pooling, :func:`sigconv.functional.avg_pool`; ([batch,] channel, *size) -> ([batch,] channel, *size)."""

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        ndim: int | None = None,
    ) -> None:
        super().__init__()
        self._set_window(kernel_size, kernel_size if stride is None else stride, padding, ndim=ndim)
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.pool_avg(input, self.window, self.ceil_mode, self.count_include_pad, self.divisor_override, self)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", ceil_mode=True" if self.ceil_mode else "")


class _Adaptive(_Ranked):
    """A layer whose output size can be read and changed under torch.nn's attribute name."""

    sizes: tuple[int | None, ...]

    @property
    def output_size(self) -> tuple[int | None, ...]:
        return self.sizes

    @output_size.setter
    def output_size(self, value: int | Sequence[int | None] | None) -> None:
        self.sizes = parse_sizes(value, len(self.sizes), type(self).__name__)

    def extra_repr(self) -> str:
        return f"output_size={self.sizes}"


class AdaptiveMaxPool(_Adaptive):
    """Max pooling to a fixed size, :func:`sigconv.functional.adaptive_max_pool`."""

    def __init__(
        self,
        output_size: int | Sequence[int | None] | None,
        return_indices: bool = False,
        *,
        ndim: int | None = None,
    ) -> None:
        super().__init__()
        self.sizes = parse_sizes(output_size, self._ndim(ndim), type(self).__name__)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        best, winner = F.adapt_max(input, self.sizes, self)
        return (best, winner) if self.return_indices else best


class AdaptiveAvgPool(_Adaptive):
    """Average pooling to a fixed size, :func:`sigconv.functional.adaptive_avg_pool`; global with output_size 1."""

    def __init__(self, output_size: int | Sequence[int | None] | None, *, ndim: int | None = None) -> None:
        super().__init__()
        self.sizes = parse_sizes(output_size, self._ndim(ndim), type(self).__name__)

    def forward(self, input: Tensor) -> Tensor:
        return F.adapt_avg(input, self.sizes, self)


class Conv1d(Conv):
    rank = 1


class Conv2d(Conv):
    rank = 2


class Conv3d(Conv):
    rank = 3


class ConvTranspose1d(ConvTranspose):
    rank = 1


class ConvTranspose2d(ConvTranspose):
    rank = 2


class ConvTranspose3d(ConvTranspose):
    rank = 3


class MaxPool1d(MaxPool):
    rank = 1


class MaxPool2d(MaxPool):
    rank = 2


class MaxPool3d(MaxPool):
    rank = 3


class AvgPool1d(AvgPool):
    rank = 1


class AvgPool2d(AvgPool):
    rank = 2


class AvgPool3d(AvgPool):
    rank = 3


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    rank = 1


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    rank = 2


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    rank = 3


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    rank = 1


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    rank = 2


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    rank = 3
