"""The operations under everything that torch does to functions and models."""

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jvp, vmap
from torch.testing import assert_close

import sigconv
import sigconv.functional as F
from sigconv.blocks import BatchNorm, ConvBlock
from sigconv.layout import channels_last
from sigconv.operations import fast_path
from sigconv.planner import rules

SIZE = (6, 5, 4)
RANKS = (1, 2, 3)

# Of a signal x and a weight w that fits every one of them.
OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "conv": lambda x, w: F.conv(x, w, stride=2, padding=((1, 2),) * (w.ndim - 2)),
    "conv, reflected": lambda x, w: F.conv(x, w, padding="same", padding_mode="reflect"),
    "conv_transpose": lambda x, w: F.conv_transpose(x, w, stride=2, padding=1, output_padding=1),
    "max_pool": lambda x, w: F.max_pool(F.conv(x, w), 2, ndim=w.ndim - 2, stride=1),
    "max_pool, uneven": lambda x, w: F.max_pool(F.conv(x, w), 2, ndim=w.ndim - 2, padding=((1, 0),) * (w.ndim - 2)),
    "avg_pool": lambda x, w: F.avg_pool(F.conv(x, w), 2, ndim=w.ndim - 2, padding=1, count_include_pad=False),
    "adaptive_max_pool": lambda x, w: F.adaptive_max_pool(F.conv(x, w), 2, ndim=w.ndim - 2),
    "adaptive_avg_pool": lambda x, w: F.adaptive_avg_pool(F.conv(x, w), 2, ndim=w.ndim - 2),
}
every_operation = pytest.mark.parametrize("name", OPERATIONS)
every_rank = pytest.mark.parametrize("ndim", RANKS)


