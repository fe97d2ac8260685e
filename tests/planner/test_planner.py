"""Which kernel is chosen, how that is forced, and how it is said."""

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import nn

import sigconv
import sigconv.functional as F
from sigconv import planner
from sigconv.errors import UsageError
from sigconv.geometry import Geometry, PooledGeometry
from sigconv.kernels.compiled import runtime
from sigconv.kernels.problem import Problem
from sigconv.layout import channels_last
from sigconv.nets.dainet import dainet
from sigconv.operations import fast_path
from sigconv.planner import choice, rules
from sigconv.window import Window

needs_numba = pytest.mark.skipif(not runtime.is_available(), reason="Numba has no OpenMP here")


def _kernel(problem: Problem) -> str:
    """What is chosen, but for what is remembered, which is this machine's."""
    return choice.search.__wrapped__(problem, choice.settings_now()).kernel  # type: ignore[attr-defined]


@needs_numba
def test_each_direction_has_a_kernel_of_its_own() -> None:
    plan = sigconv.plan(sigconv.Conv1d(256, 256, 9, groups=256), (8, 256, 1000))
    chosen = {step.operation: step.kernel for step in plan.steps}
    assert chosen == {"forward": "vendor", "grad_input": "flipped", "grad_weight": "numba"}
    assert "the vendor sums up" in str(plan)


def test_a_network_is_planned_layer_by_layer_and_left_alone() -> None:
    network = dainet((1, 8000), 10)
    plan = sigconv.plan(network, (8, 1, 8000))
    assert {step.layer for step in plan.steps} >= {"first.conv", "first.pool", "stage1.0.conv"}
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert all(p.device.type == "cpu" for p in network.parameters())


def test_modules_that_take_lists_and_names_are_planned() -> None:
    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = sigconv.Conv1d(4, 2, 3)

        def forward(self, *, signals: list[torch.Tensor]) -> torch.Tensor:
            return self.conv(input=torch.cat(signals, 1))

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = Both()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.both(signals=[x, x])

    assert {step.layer for step in sigconv.plan(Net(), (1, 2, 9)).steps} == {"both.conv"}


