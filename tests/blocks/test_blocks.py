"""Blocks against the same layers of torch.nn, one after another."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad

import sigconv
from sigconv import planner
from sigconv.blocks import (
    ACTIVATIONS,
    BatchNorm,
    Branches,
    ConvBlock,
    Flatten,
    Fold,
    GlobalAvgPool,
    LocallyConnected,
    PerFrame,
    Residual,
    ScaledTanh,
    StatisticsPooling,
    SubSpectralNorm,
    chain,
    factorised,
    separable,
    tcn,
    temporal_block,
)
from sigconv.blocks.conv import middle_maps
from sigconv.errors import UsageError
from sigconv.kernels.compiled import runtime
from sigconv.layers import AvgPool, Conv
from sigconv.layout import channels_last, is_channels_last
from sigconv.verification import verify

RANKS = (1, 2, 3)


def signal(ndim: int, channels: int = 3, size: int = 8) -> torch.Tensor:
    return torch.randn(2, channels, *[size] * ndim, dtype=torch.float64)


def torch_layer(name: str, ndim: int) -> type[nn.Module]:
    return getattr(nn, f"{name}{ndim}d")


@pytest.mark.parametrize("ndim", RANKS)
def test_batch_norm_equals_torch(ndim):
    ours, theirs = BatchNorm(3, momentum=0.3).double(), torch_layer("BatchNorm", ndim)(3, momentum=0.3).double()
    nn.init.normal_(theirs.weight)
    ours.load_state_dict(theirs.state_dict())
    for _ in range(2):
        x = 3 + 2 * signal(ndim)
        assert torch.equal(ours(x), theirs(x))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert torch.equal(ours.running_var, theirs.running_var)
    x = signal(ndim)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("ndim", [0, 4])
def test_batch_norm_takes_any_number_of_axes(ndim):
    x = 5 + signal(ndim, size=3)
    y = BatchNorm(3).double()(x).transpose(0, 1).flatten(1)
    torch.testing.assert_close(y.mean(1), torch.zeros(3, dtype=torch.float64))
    expected = x.transpose(0, 1).flatten(1).var(1, unbiased=False)
    torch.testing.assert_close(y.var(1, unbiased=False), expected / (expected + 1e-5))


def test_batch_norm_is_synchronised_between_processes():
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(ConvBlock(1, 3, 3, ndim=2)).norm, nn.SyncBatchNorm)


@pytest.mark.parametrize("shape", [(3,), (3, 8, 8), (2, 4, 8)])
def test_batch_norm_names_what_it_expects(shape):
    with pytest.raises(UsageError, match=r"BatchNorm\(5\): input has shape .* must be \(batch, 5, \.\.\.\)"):
        BatchNorm(5)(torch.randn(shape))


@pytest.mark.parametrize("pool", [None, 2])
def test_block_with_batch_norm_takes_no_single_signals(pool):
    with pytest.raises(UsageError, match=r"BatchNorm\(8\): input has shape \(8, 6, 6\)"):
        ConvBlock(3, 8, 3, ndim=2, pool=pool)(torch.randn(3, 8, 8))


@pytest.mark.parametrize("ndim", RANKS)
@pytest.mark.parametrize("training", [True, False])
def test_block_is_conv_norm_activation_pool(ndim, training):
    block = ConvBlock(3, 4, 3, ndim=ndim, stride=2, padding=1, activation="gelu", pool=2).double()
    conv = torch_layer("Conv", ndim)(3, 4, 3, stride=2, padding=1, bias=False)
    expected = chain(
        conv=conv, norm=torch_layer("BatchNorm", ndim)(4), activation=nn.GELU(), pool=torch_layer("MaxPool", ndim)(2)
    ).double()
    expected.load_state_dict(block.state_dict())
    x = signal(ndim)
    torch.testing.assert_close(block.train(training)(x), expected.train(training)(x))
    assert [name for name, _ in block.named_children()] == ["conv", "norm", "activation", "pool"]


@pytest.mark.parametrize(("norm", "parameters"), [(None, ["conv.weight", "conv.bias"]), ("layer", ["conv.weight"])])
def test_block_without_batch_norm_takes_single_signals(norm: str | None, parameters: list[str]):
    block = ConvBlock(3, 8, 3, padding="same", norm=norm, activation=None, ndim=2)
    assert [name for name in block.state_dict() if name.startswith("conv.")] == parameters
    x = torch.randn(3, 8, 8)  # as many maps as lines
    torch.testing.assert_close(block(x), block(x[None])[0])


def test_single_signals_and_where_they_were_greatest():
    block = ConvBlock(3, 8, 3, norm=None, ndim=2, pool=sigconv.MaxPool2d(2, return_indices=True))
    x = torch.randn(3, 8, 8)
    for single, batch in zip(block(x), block(x[None]), strict=True):
        torch.testing.assert_close(single, batch[0])


def test_block_hands_its_options_to_the_convolution():
    options = {"stride": (1, 2), "padding": "same", "dilation": (2, 1), "groups": 2, "padding_mode": "circular"}
    conv = ConvBlock(4, 6, (3, 5), norm=None, **options).conv
    text = str(conv)
    for part in ("stride=(1, 2)", "padding=((2, 2), (2, 2))", "dilation=(2, 1)", "groups=2", "circular"):
        assert part in text


def test_block_in_four_dimensions():
    block = ConvBlock(1, 2, 2, ndim=4, pool=2)
    assert block(torch.randn(2, 1, 5, 5, 5, 5)).shape == (2, 2, 2, 2, 2, 2)


@pytest.mark.parametrize("pool", [None, 2])
@pytest.mark.parametrize(
    "setting", [{}, {"track_running_stats": False}, {"num_batches_tracked": None}, {"momentum": None}], ids=str
)
def test_statistics_follow_as_torchs_whatever_is_set_on_the_norm(setting, pool):
    block = ConvBlock(8, 32, 3, ndim=2, pool=pool)
    for name, value in setting.items():
        setattr(block.norm, name, value)
    watched = copy.deepcopy(block)
    watched.norm.register_forward_hook(lambda *_: None)  # which is called by itself then
    for _ in range(2):
        x = torch.randn(16, 8, 34, 34)
        block(x), watched(x)
    for name, value in watched.norm.state_dict().items():
        torch.testing.assert_close(block.norm.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_blocks_are_made_for_where_their_signal_is():
    block, x = ConvBlock(16, 32, 3, ndim=2, pool=2), torch.randn(8, 16, 64, 64)
    with torch.device("meta"):
        block(x).sum().backward()
    assert block.conv.weight.grad.device.type == "cpu"


def test_block_takes_any_pooling():
    block = ConvBlock(1, 2, 3, ndim=2, norm=None, activation=None, pool=AvgPool(2, ndim=2))
    x = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(block(x), nn.functional.avg_pool2d(block.conv(x), 2))


def test_layer_norm_looks_at_one_signal_only():
    block = ConvBlock(3, 4, 3, ndim=1, norm="layer", activation=None).double()
    x = signal(1)
    both = block(x)
    torch.testing.assert_close(block(x[:1]), both[:1])
    torch.testing.assert_close(both.flatten(1).mean(1), torch.zeros(2, dtype=torch.float64))


def test_block_is_copied_and_pickled():
    block, x = ConvBlock(3, 4, 3, ndim=1, activation="scaled_tanh").eval(), torch.randn(2, 3, 8)
    for twin in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        assert torch.equal(twin(x), block(x))


def test_scaled_tanh_keeps_plus_and_minus_one():
    ones = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(ScaledTanh()(ones), ones, atol=1e-4, rtol=0)
    assert ScaledTanh()(torch.tensor(100.0)).item() == pytest.approx(1.7159)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_runs(name):
    assert torch.isfinite(ConvBlock(1, 1, 3, ndim=1, activation=name)(torch.randn(2, 1, 9))).all()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"activation": "relo"}, r"no activation 'relo'\. Did you mean relu\? There are relu, gelu, "),
        ({"activation": "xyz"}, r"no activation 'xyz'\. There are"),
        ({"norm": "batchnorm"}, r"no norm 'batchnorm'\. Did you mean batch\?"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(option, message):
    with pytest.raises(UsageError, match=message):
        ConvBlock(1, 1, 3, ndim=1, **option)


def test_flatten_takes_batches_and_single_signals_of_one_shape():
    flatten = Flatten((3, 4, 5))
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(flatten(x), x.flatten(1))
    assert torch.equal(flatten(x[0]), x[0].flatten())
    assert flatten(x[:0]).shape == (0, 60)
    with pytest.raises(UsageError, match=r"receives \(4, 5, 3\) but .* built for \(3, 4, 5\)"):
        flatten(torch.randn(2, 4, 5, 3))


@pytest.mark.parametrize(("ndim", "shape"), [(1, (12, 5)), (2, (3, 4, 5)), (3, (1, 3, 4, 5))])
def test_fold_keeps_the_last_axes(ndim, shape):
    x = torch.randn(2, 1, 3, 4, 5)
    fold = Fold(ndim)
    assert torch.equal(fold(x), x.reshape(2, *shape))
    assert fold.folded(x.shape[1:]) == shape
    assert torch.equal(fold(fold(x)), fold(x))


@pytest.mark.parametrize("ndim", [0, 3])
def test_fold_needs_as_many_axes(ndim):
    with pytest.raises(UsageError, match=rf"ndim is {ndim}; \(channels, \*size\) = \(1, 4, 5\) has 2 axes"):
        Fold(ndim)(torch.randn(2, 1, 4, 5))


def test_values_without_places_are_their_own_mean():
    x = torch.randn(4, 3)
    assert torch.equal(GlobalAvgPool()(x), x)


@pytest.mark.parametrize("ndim", RANKS)
def test_global_average_and_statistics(ndim):
    x = signal(ndim)
    axes = tuple(range(2, ndim + 2))
    torch.testing.assert_close(GlobalAvgPool()(x), x.mean(axes))
    expected = torch.cat([x.mean(axes), x.std(axes, correction=0)], 1)
    torch.testing.assert_close(StatisticsPooling()(x), expected)


def test_statistics_of_what_does_not_vary_are_safe():
    for x in (torch.full((2, 3, 7), 1e4), torch.randn(2, 3, 1)):
        x.requires_grad_()
        y = StatisticsPooling()(x)
        assert (y[:, 3:] == 1e-5).all()
        (gradient,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(gradient, torch.full_like(x, 1 / x.shape[2]))


def test_statistics_of_half_precision_do_not_overflow():
    x = 300 + 100 * torch.randn(2, 3, 50)
    y = StatisticsPooling()(x.half())
    assert y.dtype == torch.float16
    torch.testing.assert_close(y.float(), StatisticsPooling()(x), rtol=0.01, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_statistics_of_half_precision_keep_the_signal_as_it_is(dtype):
    x = (3 + torch.randn(2, 4, 5, 6)).to(dtype).requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = StatisticsPooling()(x)
    assert {t.dtype for t in kept if t.numel() == x.numel()} == {dtype}
    g = torch.randn_like(y)
    found = torch.autograd.grad(y, x, g, create_graph=True)[0]
    wide = x.detach().float().requires_grad_()
    expected = torch.autograd.grad(StatisticsPooling()(wide), wide, g.float(), create_graph=True)[0]
    torch.testing.assert_close(found.float(), expected, rtol=0.02, atol=1e-3)
    again, wanted = torch.autograd.grad(found.sum(), x)[0], torch.autograd.grad(expected.sum(), wide)[0]
    torch.testing.assert_close(again.float(), wanted, rtol=0.1, atol=1e-2)


def test_statistics_of_half_precision_have_a_forward_mode():
    x = (3 + torch.randn(2, 4, 5)).half()
    with forward_ad.dual_level():
        y, slope = forward_ad.unpack_dual(StatisticsPooling()(forward_ad.make_dual(x, x)))
    torch.testing.assert_close(slope, y)  # homogeneous of degree one


@pytest.mark.parametrize("size", [(), (5,), (5, 3)])
def test_sub_spectral_norm_is_batch_norm_of_each_band(size):
    norm = SubSpectralNorm(3, 2).double()
    x = 3 + 2 * torch.randn(4, 3, 6, *size, dtype=torch.float64)
    parts = [BatchNorm(3).double()(part) for part in x.split(3, dim=2)]
    torch.testing.assert_close(norm(x), torch.cat(parts, 2))
    assert norm.norm.num_features == 6


def _twice(norm, x):
    """Output, gradients, derivatives of these, and buffers."""
    x = x.detach().requires_grad_()
    y = norm(x)
    leaves = [x, *norm.parameters()]
    plain = torch.autograd.grad(y, leaves, y.detach().sin(), retain_graph=True)
    gradients = torch.autograd.grad(y, leaves, y.detach().sin(), create_graph=True)
    second = torch.autograd.grad(gradients[0].square().sum(), leaves[:2])
    return [y, *plain, *gradients, *second, *(b.clone() for b in norm.buffers())]


@pytest.mark.skipif(not runtime.is_available(), reason="Numba has no OpenMP here")
@pytest.mark.parametrize("size", [(5,), (5, 3)])
@pytest.mark.parametrize("channels", [3, 20])
def test_sub_spectral_norm_in_channels_last(size, channels):
    norm = SubSpectralNorm(channels, 2).double()
    with torch.no_grad():
        for weight in norm.parameters():
            weight.copy_(torch.randn_like(weight))
    x = 3 + 2 * torch.randn(4, channels, 6, *size, dtype=torch.float64)
    apart = copy.deepcopy(norm)
    with planner.observed() as used:
        found = _twice(norm, channels_last(x))
    assert used >= {("numba", "normalise"), ("numba", "grad_normalise")}
    assert all(map(is_channels_last, found[:2]))
    for a, b in zip(found, _twice(apart, x), strict=True):
        torch.testing.assert_close(a, b)


def test_what_is_not_trained_has_no_gradient_and_one_number_no_statistics():
    norm, x = SubSpectralNorm(3, 2), channels_last(torch.randn(4, 3, 6, 5)).requires_grad_()
    norm.norm.weight.requires_grad_(False)
    y = norm(x).square().sum()
    (gradient,) = torch.autograd.grad(y, x, create_graph=True)
    gradient.square().sum().backward()
    assert x.grad is not None
    assert norm.norm.weight.grad is None
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        norm(channels_last(torch.randn(1, 3, 2, 1)))


class _Counted(BatchNorm):
    """In place of what a norm has, as SyncBatchNorm is."""

    calls = 0

    def forward(self, input):
        self.calls += 1
        return super().forward(input)


def test_what_a_sub_spectral_norm_was_given_or_is_watched_by_is_called():
    norm, x, seen = SubSpectralNorm(3, 2), channels_last(torch.randn(4, 3, 6, 5)), []
    hook = norm.norm.register_forward_hook(lambda *_: seen.append(1))
    norm(x)
    assert seen
    hook.remove()
    norm.norm = _Counted(6)
    norm(x)
    assert norm.norm.calls == 1


@pytest.mark.parametrize("layout", [torch.clone, channels_last])
def test_sub_spectral_norm_of_other_channels_is_named(layout):
    with pytest.raises(UsageError, match=r"BatchNorm\(6\): input has shape \(4, 12, 3, 5\)"):
        SubSpectralNorm(3, 2)(layout(torch.randn(4, 6, 6, 5)))


def test_sub_spectral_norm_needs_equal_bands():
    with pytest.raises(UsageError, match="cannot cut 7 frequencies into 2 equal sub-bands"):
        SubSpectralNorm(3, 2)(torch.randn(2, 3, 7, 5))
    with pytest.raises(UsageError, match="sub_bands is 0"):
        SubSpectralNorm(3, 0)


@pytest.mark.parametrize("ndim", RANKS)
def test_separable_is_depthwise_and_pointwise_of_torch(ndim):
    block = separable(3, 5, 3, ndim=ndim, stride=2, padding="same", dilation=2, activation="silu").double()
    conv = torch_layer("Conv", ndim)
    torchs = nn.Sequential(
        conv(3, 3, 3, stride=2, padding=2, dilation=2, groups=3, bias=False),
        conv(3, 5, 1, bias=False),
        torch_layer("BatchNorm", ndim)(5),
        nn.SiLU(),
    ).double()
    for mine, value in zip(torchs.state_dict().values(), block.state_dict().values(), strict=True):
        mine.copy_(value)
    x = signal(ndim)
    torch.testing.assert_close(block(x), torchs(x))


def test_residual_adds_before_the_activation():
    x = signal(1)
    torch.testing.assert_close(Residual(ScaledTanh())(x), (ScaledTanh()(x) + x).relu())
    torch.testing.assert_close(Residual(nn.Identity(), ScaledTanh(), None)(x), x + ScaledTanh()(x))


@pytest.mark.parametrize("ndim", [2, 3])
def test_factorised_is_space_then_time_of_torch(ndim):
    block = factorised(3, 5, 3, ndim=ndim, stride=2, padding="same", activation="silu").double()
    conv, space = torch_layer("Conv", ndim), ndim - 1
    torchs = nn.Sequential(
        conv(3, block[0].out_channels, (1, *[3] * space), (1, *[2] * space), (0, *[1] * space), bias=False),
        torch_layer("BatchNorm", ndim)(block[0].out_channels),
        nn.SiLU(),
        conv(block[0].out_channels, 5, (3, *[1] * space), (2, *[1] * space), (1, *[0] * space), bias=False),
    ).double()
    torchs.load_state_dict(block.state_dict())
    x = signal(ndim)
    torch.testing.assert_close(block(x), torchs(x))


@pytest.mark.parametrize("kernel", [(3, 3, 3), (3, 7, 7), (5, 1, 3), (2, 4)])
@pytest.mark.parametrize(("inputs", "outputs"), [(64, 64), (64, 128), (3, 17)])
def test_factorised_has_as_many_weights_as_the_whole_kernel(kernel, inputs, outputs):
    block = factorised(inputs, outputs, kernel, norm=None)
    ours = sum(weight.numel() for weight in block.parameters())
    one_map = ours // block[0].out_channels
    whole = Conv(inputs, outputs, kernel, bias=False).weight.numel()
    assert ours <= whole < ours + one_map
    assert middle_maps(64, 64, (3, 3, 3)) == 144


def test_factorised_is_causal_along_time():
    block = factorised(1, 4, (3, 3, 3), padding=("causal", "same", "same")).double().eval()
    x = signal(3, channels=1)
    assert torch.equal(block(x)[:, :, :5], block(torch.cat([x[:, :, :5], -x[:, :, 5:]], 2))[:, :, :5])


def test_factorised_needs_space_beside_time():
    with pytest.raises(UsageError, match="convolution over one axis has no space beside its time"):
        factorised(1, 4, 3, ndim=1)


@pytest.mark.parametrize("ndim", RANKS)
def test_per_frame_is_one_frame_after_another(ndim):
    frame = ConvBlock(3, 4, 3, ndim=ndim - 1).double().eval() if ndim > 1 else nn.Linear(3, 4).double()
    x = signal(ndim)
    expected = torch.stack([frame(x[:, :, i]) for i in range(8)], 2)
    torch.testing.assert_close(PerFrame(frame)(x), expected)
    assert PerFrame(GlobalAvgPool())(signal(3)).shape == (2, 3, 8)


def test_per_frame_copies_nothing_where_channels_are_innermost():
    x = torch.randn(2, 3, 4, 5, 6).to(memory_format=torch.channels_last_3d)
    seen = PerFrame(nn.Identity())(x)
    assert seen.data_ptr() == x.data_ptr()
    assert seen.is_contiguous(memory_format=torch.channels_last_3d)


def test_branches_stand_one_behind_another():
    x = signal(2)
    torch.testing.assert_close(Branches([nn.Identity(), ScaledTanh()])(x), torch.cat([x, ScaledTanh()(x)], 1))


@pytest.mark.parametrize(("causal", "before"), [(False, 1), (True, 2)])
def test_temporal_block_is_dilated_convolutions_of_torch(causal, before):
    block = temporal_block(3, 4, (3, 5), dilation=3, causal=causal).double().eval()
    x = y = signal(1, size=20)
    for branches in (block.body.first, block.body.second):
        y = torch.cat(
            [
                branch.norm(
                    nn.functional.conv1d(
                        nn.functional.pad(y, (before * reach, (2 - before) * reach)), branch.conv.weight, dilation=3
                    )
                ).relu()
                for branch, reach in zip(branches, (3, 6), strict=True)
            ],
            1,
        )
    around = nn.functional.conv1d(x, block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), (y + around).relu())


def test_the_dilation_of_a_tcn_doubles_with_each_level():
    net = tcn(3, 6, levels=3)
    assert [branch.conv.window.dilation for level in net for branch in level.body.second] == [
        (dilation,) for dilation in (1, 2, 4) for _ in range(3)
    ]
    assert [branch.conv.window.kernel for branch in net.level2.body.first] == [(3,), (5,), (7,)]
    assert isinstance(net.level2.shortcut, nn.Identity)


def test_wrong_options_of_temporal_networks_are_named():
    with pytest.raises(UsageError, match=r"8 maps cannot be shared out equally among 3 .* kernel size in \(3, 5, 7\)"):
        temporal_block(2, 8, (3, 5, 7))
    with pytest.raises(UsageError, match="levels is 0; it must be at least 1"):
        tcn(3, 6, levels=0)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: PerFrame(Conv(2, 2, (3, 3))), (1, 2, 2, 4, 3)),
        (lambda: factorised(2, 2, (2, 2, 2), padding=("causal", "same", "same"), activation="tanh"), (1, 2, 2, 3, 2)),
        (lambda: temporal_block(2, 4, (2, 3), dilation=2, causal=True, dropout=0), (2, 2, 5)),
    ],
)
def test_backward_passes_are_proved(make, shape):
    assert verify(make().eval(), torch.randn(shape))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [((9,), 3, 2, 0), ((6, 7), (3, 2), (1, 2), "same"), ((4, 5, 6), 2, 1, (("causal", "valid", 1)))],
)
def test_locally_connected_with_equal_weights_everywhere_is_a_convolution(size, kernel, stride, padding):
    layer = LocallyConnected(2, 3, size, kernel, stride, padding).double()
    conv = Conv(2, 3, kernel, stride, padding, ndim=len(size)).double()
    with torch.no_grad():
        layer.weight.copy_(conv.weight.flatten(1).t().expand_as(layer.weight))
        layer.bias.copy_(conv.bias.expand_as(layer.bias))
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    torch.testing.assert_close(layer(x), conv(x))
    assert layer(x[:0]).shape == conv(x[:0]).shape
    assert sigconv.verify(layer, x)


def test_locally_connected_says_what_does_not_fit():
    with pytest.raises(UsageError, match="do not fit"):
        LocallyConnected(1, 2, (3, 3), 4)
    with pytest.raises(UsageError, match=r"receives \(1, 5, 4\) but has weights for the places of \(1, 4, 4\)"):
        LocallyConnected(1, 2, (4, 4), 3)(torch.zeros(1, 1, 5, 4))