def _operands(ndim: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(2, 2, *SIZE[:ndim], dtype=torch.float64, requires_grad=True)
    return x, torch.randn(2, 2, *(2,) * ndim, dtype=torch.float64, requires_grad=True)


class Net(nn.Module):
    """One of every layer."""

    def __init__(self, ndim: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            sigconv.Conv(1, 4, 3, padding="same", stride=1, ndim=ndim),
            sigconv.MaxPool(2, ndim=ndim),
            sigconv.ConvTranspose(4, 4, 2, groups=2, ndim=ndim),
            sigconv.AvgPool(2, 1, ndim=ndim),
            sigconv.AdaptiveMaxPool(3, ndim=ndim),
            sigconv.AdaptiveAvgPool(1, ndim=ndim),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).flatten(1)


def without_statistics(block: nn.Module) -> nn.Module:
    """A transform has no place for what follows the batches' statistics."""
    for module in block.modules():
        if isinstance(module, BatchNorm):
            module.track_running_stats = False
    return block


@every_rank
@every_operation
def test_first_and_second_derivatives_and_forward_mode(name: str, ndim: int) -> None:
    operands = _operands(ndim)
    torch.autograd.gradcheck(OPERATIONS[name], operands, check_forward_ad=True, fast_mode=True)
    torch.autograd.gradgradcheck(OPERATIONS[name], operands, check_fwd_over_rev=True, fast_mode=True)


@every_rank
@every_operation
def test_per_sample_gradients(name: str, ndim: int) -> None:
    x, w = _operands(ndim)

    def loss(w: Tensor, sample: Tensor) -> Tensor:
        return OPERATIONS[name](sample[None], w).square().sum()

    found = vmap(grad(loss), in_dims=(None, 0))(w, x)
    assert_close(found, torch.stack([grad(loss)(w, sample) for sample in x]))


@every_rank
@every_operation
def test_many_weights_at_once(name: str, ndim: int) -> None:
    x, w = _operands(ndim)
    weights = torch.stack([w, -2 * w])
    found = vmap(OPERATIONS[name], in_dims=(None, 0))(x, weights)
    assert_close(found, torch.stack([OPERATIONS[name](x, one) for one in weights]))


@pytest.mark.parametrize("kernel", ["vendor", "reference"])
@every_operation
def test_jvp_and_hessian(name: str, kernel: str) -> None:
    x, w = (t.detach() for t in _operands(1))
    with sigconv.use_kernel(kernel):
        value, slope = jvp(lambda w: OPERATIONS[name](x, w), (w,), (w,))
        assert_close(slope, value)  # each is homogeneous of degree one in w
        curvature = hessian(lambda w: OPERATIONS[name](x, w).square().sum())(w)
        # and the square is of degree two: w' H w = 2 f(w)
        assert_close(torch.einsum("abc,abcdef,def->", w, curvature, w), 2 * value.square().sum())


@every_operation
def test_compiles_whole(name: str) -> None:
    operands = _operands(2)
    torch.compiler.reset()
    compiled = torch.compile(OPERATIONS[name], fullgraph=True, backend="aot_eager")
    found, expected = compiled(*operands), OPERATIONS[name](*operands)
    assert_close(found, expected)
    assert_close(
        torch.autograd.grad(found.square().sum(), operands), torch.autograd.grad(expected.square().sum(), operands)
    )


@pytest.mark.parametrize(
    ("net", "settings", "sizes"),
    [
        # To code, for which each layer more takes long: without looking for what the processor has, a little less.
        (lambda: Net().layers[:2], {"dynamic": False, "options": {"cpp.simdlen": 1}}, [(2, 1, 12, 12)]),
        (
            lambda: sigconv.channels_last(Net()),
            {"dynamic": True, "backend": "aot_eager"},
            [(2, 1, 12, 12), (3, 1, 14, 12)],
        ),
    ],
    ids=["to code", "for any size, weights in channels-last"],
)
def test_network_compiles_whole(
    net: Callable[[], nn.Module], settings: dict[str, Any], sizes: list[tuple[int, ...]]
) -> None:
    torch.compiler.reset()
    net = net()
    compiled = torch.compile(net, fullgraph=True, **settings)
    for size in sizes:
        x = torch.randn(size)
        found, expected = (torch.autograd.grad(f(x).sum(), list(net.parameters())) for f in (compiled, net))
        assert_close(found, expected)


@pytest.mark.parametrize(
    "layer",
    [
        sigconv.Conv1d(4, 4, 4, padding="same"),
        sigconv.Conv1d(4, 4, 3, padding="causal"),
        sigconv.ConvTranspose1d(4, 4, 3),
        sigconv.Conv1d(4, 4, 1, stride=2),
    ],
    ids=repr,
)
def test_gradients_of_each_example_in_channels_last(layer: nn.Module) -> None:
    frames = torch.randn(8, 20, 4).transpose(1, 2)
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(layer, weights, (x[None],)).square().sum()

    found = vmap(grad(loss), (None, 0))(weights, frames)
    for i, x in enumerate(frames.contiguous()):
        for name, expected in grad(loss)(weights, x).items():
            assert_close(found[name][i], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kernel", "layout"), [((3, 3, 3), torch.clone), ((3, 1, 1), channels_last)], ids=["default", "channels-last"]
)
def test_volumes_compile_whole(kernel: tuple[int, ...], layout: Callable[[Tensor], Tensor]) -> None:
    torch.compiler.reset()
    conv, x = sigconv.Conv3d(2, 3, kernel), layout(torch.randn(2, 2, 5, 4, 6))
    assert_close(torch.compile(conv, fullgraph=True, dynamic=True, backend="aot_eager")(x), conv(x))


def test_a_compiler_does_not_go_through_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_path, "_known", None)
    torch.compiler.reset()
    torch.compile(sigconv.Conv2d(1, 4, 3), fullgraph=True, backend="aot_eager")(torch.randn(2, 1, 12, 12))


@every_rank
def test_exports(ndim: int) -> None:
    net, x = Net(ndim).eval(), torch.randn(2, 1, *(12,) * ndim)
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(net, (x,), dynamic_shapes=({0: batch},))
    other = torch.randn(5, 1, *(12,) * ndim)
    assert_close(program.module()(other), net(other))


