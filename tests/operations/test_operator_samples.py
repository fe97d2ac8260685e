"""The samples that torch tests its own operators with: equal values and equal gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db

import sigconv.functional as F

# Importing torch's test tools forbids every test after it to set a backend's flag, as Lightning does.
torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True

POOL_ARGUMENTS = {
    "max": ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
    "avg": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
}
CONV_ARGUMENTS = ("weight", "bias", "stride", "padding", "dilation", "groups")
TRANSPOSED_ARGUMENTS = ("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")


def _named(names: tuple[str, ...], args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    named = dict(zip(names, args, strict=False)) | kwargs
    # torch's own spelling of "as large as the kernel"
    return {name: None if name == "stride" and value == () else value for name, value in named.items()}


def _ours(name: str, ndim: int) -> Callable[..., Any]:
    """Our function under the calling convention of torch's."""
    if name.startswith("conv"):
        names = TRANSPOSED_ARGUMENTS if "transpose" in name else CONV_ARGUMENTS
        function = F.conv_transpose if "transpose" in name else F.conv
        return lambda x, *args, **kwargs: function(x, **_named(names, args, kwargs))
    if name.startswith("adaptive"):
        function = F.adaptive_max_pool if "max" in name else F.adaptive_avg_pool
        names = ("output_size", "return_indices") if "max" in name else ("output_size",)
    else:
        function = F.max_pool if "max" in name else F.avg_pool
        names = POOL_ARGUMENTS["max" if "max" in name else "avg"]
    return lambda x, *args, **kwargs: function(x, **_named(names, args, kwargs), ndim=ndim)


def _tensors(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [v for v in value if isinstance(v, Tensor)]


def _gradients(output: Any, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    y = _tensors(output)[0]
    g = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device).reshape(y.shape)
    return torch.autograd.grad(y, inputs, g, allow_unused=True)


OPERATORS = [
    f"{name}{ndim}d"
    for name in ("conv", "conv_transpose", "max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool")
    for ndim in (1, 2, 3)
]


@pytest.mark.parametrize("operator", OPERATORS)
def test_equals_torch(operator: str, device: str) -> None:
    info = next(op for op in op_db if op.name == f"nn.functional.{operator}")
    ours = _ours(operator[:-2], int(operator[-2]))
    samples = list(info.sample_inputs(device, torch.float32, requires_grad=True, set_seed=False))  # seeding takes 2 ms
    assert samples
    for sample in samples:
        inputs = [t for t in [sample.input, *_tensors(sample.args)] if t.requires_grad]
        expected = info.op(sample.input, *sample.args, **sample.kwargs)
        found = ours(sample.input, *sample.args, **sample.kwargs)
        assert_close(found, expected, msg=lambda text, sample=sample: f"{sample}\n{text}")
        assert_close(_gradients(found, inputs), _gradients(expected, inputs), msg=lambda t, s=sample: f"{s}\n{t}")