def test_of_a_transposed_convolution_the_geometry_is_planned_by_which_it_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Padding of its output that makes room for another window takes the place of trailing padding."""
    problems: list[Problem] = []
    choose = planner.choose
    monkeypatch.setattr(planner, "choose", lambda problem: problems.append(problem) or choose(problem))
    sigconv.plan(sigconv.ConvTranspose1d(4, 8, 5, padding=2, dilation=3, output_padding=2), (8, 4, 100))
    assert {problem.geometry.output_size for problem in problems} == {(100,)}


def test_a_batch_that_does_not_fit_is_said() -> None:
    with pytest.raises(sigconv.UsageError, match=r"plan: Conv1d cannot take .*25 channels"):
        sigconv.plan(sigconv.Conv1d(256, 256, 9), (8, 25, 1000))
    with pytest.raises(sigconv.UsageError, match=r"Conv2d takes signals of 2 axes behind batch .* \(3, 8, 8\)"):
        sigconv.plan(sigconv.Conv2d(3, 8, 3), (3, 8, 8))


def test_a_plan_of_nothing_says_how_to_get_one() -> None:
    assert "sigconv.convert(module)" in str(sigconv.plan(torch.nn.Conv2d(3, 8, 3), (1, 3, 8, 8)))


def test_what_is_used_is_what_is_planned() -> None:
    layer = sigconv.Conv1d(64, 64, 31, groups=64)
    x = channels_last(torch.randn(4, 64, 500)).requires_grad_()
    with planner.observed() as used:
        layer(x).sum().backward()
    planned = {(step.kernel, step.operation) for step in sigconv.plan(layer, (4, 64, 500)).steps}
    assert used == planned


def test_small_signals_are_torchs_own() -> None:
    with planner.observed() as used:
        y = sigconv.Conv1d(64, 64, 3, groups=64)(torch.randn(1, 64, 20))
    assert not used
    assert type(y.grad_fn).__name__ == "ConvolutionBackward0"


def test_environment_forces_a_kernel() -> None:
    program = "import sigconv, torch; from sigconv import planner\nwith planner.observed() as used:\n"
    program += "    sigconv.Conv1d(2, 2, 3)(torch.zeros(1, 2, 5))\nprint(used)"
    environment = {"SIGCONV_KERNEL": "reference"}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == "{('reference', 'forward')}"


def test_a_wrong_kernel_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_forced", "refrence")
    with pytest.raises(UsageError, match=r"Did you mean reference\?"):
        sigconv.Conv1d(2, 2, 3)(torch.zeros(1, 2, 5))


@needs_numba
@pytest.mark.parametrize("name", ["M5", "lips", "digits"])
def test_training_is_the_same_with_the_vendors_kernels(name: str) -> None:
    """The losses of three steps, with fast kernels on and off, to rounding."""
    from sigconv.notation import build

    def network() -> tuple[nn.Module, torch.Tensor]:
        torch.manual_seed(0)
        if name == "M5":
            return dainet((1, 4000), 5, width=16), torch.randn(16, 1, 4000)
        if name == "lips":
            layers = "16C3x5x5/1x2x2-MP1x2x2-32C3-MP2-N"
            net = build(layers, (1, 8, 24, 32), classes=5, norm="batch", padding="same")
            return net, torch.randn(8, 1, 8, 24, 32)
        return build("16C5-MP2-32C5-MP2-N", (1, 28, 28), classes=5, norm="batch"), torch.randn(16, 1, 28, 28)

    def losses() -> list[float]:
        net, x = network()
        optimizer, found = torch.optim.SGD(net.parameters(), 0.05), []
        for _ in range(3):
            loss = nn.functional.cross_entropy(net(x), torch.arange(len(x)) % 5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    with planner.observed() as used:
        fast = losses()
    assert ("numba", "normalised_max_pool") in used
    with sigconv.use_kernel("vendor"):
        slow = losses()
    assert fast == pytest.approx(slow, rel=1e-3)


@pytest.mark.parametrize(("amd", "kernel"), [(True, "vendor"), (False, "pointwise")])
def test_on_amds_processors_channels_last_is_not_left_to_mkl(
    amd: bool, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "is_amd", lambda: amd)
    geometry = Geometry(Window.parse((1, 1, 1)), (20, 14, 14))
    innermost = Problem("forward", geometry, 4, 64, 64, torch.float32, "cpu", True, True)
    assert _kernel(innermost) == kernel
    assert _kernel(replace(innermost, channels_last=False)) == "pointwise"


@needs_numba
@pytest.mark.parametrize(("avx2_alone", "kernel"), [(True, "winograd"), (False, "vendor")])
def test_sums_along_one_axis_are_left_to_a_vendor_with_long_vectors(
    avx2_alone: bool, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "has_avx2_alone", lambda: avx2_alone)
    sums = Problem("grad_weight", Geometry(Window.parse((5,)), (4004,)), 8, 64, 64, torch.float32, "cpu", True, True)
    assert _kernel(sums) == kernel
    assert _kernel(replace(sums, operation="forward")) == "vendor"


@needs_numba
@pytest.mark.parametrize("avx2_alone", [True, False])
def test_few_channels_are_left_to_a_vendor_with_long_vectors(avx2_alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "has_avx2_alone", lambda: avx2_alone)

    def kernel(operation: str, size: tuple[int, ...], channels: int, window: Window, batch: int = 16) -> str:
        problem = Problem(operation, Geometry(window, size), batch, channels, 32, torch.float32, "cpu", True, True)
        return _kernel(problem)

    bank, video = Window.parse((401,), 160, 200), Window.parse((3, 5, 5), (1, 2, 2), (1, 2, 2))
    assert (kernel("forward", (16000,), 1, bank) == "padded") == avx2_alone
    assert (kernel("grad_weight", (20, 40, 64), 1, video) == "few_channels") == avx2_alone
    assert kernel("forward", (16000,), 8, bank) == "vendor"  # channels enough
    assert kernel("forward", (16000,), 1, bank.without_padding()) == "vendor"
    assert kernel("forward", (16000,), 1, bank, batch=1) == "vendor"  # small
    assert kernel("grad_weight", (20, 40, 64), 4, video) == "vendor"
    assert kernel("grad_weight", (20, 40, 64), 1, Window.parse((5, 11, 11))) == "vendor"  # large


def _known(layer: sigconv.layers.Conv, x: torch.Tensor) -> object:
    form = fast_path.form(x, layer.weight, layer.bias, layer.window, layer.groups, layer.modes, False)
    return fast_path.known(form)


def _on_gpu(operation: str, kernel: tuple[int, ...], size: tuple[int, ...], **changes: Any) -> Problem:
    """Of 64 channels, each by itself, in channels-last."""
    window = Window.parse(kernel, padding="same", dilation=changes.pop("dilation", 1))
    geometry = Geometry(window, size, changes.pop("groups", 64))
    usual = {"batch": 256, "in_channels": 64, "dtype": torch.float32, "channels_last": True}
    return Problem(operation, geometry, **(usual | changes), out_channels=64, device="cuda", plain=True)


@pytest.mark.skipif(find_spec("triton") is None, reason="no Triton for this system")
@pytest.mark.parametrize(
    ("problem", "kernel"),
    [
        (_on_gpu("forward", (9,), (4000,)), "triton"),
        (_on_gpu("forward", (9,), (4000,), batch=1), "vendor"),
        (_on_gpu("forward", (101,), (4000,)), "vendor"),
        (_on_gpu("grad_input", (101,), (4000,)), "flipped"),
        (_on_gpu("grad_weight", (255,), (4000,), dtype=torch.bfloat16), "fft"),
        (_on_gpu("forward", (9,), (4000,), channels_last=False), "triton"),
        (_on_gpu("grad_weight", (9,), (4000,), channels_last=False), "vendor"),
        (_on_gpu("forward", (3, 3), (64, 64)), "vendor"),
        (_on_gpu("grad_input", (3, 3), (64, 64)), "flipped"),
        (_on_gpu("forward", (3, 3), (64, 64), dilation=2), "triton"),
        (_on_gpu("grad_weight", (7, 7), (64, 64)), "triton"),
        (_on_gpu("grad_weight", (7, 7), (64, 64), dtype=torch.bfloat16), "vendor"),
        (_on_gpu("grad_weight", (3, 3, 3), (16, 16, 16)), "triton"),
        (_on_gpu("forward", (3, 3), (64, 64), groups=1), "vendor"),
        (_on_gpu("forward", (5, 5), (64, 64), groups=1, in_channels=1), "triton"),
        (_on_gpu("max_pool", (3, 3), (64, 64)), "triton"),
        (_on_gpu("max_pool", (3, 3), (64, 64), batch=8), "vendor"),
        (_on_gpu("route", (3, 3), (64, 64), batch=8, winners=torch.uint8), "triton"),
        (_on_gpu("normalise", (1, 1), (64, 64)), "triton"),
        (_on_gpu("normalise", (1, 1), (64, 64), batch=32), "reference"),
    ],
)
def test_on_a_gpu_what_keeps_it_busy_is_ours(problem: Problem, kernel: str) -> None:
    assert _kernel(problem) == kernel


def test_the_number_of_threads_is_asked_for_each_time() -> None:
    geometry = PooledGeometry(Window.parse((3, 3), 1, 1), (64, 64), pool=Window.parse((2, 2), 2))
    of_one = Problem("grad_input_of_winners", geometry, 4, 8, 8, torch.float32, "cpu", True, True, torch.uint8)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 8):
            torch.set_num_threads(threads)
            found.append(planner.choose(of_one).kernel)
    finally:
        torch.set_num_threads(before)
    assert found == ["numba", "reference"]  # a signal is a thread's, and there are four


def test_convolutions_are_known_by_their_form() -> None:
    along, signal = sigconv.Conv1d(4, 6, 3), channels_last(torch.randn(2, 4, 9))
    assert torch.equal(along(signal), along(signal))  # as a picture
    layer, x = sigconv.Conv2d(4, 6, 3), torch.randn(2, 4, 9, 9)
    y = layer(x)
    assert _known(layer, x) is not None
    assert torch.equal(layer(x), y)  # the same the second time
    with sigconv.use_kernel("reference"), planner.observed() as used:
        torch.testing.assert_close(layer(x), y)
    assert ("reference", "forward") in used
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    with pytest.raises(sigconv.UsageError, match="float64"):
        layer(x.double())
    assert torch.func.vmap(layer)(x[None]).shape == (1, 2, 6, 7, 7)
    for other in (x[:, :, :2], x[:, :3]):
        with pytest.raises(sigconv.UsageError):
            layer(other)


@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 3, 9, 9), (2, 3, 9, 9, 9)])
def test_pooled_maps_are_known_by_their_form(shape: tuple[int, ...]) -> None:
    ndim, x = len(shape) - 2, torch.randn(shape, requires_grad=True)
    floor, ceil = sigconv.MaxPool(2, ndim=ndim), sigconv.MaxPool(2, ndim=ndim, ceil_mode=True)
    indexed = sigconv.MaxPool(2, ndim=ndim, return_indices=True)
    for layer, size in ((floor, 4), (ceil, 5)):
        y = layer(x)
        assert y.shape[2:] == (size,) * ndim
        assert fast_path.known(fast_path.pooling_form(x, layer.window, layer.ceil_mode)) is not None
        again = layer(x)  # the same the second time
        assert torch.equal(again, y)
        gradients = (torch.autograd.grad(pooled.square().sum(), x)[0] for pooled in (y, again))
        assert torch.equal(*gradients)
    best, winner = indexed(x)
    assert torch.equal(best, floor(x))
    assert torch.equal(x.flatten(2).gather(2, winner.flatten(2)), best.flatten(2))
    with sigconv.use_kernel("reference"), planner.observed() as used:
        assert torch.equal(floor(x), best)
    assert ("reference", "max_pool") in used
    assert torch.equal(torch.func.vmap(floor)(x[None])[0], best)
    assert torch.equal(floor(x[0]), best[0])
    with pytest.raises(sigconv.UsageError):
        floor(x[:, :, :1])


@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 3, 9, 9), (2, 3, 9, 9, 9)])
def test_means_are_known_by_their_form_and_options(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, requires_grad=True)
    options = [{}, {"divisor_override": 5}, {"padding": 1}, {"padding": 1, "divisor_override": 5}]
    options += [{"ceil_mode": True, "divisor_override": 5}, {"ceil_mode": True}]
    for how in (*options, {"padding": 1, "count_include_pad": False}):
        layer = sigconv.AvgPool(2, ndim=x.ndim - 2, **how)
        y, again = layer(x), layer(x)
        with sigconv.use_kernel("reference"):
            expected = layer(x)
        torch.testing.assert_close(y, expected)
        assert torch.equal(again, y)
        gradients = [torch.autograd.grad(pooled.square().sum(), x)[0] for pooled in (y, again)]
        assert torch.equal(*gradients)
        form = fast_path.pooling_form(x, layer.window, layer.ceil_mode, layer.count_include_pad, layer.divisor_override)
        assert (fast_path.known(form) is not None) == (how in options[:5])  # else places have divisors of their own
    assert layer(x.detach().half()).dtype == torch.half
    with pytest.raises(sigconv.UsageError):
        layer(x[:, :, :0])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (sigconv.Conv1d(4, 6, 3, padding=((1, 0),)), (2, 4, 9)),
        (sigconv.Conv1d(64, 64, 9, groups=64), (2, 64, 500)),
        (sigconv.channels_last(sigconv.Conv2d(1, 6, 3)), (2, 1, 9, 9)),
        (sigconv.Conv(4, 6, (2, 1, 2, 1)), (2, 4, 5, 5, 5, 5)),
    ],
    ids=["padded unevenly", "by a kernel of ours", "laid out", "four axes"],
)
def test_what_is_known_is_computed_alike_again(layer: sigconv.layers.Conv, shape: tuple[int, ...]) -> None:
    x, found = torch.randn(shape, requires_grad=True), []
    for _ in range(2):
        y = layer(x)
        found.append((y, *torch.autograd.grad(y.square().sum(), (x, layer.weight))))
        assert _known(layer, x) is not None
    assert all(
        torch.equal(first, again) and first.stride() == again.stride() for first, again in zip(*found, strict=True)
    )


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"bias": torch.randn(1)}, "bias"),
        ({"bias": torch.randn(6).double()}, "float64"),
        ({"weight": torch.randn(6, 2, 3).double()}, "float64"),
        ({"weight": torch.randn(6, 2, 3, device="meta")}, "meta"),
        ({"groups": 1}, "4 channels"),
    ],
    ids=["bias", "dtype of bias", "dtype of weight", "device", "groups"],
)
def test_a_form_holds_all_that_is_checked(other: dict, words: str) -> None:
    """So what is wrong is told even if only that has changed since the last call."""
    given = {"x": torch.randn(2, 4, 11), "weight": torch.randn(6, 2, 3), "bias": torch.randn(6), "groups": 2}
    F.conv(**given)
    with pytest.raises(UsageError, match=words):
        F.conv(**(given | other))


def test_a_form_holds_how_it_is_padded() -> None:
    layer, x = sigconv.Conv1d(2, 3, 3, padding=1), torch.randn(2, 2, 11)
    layer(x)
    layer.padding_mode = "circular"
    around = nn.functional.pad(x, (1, 1), mode="circular")
    torch.testing.assert_close(layer(x), nn.functional.conv1d(around, layer.weight, layer.bias))


def test_what_is_padded_apart_or_no_batch_is_not_known() -> None:
    for layer, x in (
        (sigconv.Conv1d(4, 6, 3, padding=1, padding_mode="reflect"), torch.randn(2, 4, 9)),
        (sigconv.Conv1d(4, 6, 3), torch.randn(4, 9)),
    ):
        layer(x)
        assert _known(layer, x) is None