@pytest.mark.parametrize(
    "layer",
    [
        sigconv.MaxPool2d(2),
        sigconv.MaxPool2d(3, 2, 1, ceil_mode=True),
        sigconv.MaxPool2d(3, 1, 1, dilation=2),
        sigconv.MaxPool2d(3, 1, padding="causal"),
        sigconv.AvgPool2d(3, 2, 1),
        sigconv.AvgPool2d(3, 2, 1, ceil_mode=True),
        sigconv.AdaptiveAvgPool2d((1, None)),
        sigconv.AdaptiveMaxPool2d(1),
        sigconv.ConvTranspose2d(3, 4, 3, 2, 1, 1),
        sigconv.ConvTranspose2d(3, 4, 3, 2, padding="causal"),
        ConvBlock(3, 16, 3, ndim=2, pool=2),
    ],
    ids=str,
)
def test_exports_for_pictures_of_any_size(layer: nn.Module) -> None:
    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(layer.eval(), (torch.randn(2, 3, 16, 18),), dynamic_shapes=(sizes,))
    other = torch.randn(2, 3, 22, 31)
    assert_close(program.module()(other), layer(other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [sigconv.MaxPool2d(3, 2, 1), sigconv.AvgPool2d(2)], ids=str)
def test_exports_pooling_of_heights_that_have_a_name(layer: nn.Module) -> None:
    height = torch.export.Dim("height", min=8, max=512)
    program = torch.export.export(layer, (torch.randn(2, 3, 64, 18),), dynamic_shapes=({2: height},))
    other = torch.randn(2, 3, 31, 18)
    assert_close(program.module()(other), layer(other))


@pytest.mark.parametrize("layer", [sigconv.AdaptiveAvgPool2d(1), sigconv.AdaptiveMaxPool2d((2, 3))], ids=str)
def test_traced_adaptive_pooling_takes_another_size(layer: nn.Module) -> None:
    with warnings.catch_warnings(action="ignore"):
        traced = torch.jit.trace(layer, torch.randn(1, 3, 31, 31))
    other = torch.randn(1, 3, 49, 20)
    assert_close(traced(other), layer(other))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (sigconv.AvgPool2d(3, 2, 1, count_include_pad=False), "avg_pool2d"),
        (sigconv.ConvTranspose2d(3, 4, 3, 2), "_convolution"),
        (sigconv.ConvTranspose2d(3, 4, 4, 2, padding=((1, 0), (1, 2)), output_padding=1), "_convolution"),
        (sigconv.Conv2d(3, 4, 1, stride=2), "_convolution"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tracers_and_exporters_are_given_what_they_know(layer: nn.Module, expected: str) -> None:
    """A mean as a sum by a divisor, say, is wrong in ONNX, whose exporters pass over divisors."""
    x = torch.randn(1, 3, 8, 8)
    with warnings.catch_warnings(action="ignore"):
        traced = torch.jit.trace(layer, x)
    assert_close(traced(x[..., :7]), layer(x[..., :7]))
    with warnings.catch_warnings(action="ignore"):
        assert_close(torch.jit.trace(layer, x[0])(x[0]), layer(x[0]))
    assert f"aten::{expected}(" in str(traced.inlined_graph)


def test_long_signals_compile_as_fast_as_short_ones() -> None:
    torch.compiler.reset()
    pool, x = sigconv.MaxPool1d(3, 1, dilation=2), torch.randn(1, 1, 16000)
    assert_close(torch.compile(pool, fullgraph=True, backend="eager")(x), pool(x))


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (sigconv.Conv1d(64, 64, 9, groups=64, dilation=4), (2, 64, 400)),
        (ConvBlock(8, 32, 3, ndim=2, pool=2, norm=None), (2, 8, 32, 32)),
        (without_statistics(ConvBlock(8, 32, 3, ndim=2, pool=2)), (2, 8, 32, 32)),
        (without_statistics(ConvBlock(8, 64, 3, ndim=2)), (4, 8, 64, 64)),
    ],
    ids=["depthwise", "pooled", "normalised and pooled", "normalised"],
)
def test_many_biases_at_once(module: nn.Module, shape: tuple[int, ...]) -> None:
    """And factors of normalisation, of which kernels take a number for each channel."""
    x = torch.randn(shape)
    for name, p in module.named_parameters():
        if p.ndim == 1:
            many = torch.stack([p.detach(), 2 * p.detach() + 1])
            found = vmap(lambda one, name=name: functional_call(module, {name: one}, (x,)))(many)
            for one, y in zip(many, found, strict=True):
                assert_close(y, functional_call(module, {name: one}, (x,)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (sigconv.Conv1d(1, 64, 80, stride=4), (2, 1, 8000)),
        (sigconv.Conv1d(64, 64, 9, groups=64), (2, 64, 2000)),
        (sigconv.Conv2d(16, 32, 1), (2, 16, 32, 32)),
    ],
    ids=["first layer", "depthwise", "pointwise"],
)
def test_backward_passes_keep_their_dtype_under_autocast(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = channels_last(torch.randn(shape)).requires_grad_()
    found = []
    for enabled in (False, True):
        loss = layer(x).square().sum()
        with torch.autocast("cpu", enabled=enabled):
            found.append(torch.autograd.grad(loss, [x, *layer.parameters()]))
    assert_close(found[1], found[0], rtol=0, atol=0)


def test_numbers_that_are_negative_by_a_bit() -> None:
    x = torch._neg_view(torch.randn(2, 2000, 64)).transpose(1, 2)
    assert_close(sigconv.MaxPool1d(2)(x), nn.MaxPool1d(2)(x))


def test_what_is_traced_reads_what_it_is_given() -> None:
    pool, x = sigconv.MaxPool2d(2), channels_last(torch.randn(8, 16, 64, 64))
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        traced = torch.jit.trace(pool, x)
        assert_close(traced(x.flip(0)), pool(x.flip(0)))


def test_gradients_of_each_sample_of_a_block() -> None:
    block, x = ConvBlock(4, 16, 3, ndim=2, norm=None), torch.randn(5, 4, 9, 9)

    def loss(weights: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(block, weights, (sample[None],)).square().sum()

    weights = dict(block.named_parameters())
    of_each = vmap(grad(loss), (None, 0))(weights, x)
    for sample in range(5):
        for name, expected in grad(loss)(weights, x[sample]).items():
            assert_close(of_each[name][sample], expected, rtol=1e-4, atol=1e-4)


def test_a_vectorised_jacobian_of_a_transposed_convolution() -> None:
    layer, x = sigconv.ConvTranspose2d(2, 3, 3), torch.randn(2, 2, 4, 5)
    one_by_one, at_once = (
        torch.autograd.functional.jacobian(layer, x, vectorize=vectorize) for vectorize in (False, True)
    )
    assert_close(at_once, one_by_one)
    assert_close(vmap(layer, in_dims=1)(x.unsqueeze(1)), layer(x).unsqueeze(0))


def test_exports_from_few_numbers_to_many() -> None:
    """What is worth a kernel of ours is a matter of size, which must not be written into the program."""
    block, x = ConvBlock(1, 16, 3, ndim=2, padding="same"), torch.randn(2, 1, 64, 64)
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(block, (x,), dynamic_shapes=({0: batch},))
    other = torch.randn(16, 1, 64, 64)
    assert 16 * x.numel() < rules.LEAST_POOLED < 16 * other.numel()
    assert_close(program.module()(other), copy.deepcopy(block)(other), rtol=1e-4, atol=1e-4)


@every_rank
def test_copies_and_pickles(ndim: int) -> None:
    net, x = Net(ndim), torch.randn(2, 1, *(12,) * ndim)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_close(other(x), net(x), rtol=0, atol=0)
        assert str(other) == str(net)
    assert all(a is not b for a, b in zip(net.parameters(), copy.deepcopy(net).parameters(), strict=True))


def test_functional_call() -> None:
    net, x = Net(), torch.randn(2, 1, 12, 12)
    doubled = {name: 2 * p for name, p in net.named_parameters()}
    other = copy.deepcopy(net)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(2)
    assert_close(functional_call(net, doubled, (x,)), other(x))


def _train_in_parallel(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(0)
    parallel = nn.parallel.DistributedDataParallel(Net())
    data = torch.randn(4, 1, 12, 12)[2 * rank : 2 * rank + 2]
    parallel(data).square().mean().backward()
    if rank == 0:
        torch.save([p.grad for p in parallel.parameters()], f"{folder}/gradients.pt")
    torch.distributed.destroy_process_group()


def test_distributed_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(_train_in_parallel, (str(tmp_path),), nprocs=2, start_method="fork")
    net = Net()
    torch.manual_seed(0)
    net = Net()
    net(torch.randn(4, 1, 12, 12)).square().mean().backward()
    found = torch.load(tmp_path / "gradients.pt")
    assert_close(found, [p.grad for p in net.parameters()])


def test_weight_gradients_have_the_strides_of_the_weight() -> None:
    """Otherwise DistributedDataParallel warns, and copies every gradient."""
    for layout in (torch.contiguous_format, torch.channels_last):
        layer = sigconv.Conv2d(3, 8, 3).to(memory_format=layout)
        layer(torch.randn(2, 3, 8, 8).to(memory_format=layout)).sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.grad.stride() == layer.weight.stride()
