"""Change an existing model: swap torch's convolution and pooling layers for ours, or set its weights' memory layout."""

from typing import Any, TypeVar

from torch import nn

from sigconv import layers, layout
from sigconv.operations.check import DTYPES

M = TypeVar("M", bound=nn.Module)

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
_ARGUMENTS = {
    "Conv": _CONV,
    "ConvTranspose": (*_CONV, "output_padding"),
    "MaxPool": ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"),
    "AvgPool": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    "AdaptiveMaxPool": ("output_size", "return_indices"),
    "AdaptiveAvgPool": ("output_size",),
}
_TWINS = {
    getattr(nn, f"{name}{rank}d"): (getattr(layers, f"{name}{rank}d"), arguments)
    for name, arguments in _ARGUMENTS.items()
    for rank in (1, 2, 3)
}


def convert(model: M) -> M:
    """Swap, in place, every torch.nn convolution and pooling layer in ``model`` for sigconv's, and return the model.

    The layers keep the same parameter objects (so an optimiser that holds them stays valid), their names, mode and
    hooks; the state_dict is unchanged and outputs are equal. Shared modules remain shared. Customised layers are left
    alone: subclasses, and layers with parametrizations, pruning, load_state_dict hooks, replaced methods, added parts
    or complex weights. A model that *is* a layer to swap comes back as a new one.

    Unlike torch.nn's, our layers are not leaves for torch.fx: its tracers must be given each kind in the model, as in
    torchvision's ``create_feature_extractor(..., tracer_kwargs={"leaf_modules": [sigconv.Conv2d, ...]})``.
    """
    twins = {module: _twin(module) for module in model.modules() if type(module) in _TWINS and _is_as_made(module)}
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if child in twins:
                parent._modules[name] = twins[child]
    return twins.get(model, model)  # type: ignore[return-value]


def channels_last(model: M) -> M:
    """Convert, in place, the weights of sigconv's convolutions in ``model`` to channels-last, and return the model.

    Such a convolution's output is channels-last whatever the layout of its input, and the vendor's kernels need not
    reorder its weights at each call. Parameters stay the same objects, with the same values; safetensors saves them
    only once they are made contiguous. For one to three axes; torch has ``to(memory_format=...)`` for two and three.
    """
    for module in model.modules():
        if isinstance(module, layers.Conv | layers.ConvTranspose) and "weight" in module._parameters:
            module.weight.data = layout.channels_last(module.weight.data)
    return model


def _is_as_made(module: nn.Module) -> bool:
    parts = module._parameters.keys() | module._buffers.keys() | module._modules.keys()
    known = parts in ({"weight", "bias"}, set()) and not module._load_state_dict_pre_hooks  # these know their module
    patched = any(callable(getattr(type(module), name, None)) for name in vars(module))
    return known and not patched and all(p is None or p.dtype in DTYPES for p in module._parameters.values())


def _twin(module: nn.Module) -> nn.Module:
    layer, arguments = _TWINS[type(module)]
    options: dict[str, Any] = {name: getattr(module, name) for name in arguments if hasattr(module, name)}
    has_parameters = "in_channels" in options
    if has_parameters:
        options |= {"bias": module.bias is not None, "device": "meta"}
    twin = layer(**options)
    if has_parameters:
        twin.weight, twin.bias = module.weight, module.bias
    own = twin.__dict__
    # Mode, hooks and whatever the user attached to the layer carry over; what the twin computes with is its own.
    for name, value in module.__dict__.items():
        twins = name.startswith("_") or name == "training" or not (name in own or hasattr(type(twin), name))
        if twins and name not in ("_parameters", "_modules", "_buffers"):
            own[name] = value
    return twin
