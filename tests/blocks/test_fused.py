"""A block computed as one operation against its parts one by one."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.testing import assert_close

import sigconv
from sigconv import planner
from sigconv.blocks import BatchNorm, ConvBlock, chain
from sigconv.errors import UsageError
from sigconv.kernels.compiled import runtime
from sigconv.layers import Conv, MaxPool, MaxPool2d
from sigconv.layout import channels_last, is_channels_last

pytestmark = pytest.mark.skipif(not runtime.is_available(), reason="Numba has no OpenMP here")

SIZE = {1: (900,), 2: (30, 40), 3: (8, 14, 14)}
RANKS = pytest.mark.parametrize("ndim", SIZE)
NORMS = pytest.mark.parametrize("norm", [None, "batch"])
JOINED = {None: ("numba", "rectified_max_pool"), "batch": ("numba", "normalised_max_pool")}


def _block(ndim: int, norm: str | None, **options: object) -> ConvBlock:
    block = ConvBlock(3, 20, 3, ndim=ndim, padding="same", norm=norm, pool=2, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in block.parameters():
            weight.copy_(torch.randn_like(weight))  # scales of both signs
    return block


def _one_by_one(block: ConvBlock) -> ConvBlock:
    """The same block, watched, so that its parts are not joined."""
    other = copy.deepcopy(block)
    other.conv.register_forward_hook(lambda *_: None)
    return other


def _trained(block: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = block(x)
    g = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    leaves = [x, *block.parameters()]
    return [y.detach(), *torch.autograd.grad(y, leaves, g), *(b.clone() for b in block.buffers())]


@RANKS
@NORMS
def test_equals_its_parts(ndim: int, norm: str | None) -> None:
    block = _block(ndim, norm).double()
    parts, x = _one_by_one(block), torch.randn(8, 3, *SIZE[ndim], dtype=torch.float64)
    with planner.observed() as used:
        found = _trained(block, x)
    assert JOINED[norm] in used
    with planner.observed() as used:
        expected = _trained(parts, x)
    assert JOINED[norm] not in used
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)


@NORMS
@pytest.mark.parametrize(
    "options",
    [{"pool": MaxPool2d(2, ceil_mode=True)}, {"padding_mode": "circular"}, {"groups": 2}],
    ids=["ceil_mode", "circular", "groups"],
)
def test_options_are_honoured(norm: str | None, options: dict) -> None:
    usual = {"ndim": 2, "padding": "same", "norm": norm, "pool": 2}
    block, x = ConvBlock(32, 32, 3, **(usual | options)).double(), torch.randn(8, 32, 15, 41, dtype=torch.float64)
    parts = _one_by_one(block)
    for a, b in zip(_trained(block, x), _trained(parts, x), strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)


@NORMS
@pytest.mark.parametrize("pool", [MaxPool(2, ndim=2), MaxPool2d(2)], ids=["any rank", "MaxPool2d"])
def test_pooling_behind_the_block_is_joined_too(norm: str | None, pool: MaxPool) -> None:
    block = _block(2, norm)
    del block.pool
    network, x = chain(block=block, pool=pool), torch.randn(8, 3, 30, 40)
    apart = nn.Sequential(*copy.deepcopy(network))
    with planner.observed() as used:
        found = _trained(network, x)
    assert JOINED[norm] in used
    for a, b in zip(found, _trained(apart, x), strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-4)


@NORMS
@pytest.mark.parametrize("activation", ["relu", None])
@pytest.mark.parametrize("pool", [None, 2])
@pytest.mark.parametrize("shape", [(2, 3, 34, 34), (3, 34, 34)])
def test_pooling_behind_any_block_is_what_it_is_by_itself(
    norm: str | None, activation: str | None, pool: int | None, shape: tuple[int, ...]
) -> None:
    """Whether or not the block has all parts, a pool of its own, or a batch."""
    norm = "layer" if norm and len(shape) == 3 else norm
    block = ConvBlock(3, 4, 3, ndim=2, norm=norm, activation=activation, pool=pool)
    x = torch.randn(shape)
    behind = MaxPool(2, ndim=2)
    assert_close(chain(block=block, pool=behind)(x), behind(block(x)))


@pytest.mark.parametrize("first", [False, True])
def test_only_winners_products_are_taken(first: bool) -> None:
    block = ConvBlock(20, 24, 3, ndim=2, padding="same", norm=None, pool=2)
    x = torch.randn(8, 20, 30, 40)
    parts, y = _one_by_one(block), x.clone().requires_grad_(not first)
    with planner.observed() as used:
        block(y).square().sum().backward()
    assert ("numba", "grad_weight_of_winners") in used
    assert (("numba", "grad_input_of_winners") in used) != first
    for a, b in zip(_trained(block, x), _trained(parts, x), strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "scaled_tanh", None])
@NORMS
@pytest.mark.parametrize("size", [(30, 40), (5, 6)])
def test_the_maximum_comes_before_an_activation_that_rises(
    activation: str | None, norm: str | None, size: tuple[int, int]
) -> None:
    block = ConvBlock(20, 24, 3, ndim=2, padding="same", norm=norm, activation=activation, pool=2).double()
    parts, x = _one_by_one(block), torch.randn(8, 20, *size, dtype=torch.float64)
    with planner.observed() as used:
        found = _trained(block, x)
    assert (("numba", "grad_weight_of_winners") in used) == (norm is None and size[0] == 30)
    for a, b in zip(found, _trained(parts, x), strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)
    if norm is None:
        torch.autograd.gradgradcheck(block, x[:, :, :6].requires_grad_(), fast_mode=True)


def test_an_activation_that_falls_somewhere_comes_first() -> None:
    block = ConvBlock(3, 4, 3, ndim=2, norm=None, activation="gelu", pool=2)
    x = torch.randn(8, 3, 30, 40)
    assert_close(block(x), block.pool(block.activation(block.conv(x))))


@RANKS
@pytest.mark.parametrize("part", ["block", "pool"])
def test_a_backward_pass_stays_in_channels_last(ndim: int, part: str) -> None:
    """Though what flattens sends its errors in the other layout."""
    block = ConvBlock(20, 24, 3, ndim=ndim, norm=None, pool=2)
    x = channels_last(torch.randn(16, 20, *SIZE[ndim])).requires_grad_()
    y = (block if part == "block" else block.pool)(x).flatten(1)
    (errors,) = torch.autograd.grad(y.square().sum(), x)
    assert is_channels_last(errors)


@NORMS
def test_many_gradients_at_once(norm: str | None) -> None:
    block, x = ConvBlock(20, 24, 3, ndim=2, norm=norm, pool=2), torch.randn(8, 20, 30, 40, requires_grad=True)
    y = block(x)
    errors = torch.randn(2, *y.shape)
    leaves = [x, *block.parameters()]
    many = torch.autograd.grad(y, leaves, errors, is_grads_batched=True, retain_graph=True)
    for i, error in enumerate(errors):
        for a, b in zip(many, torch.autograd.grad(y, leaves, error, retain_graph=True), strict=True):
            assert_close(a[i], b, rtol=1e-3, atol=1e-3)


def test_gradients_of_each_sample() -> None:
    block, x = ConvBlock(3, 4, 3, ndim=2, norm=None, pool=2), torch.randn(5, 8, 3, 9, 9)
    together = torch.func.vmap(block)(x)
    for found, one in zip(together, x, strict=True):
        assert_close(found, block(one))


def test_wrong_channels_are_named() -> None:
    with pytest.raises(UsageError, match="21 channels; the weight takes 20"):
        ConvBlock(20, 24, 3, ndim=2, norm=None, pool=2)(torch.randn(4, 21, 30, 40))


@NORMS
def test_second_derivatives(norm: str | None) -> None:
    block = _block(1, norm).double()
    x = torch.randn(2, 3, 3400, dtype=torch.float64, requires_grad=True)
    with planner.observed() as used:
        torch.autograd.gradgradcheck(block, x, fast_mode=True)
    assert JOINED[norm] in used


@pytest.mark.parametrize(("norm", "name"), [(None, "x"), ("batch", "x"), (None, "conv.bias"), ("batch", "norm.bias")])
def test_forward_mode(norm: str | None, name: str) -> None:
    """Which no fused operation knows: it is left to the parts."""
    block = ConvBlock(20, 24, 3, ndim=2, padding="same", norm=norm, pool=2).double()
    x = torch.randn(8, 20, 30, 40, dtype=torch.float64)
    found, expected = (_slope(b, x, name) for b in (block, _one_by_one(block)))
    assert_close(found, expected, rtol=1e-9, atol=1e-9)


def _slope(block: ConvBlock, x: Tensor, name: str) -> Tensor:
    """The derivative along the cosine of the input, or of the parameter of this name."""
    given = x if name == "x" else block.get_parameter(name).detach()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(given, given.cos())
        y = block(dual) if name == "x" else torch.func.functional_call(block, {name: dual}, (x,))
        return forward_ad.unpack_dual(y).tangent


@NORMS
def test_forward_mode_through_a_backward_pass(norm: str | None) -> None:
    block = _block(1, norm).double()
    x = torch.randn(2, 3, 3400, dtype=torch.float64)
    found, expected = (_slopes_of_gradients(b, x) for b in (block, _one_by_one(block)))
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)


def _slopes_of_gradients(block: ConvBlock, x: Tensor) -> list[Tensor]:
    y = block(x)
    with forward_ad.dual_level():
        errors = forward_ad.make_dual(y.detach().sin(), y.detach().cos())
        gradients = torch.autograd.grad(y, list(block.parameters()), errors)
        slopes = [forward_ad.unpack_dual(gradient).tangent for gradient in gradients]
    assert not [slope for slope in slopes if slope is None]
    return slopes


@NORMS
def test_less_is_kept_for_the_backward_pass(norm: str | None) -> None:
    block, x = _block(2, norm), torch.randn(8, 3, 30, 40)
    convolved = 8 * 20 * 30 * 40 * 4
    kept = _kept(block, x) / convolved
    assert kept < (0.4 if norm is None else 1.4)  # the input, a byte for each window, and what is normalised
    assert _kept(_one_by_one(block), x) / convolved > kept + 0.9


def _kept(block: nn.Module, x: Tensor) -> int:
    storages: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        storages[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = block(x)
    assert y.requires_grad
    return sum(storages.values())


def test_what_somebody_made_of_a_layer_is_called() -> None:
    class Doubled(Conv):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    block, x = _block(2, None), torch.randn(8, 3, 30, 40)
    own = copy.deepcopy(block)
    own.conv = Doubled(3, 20, (3, 3), padding="same")
    own.conv.load_state_dict(block.conv.state_dict())
    with torch.no_grad():
        for weight in block.parameters():
            weight.mul_(2)
    assert_close(own(x), block(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("part", ["conv", "norm"])
def test_a_forward_that_somebody_put_in_is_called(part: str) -> None:
    block, x = _block(2, "batch"), torch.randn(8, 3, 30, 40)
    layer = block.get_submodule(part)
    plain = layer.forward
    layer.forward = lambda x: -plain(x)
    assert_close(block(x), block.pool(torch.relu(block.norm(block.conv(x)))), rtol=1e-4, atol=1e-4)


def test_what_a_subclass_of_a_block_does_is_done_before_pooling() -> None:
    class Doubled(ConvBlock):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    block, pool, x = Doubled(3, 20, 3, ndim=2), MaxPool2d(2), torch.randn(8, 3, 30, 40)
    assert_close(chain(block=block, pool=pool)(x), pool(block(x)), rtol=1e-4, atol=1e-4)


class _Doubled(MaxPool2d):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


@pytest.mark.parametrize(
    ("conv", "pool"),
    [(Conv(3, 20, (3, 3)), _Doubled(2)), (nn.Conv2d(3, 20, 3), MaxPool2d(2))],
    ids=["somebody's own pool", "torch's convolution"],
)
def test_parts_that_are_not_ours_are_called_in_a_chain(conv: nn.Module, pool: nn.Module) -> None:
    block, x = ConvBlock(3, 20, 3, ndim=2), torch.randn(8, 3, 30, 40)
    block.conv = conv
    assert_close(chain(block=block, pool=pool)(x), pool(block(x)), rtol=1e-4, atol=1e-4)


def test_a_block_takes_a_convolution_of_torch() -> None:
    block, x = _block(2, None), torch.randn(8, 3, 30, 40)
    own = copy.deepcopy(block)
    own.conv = nn.Conv2d(3, 20, 3, padding="same")
    own.conv.load_state_dict(block.conv.state_dict())
    assert_close(own(x), block(x), rtol=1e-4, atol=1e-4)


def test_one_number_a_channel_has_no_variance() -> None:
    block = ConvBlock(3, 16, 3, ndim=2, pool=1)
    for name in ("numba", "vendor"):
        with sigconv.use_kernel(name), pytest.raises(ValueError, match="more than 1 value per channel"):
            block(torch.randn(1, 3, 3, 3))


HOOKS = pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])


@HOOKS
def test_hooks_see_every_part(kind: str) -> None:
    block, seen = _block(2, "batch"), []
    for part in block.children():
        getattr(part, f"register_{kind}_hook")(lambda module, *_: seen.append(module))
    _assert_seen(kind, block, seen)


@HOOKS
def test_hooks_of_all_modules_see_every_part(kind: str) -> None:
    block, seen = _block(2, "batch"), []
    with getattr(nn.modules.module, f"register_module_{kind}_hook")(lambda module, *_: seen.append(module)):
        _assert_seen(kind, block, seen)


def _assert_seen(kind: str, block: ConvBlock, seen: list[nn.Module]) -> None:
    block(torch.randn(8, 3, 30, 40, requires_grad=True)).sum().backward()
    parts = list(block.children())
    assert [part for part in seen if part is not block] == (parts[::-1] if "backward" in kind else parts)


@pytest.mark.parametrize("name", ["block", "pool"])
def test_a_hook_in_a_chain_is_called(name: str) -> None:
    network, seen = chain(block=ConvBlock(3, 20, 3, ndim=2), pool=MaxPool2d(2)), []
    part = network.get_submodule(name)
    part.register_forward_hook(lambda module, *_: seen.append(module))
    network(torch.randn(8, 3, 30, 40))
    assert seen == [part]


def test_running_statistics_without_momentum_and_evaluation() -> None:
    block = _block(2, "batch")
    assert isinstance(block.norm, nn.modules.batchnorm._BatchNorm)
    block.norm.momentum = None
    parts = _one_by_one(block)
    for _ in range(3):
        x = torch.randn(8, 3, 30, 40)
        assert_close(block(x), parts(x), rtol=1e-4, atol=1e-4)
    for a, b in zip(block.buffers(), parts.buffers(), strict=True):
        assert_close(a, b, rtol=1e-5, atol=1e-5)  # torch sums variances up in float32
    assert_close(block.eval()(x), parts.eval()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "x"),
    [
        ({"activation": "gelu"}, torch.randn(8, 3, 30, 40)),
        ({}, torch.randn(8, 3, 30, 40, dtype=torch.bfloat16)),
    ],
    ids=["another activation", "bfloat16"],
)
def test_what_is_done_part_by_part(options: dict, x: Tensor) -> None:
    block = _block(2, "batch", **options).to(x.dtype)
    with planner.observed() as used:
        block(x).sum().backward()
    assert JOINED["batch"] not in used


@pytest.mark.parametrize("ndim", [1, 2])  # with three axes, torch convolves float64 in the other layout
def test_relu_is_joined_with_what_normalises(ndim: int) -> None:
    block = _block(ndim, "batch").double()
    del block.pool
    parts, x = _one_by_one(block), torch.randn(32, 3, *SIZE[ndim], dtype=torch.float64)
    with planner.observed() as used:
        found = _trained(block, x)
    assert used >= {("numba", "normalise"), ("numba", "grad_normalise")}
    for a, b in zip(found, _trained(parts, x), strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)
    with planner.observed() as used:
        block(x[:2])
        block.eval()(x)
    assert ("numba", "normalise") not in used


@pytest.mark.parametrize("pool", [None, 2])
def test_parts_that_somebody_has_added_are_called(pool: int | None) -> None:
    block, x = ConvBlock(3, 20, 3, ndim=2, pool=pool), torch.randn(8, 3, 30, 40)
    block.add_module("last", nn.Threshold(1e9, 0.5))
    assert (block(x) == 0.5).all()


def test_a_norm_without_bias() -> None:
    block, x = _block(2, "batch"), torch.randn(8, 3, 30, 40)
    block.norm = BatchNorm(20, bias=False)
    assert_close(block(x), _one_by_one(block)(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pool", [None, 2])
@pytest.mark.parametrize("channels", [10, 40])
def test_a_norm_of_other_channels_is_named(pool: int | None, channels: int) -> None:
    block = ConvBlock(3, 20, 3, ndim=2, pool=pool)
    block.norm = BatchNorm(channels)
    with pytest.raises(UsageError, match=rf"BatchNorm\({channels}\): input has shape \(32, 20, 28, 38\)"):
        block(torch.randn(32, 3, 30, 40))


@pytest.mark.parametrize("pool", [None, 2])
@pytest.mark.parametrize(("dtype", "of_norm"), [(torch.float32, torch.bfloat16), (torch.float64, torch.float32)])
def test_a_norm_of_another_dtype_is_torchs_to_refuse(
    pool: int | None, dtype: torch.dtype, of_norm: torch.dtype
) -> None:
    block = ConvBlock(3, 20, 3, ndim=2, pool=pool).to(dtype)
    block.norm.to(of_norm)
    with pytest.raises(RuntimeError, match="mixed dtype"):
        block(torch.randn(32, 3, 30, 40, dtype=dtype))


def test_windows_that_do_not_fit_are_named() -> None:
    with pytest.raises(sigconv.UsageError, match=r"MaxPool.*window spans 2"):
        _block(2, None)(torch.randn(4, 3, 1, 4000))


@NORMS
def test_windows_that_see_nothing_are_named(norm: str | None) -> None:
    block = ConvBlock(3, 20, 1, ndim=2, norm=norm, pool=MaxPool2d(2, padding=2))
    with pytest.raises(UsageError, match="see nothing"):
        block(torch.randn(8, 3, 30, 40))


def test_pooling_over_more_axes_takes_channels_for_one() -> None:
    """What the convolution gives is a single signal to it."""
    block = ConvBlock(3, 20, 3, ndim=2, norm=None, pool=MaxPool(2, ndim=3))
    assert block(torch.randn(8, 3, 30, 40)).shape == (8, 10, 14, 19)


@NORMS
def test_autocast_is_honoured(norm: str | None) -> None:
    block, x = ConvBlock(20, 24, 3, ndim=2, padding="same", norm=norm, pool=2), torch.randn(8, 20, 30, 40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, expected = block(x), _one_by_one(block)(x)
    assert found.dtype == expected.dtype == torch.bfloat16
    assert_close(found, expected)
