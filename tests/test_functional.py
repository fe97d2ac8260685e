"""Convolution and pooling: against loops by hand, against torch over random geometry, and at the edges."""

import itertools
import math

import pytest
import torch
from geometries import Drawn, drawn_windows
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as T
from torch.testing import assert_close

import sigconv
import sigconv.functional as F
from sigconv import planner
from sigconv.geometry import Geometry
from sigconv.layout import channels_last
from sigconv.padding import MODES


def _torch_pad(x: Tensor, pairs: tuple[tuple[int, int], ...], value: float = 0.0) -> Tensor:
    return T.pad(x, [side for pair in reversed(pairs) for side in pair], value=value)


def _whole(*shape: int) -> Tensor:
    """Whole numbers in float64: their sums are exact in any order."""
    return torch.randint(-4, 5, shape).double()


def _geometry(drawn: Drawn, groups: int = 1) -> Geometry:
    return Geometry(drawn.window, drawn.size, groups)


def _terms(geometry: Geometry, output: tuple[int, ...]):
    """Every (output place, window place, input sample) that belongs together, by the formula itself."""
    window = geometry.window
    for o in itertools.product(*map(range, output)):
        for k in itertools.product(*map(range, window.kernel)):
            j = tuple(
                s * p + d * q - before
                for s, p, d, q, (before, _) in zip(window.stride, o, window.dilation, k, window.padding, strict=True)
            )
            if all(0 <= i < n for i, n in zip(j, geometry.size, strict=True)):
                yield o, k, j


@settings(max_examples=30, deadline=None)
@given(drawn_windows())
def test_reference_is_the_formula(drawn: Drawn) -> None:
    """The definition against loops over single numbers, all three operations at once."""
    geometry = _geometry(drawn, drawn.groups)
    output, groups = geometry.output_size, drawn.groups
    x, w = _whole(2, 2, *drawn.size), _whole(2, 2 // groups, *drawn.window.kernel)
    g = _whole(2, 2, *output)
    y, gx, gw = torch.zeros_like(g), torch.zeros_like(x), torch.zeros_like(w)
    for o, k, j in _terms(geometry, output):
        for b, c, i in itertools.product(range(2), range(2), range(2 // groups)):
            source = i if groups == 1 else c
            y[b, c][o] += x[b, source][j] * w[c, i][k]
            gx[b, source][j] += g[b, c][o] * w[c, i][k]
            gw[c, i][k] += g[b, c][o] * x[b, source][j]
    reference = planner.KERNELS["reference"]
    assert torch.equal(reference.forward(x, w, None, geometry), y)
    assert torch.equal(reference.grad_input(w, g, geometry), gx)
    assert torch.equal(reference.grad_weight(x, g, geometry), gw)


@settings(max_examples=40, deadline=None)
@given(drawn_windows(ranks=(1, 2, 3)))
def test_kernels_agree_bit_for_bit_on_whole_numbers(drawn: Drawn) -> None:
    geometry = _geometry(drawn, drawn.groups)
    x, w = _whole(2, 4, *drawn.size), _whole(6, 4 // drawn.groups, *drawn.window.kernel)
    g = _whole(2, 6, *geometry.output_size)
    vendor, reference = planner.KERNELS["vendor"], planner.KERNELS["reference"]
    for operation, operands in (("forward", (x, w, _whole(6))), ("grad_input", (w, g)), ("grad_weight", (x, g))):
        found, expected = (getattr(kernel, operation)(*operands, geometry) for kernel in (vendor, reference))
        assert torch.equal(found, expected), operation


@settings(max_examples=40, deadline=None)
@given(drawn_windows(), st.booleans())
def test_conv_equals_torch(drawn: Drawn, biased: bool) -> None:
    window, ndim = drawn.window, drawn.window.ndim
    x = _whole(2, 4, *drawn.size).requires_grad_()
    w = _whole(6, 4 // drawn.groups, *window.kernel).requires_grad_()
    bias = _whole(6).requires_grad_() if biased else None
    y = F.conv(x, w, bias, stride=window.stride, padding=window.padding, dilation=window.dilation, groups=drawn.groups)
    torch_conv = getattr(T, f"conv{ndim}d")
    z = torch_conv(_torch_pad(x, window.padding), w, bias, window.stride, 0, window.dilation, drawn.groups)
    leaves = [t for t in (x, w, bias) if t is not None]
    g = _whole(*z.shape)
    assert torch.equal(y, z)
    for found, expected in zip(torch.autograd.grad(y, leaves, g), torch.autograd.grad(z, leaves, g), strict=True):
        assert torch.equal(found, expected)


@settings(max_examples=40, deadline=None)
@given(drawn_windows(half_padded=True), st.booleans(), st.sampled_from(sorted(planner.KERNELS)))
def test_max_pool_equals_torch_with_many_ties(drawn: Drawn, ceil_mode: bool, kernel: str) -> None:
    window = drawn.window
    x = torch.randint(-1, 2, (2, 3, *drawn.size)).double().requires_grad_()
    padding = [before for before, _ in window.padding]
    torch_pool = getattr(T, f"max_pool{window.ndim}d")
    z, expected = torch_pool(x, window.kernel, window.stride, padding, window.dilation, ceil_mode, return_indices=True)
    options = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation}
    if (window.grown_to_ceil(drawn.size) if ceil_mode else window).blind_axis(drawn.size) is not None:
        with pytest.raises(ValueError, match="see nothing"):
            F.max_pool(x, window.kernel, ceil_mode=ceil_mode, **options)
        return
    with sigconv.use_kernel(kernel):
        y, winner = F.max_pool(x, window.kernel, ceil_mode=ceil_mode, return_indices=True, **options)
        gradient = torch.autograd.grad(y.sum(), x)[0]
    assert torch.equal(y, z)
    assert torch.equal(winner, expected)
    assert gradient.sum() == y.numel()  # one winner for each output, no more
    assert torch.equal(gradient, torch.autograd.grad(z.sum(), x)[0])


@settings(max_examples=40, deadline=None)
@given(drawn_windows(half_padded=True), st.booleans(), st.booleans(), st.sampled_from(sorted(planner.KERNELS)))
def test_avg_pool_equals_torch(drawn: Drawn, ceil_mode: bool, include: bool, kernel: str) -> None:
    window = drawn.window
    x = torch.randn(2, 3, *drawn.size, dtype=torch.float64, requires_grad=True)
    padding = [before for before, _ in window.padding]
    torch_pool = getattr(T, f"avg_pool{window.ndim}d")
    fits = [n + 2 * p >= k for n, p, k in zip(drawn.size, padding, window.kernel, strict=True)]
    assume(all(fits))  # the window was drawn with a dilation, which averages do not have
    # torch itself refuses volumes smaller than the window, whatever their padding
    assume(window.ndim < 3 or all(n >= k for n, k in zip(drawn.size, window.kernel, strict=True)))
    z = torch_pool(x, window.kernel, window.stride, padding, ceil_mode, include)
    with sigconv.use_kernel(kernel):
        y = F.avg_pool(
            x,
            window.kernel,
            stride=window.stride,
            padding=window.padding,
            ceil_mode=ceil_mode,
            count_include_pad=include,
        )
        gradient = torch.autograd.grad(y.square().sum(), x)[0]
    assert_close(y, z)
    assert_close(gradient, torch.autograd.grad(z.square().sum(), x)[0])


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_adaptive_pooling_equals_torch(kind: str, ndim: int) -> None:
    ours, torchs = getattr(F, f"adaptive_{kind}_pool"), getattr(T, f"adaptive_{kind}_pool{ndim}d")
    for sizes in itertools.product((1, 2, 3, 5, 8), repeat=ndim):
        x = torch.randn(2, 3, *(6, 7, 4)[:ndim], dtype=torch.float64, requires_grad=True)
        y, z = ours(x, sizes), torchs(x, sizes)
        assert_close(y, z)
        assert_close(torch.autograd.grad(y.square().sum(), x)[0], torch.autograd.grad(z.square().sum(), x)[0])
    if kind == "max":
        assert torch.equal(ours(x, sizes, return_indices=True)[1], torchs(x, sizes, return_indices=True)[1])
    assert ours(x, (None,) * ndim).shape == x.shape


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES[1:])
def test_padding_modes_equal_torch(mode: str, ndim: int) -> None:
    x = _whole(2, 2, *(5, 6, 4)[:ndim]).requires_grad_()
    w = _whole(3, 2, *(3, 2, 3)[:ndim])
    y = F.conv(x, w, padding=((2, 1),) * ndim, padding_mode=mode)
    z = getattr(T, f"conv{ndim}d")(T.pad(x, (2, 1) * ndim, mode=mode), w)
    assert torch.equal(y, z)
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.autograd.grad(z.sum(), x)[0])


def test_padding_modes_may_differ_by_axis() -> None:
    x, w = _whole(1, 1, 4, 5), _whole(1, 1, 3, 3)
    y = F.conv(x, w, padding=1, padding_mode=("zeros", "circular"))
    assert torch.equal(y, T.conv2d(T.pad(T.pad(x, (1, 1, 0, 0), mode="circular"), (0, 0, 1, 1)), w))


def test_causal_output_knows_nothing_of_the_future() -> None:
    x = torch.randn(1, 2, 9, 4, 4, requires_grad=True)
    w = torch.randn(3, 2, 3, 3, 3)
    y = F.conv(x, w, padding=("causal", "same", "same"), dilation=(2, 1, 1))
    assert y.shape[2:] == x.shape[2:]
    gradient = torch.autograd.grad(y[:, :, 4].sum(), x)[0]
    assert gradient[:, :, 5:].abs().max() == 0
    assert gradient[:, :, 4].abs().min() > 0


def test_convolution_of_four_axes() -> None:
    """No branch knows how many axes there are: the formula serves where the vendor has no kernel."""
    x, w = _whole(1, 2, 3, 4, 3, 2).requires_grad_(), _whole(2, 2, 2, 2, 2, 2).requires_grad_()
    y = F.conv(x, w, padding=1)
    expected = sum(
        torch.einsum(
            "bi...,oi->bo...",
            _torch_pad(x, ((1, 1),) * 4)[(..., *(slice(k, k + m) for k, m in zip(o, y.shape[2:], strict=True)))],
            w[(..., *o)],
        )
        for o in itertools.product((0, 1), repeat=4)
    )
    assert torch.equal(y, expected)
    assert F.max_pool(x, 2, ndim=4).shape == (1, 2, 1, 2, 1, 1)
    assert torch.autograd.gradcheck(lambda x, w: F.conv(x, w, stride=2), (x, w), eps=1.0)


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_unbatched_and_empty_batches(ndim: int) -> None:
    size = (5, 6, 4, 3)[:ndim]
    x, w = torch.randn(2, *size), torch.randn(3, 2, *(2,) * ndim)
    transposed = torch.randn(2, 3, *(2,) * ndim)
    for function in (
        lambda x: F.conv(x, w),
        lambda x: F.conv_transpose(x, transposed),
        lambda x: F.max_pool(x, 2, ndim=ndim),
        lambda x: F.avg_pool(x, 2, ndim=ndim),
        lambda x: F.adaptive_avg_pool(x, 3, ndim=ndim),
        lambda x: F.adaptive_max_pool(x, 3, ndim=ndim),
    ):
        assert_close(function(x), function(x[None])[0])
        empty = torch.randn(0, 2, *size, requires_grad=True)
        y = function(empty)
        assert y.shape == (0, *function(x).shape)
        y.sum().backward()
        assert empty.grad is not None
        assert empty.grad.shape == empty.shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_float16_averages_do_not_overflow(dtype: torch.dtype) -> None:
    x = torch.full((1, 1, 64, 64), 100.0, dtype=dtype)
    assert F.adaptive_avg_pool(x, 1, ndim=2).item() == 100
    for _ in range(2):  # the second time its form might be known
        assert F.avg_pool(x, 64, ndim=2).item() == 100


@pytest.mark.parametrize("ndim", [2, 3])
def test_channels_last_stays_so_and_gives_the_same(ndim: int) -> None:
    layout = torch.channels_last if ndim == 2 else torch.channels_last_3d
    x, w = torch.randn(2, 8, *(6,) * ndim), torch.randn(8, 8, *(3,) * ndim)
    for function in (lambda x: F.conv(x, w, padding=1), lambda x: F.max_pool(x, 2, ndim=ndim)):
        y = function(x.to(memory_format=layout).requires_grad_())
        assert y.is_contiguous(memory_format=layout)
        assert_close(y, function(x))
        y.sum().backward()


@pytest.mark.parametrize("size", [(300,), (32, 32), (9, 16, 16)], ids=["1-D", "2-D", "3-D"])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_few_channels_seen_at_single_places_in_channels_last(channels: int, size: tuple[int, ...]) -> None:
    """oneDNN's own gradient of these weights is wrong on processors with AVX2, or never ends: its issue 6035."""
    x = channels_last(torch.randn(16, channels, *size))
    w = torch.randn(8, channels, *[1] * len(size), requires_grad=True)
    y = F.conv(x, w, stride=2, padding=1)
    g = torch.randn_like(y)
    seen = T.pad(x, [1, 1] * len(size))[(..., *[slice(None, None, 2)] * len(size))]
    expected = torch.einsum("no...,ni...->oi", g.double(), seen.double())
    assert_close(torch.autograd.grad(y, w, g)[0].flatten(1).double(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_computes_as_torch_does(dtype: torch.dtype, device: str) -> None:
    ours = sigconv.Conv2d(3, 4, 3, device=device)
    theirs = torch.nn.Conv2d(3, 4, 3, device=device)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 8, 8, device=device)
    with torch.autocast(device, dtype=dtype):
        y, z = ours(x), theirs(x)
        assert torch.equal(ours(x), y)  # by what is known of the form, now
    assert y.dtype == z.dtype == dtype
    assert_close(y, z)
    assert ours(x).dtype == torch.float32
    y.float().sum().backward()
    z.float().sum().backward()
    assert ours.weight.grad is not None
    assert ours.weight.grad.dtype == torch.float32
    assert_close(ours.weight.grad, theirs.weight.grad)
    with torch.autocast(device, dtype=dtype):
        assert ours.double()(x.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: F.conv(torch.randn(2, 4, 8, 8), torch.randn(3, 2, 3, 3)), ["conv:", "4 channels", "takes 2"]),
        (lambda: F.conv(torch.randn(8, 8), torch.randn(3, 2, 3, 3)), ["2 axes", "(8, 8)"]),
        (lambda: F.conv(torch.randn(2, 2, 8, 3), torch.randn(3, 2, 3, 3), dilation=2), ["axis 1", "spans 5", "has 3"]),
        (lambda: F.conv(torch.randn(2, 2, 8), torch.randn(3, 2, 3).double()), ["float32", "float64"]),
        (lambda: F.conv(torch.randn(2, 2, 8), torch.randn(3, 2, 3), torch.randn(4)), ["bias", "(4,)", "3 out"]),
        (
            lambda: F.conv(torch.randn(2, 2, 8), torch.randn(3, 2, 3, device="meta")),
            ["input is on cpu but weight is on meta"],
        ),
        (lambda: F.conv(torch.ones(2, 2, 8, dtype=torch.int64), torch.ones(3, 2, 3)), ["int64", "float32"]),
        (lambda: F.conv(torch.randn(2, 4, 8), torch.randn(3, 2, 3), groups=2), ["3 out channels", "2 groups"]),
        (lambda: F.conv(torch.randn(2, 2, 0), torch.randn(3, 2, 1), padding=1), ["axis 0", "0 samples"]),
        (lambda: F.conv(torch.randn(1, 1, 4), torch.randn(1, 1, 9), padding=4, padding_mode="reflect"), ["4", "3"]),
        (
            lambda: F.conv(torch.randn(1, 1, 0), torch.randn(1, 1, 1), padding=1, padding_mode="replicate"),
            ["replicate", "axis 0", "0 samples"],
        ),
        (lambda: F.conv(torch.randn(1, 1, 4), torch.randn(1, 1, 3), padding_mode="mirror"), ["mirror", "reflect"]),
        (lambda: F.conv_transpose(torch.randn(1, 2, 4), torch.randn(3, 2, 3)), ["2 channels", "takes 3"]),
        (
            lambda: F.conv_transpose(torch.randn(1, 2, 4), torch.randn(2, 2, 3), stride=2, output_padding=2),
            ["output_padding", "axis 0", "2", "most is 1"],
        ),
        (lambda: F.conv_transpose(torch.randn(1, 2, 1), torch.randn(2, 2, 3), padding=2), ["axis 0", "-1 samples"]),
        (lambda: F.max_pool(torch.randn(1, 2, 4), 5, ndim=1), ["max_pool:", "spans 5", "has 4"]),
        (lambda: F.max_pool(torch.randn(1, 2, 4), 2), ["ndim"]),
        (lambda: F.max_pool(torch.randn(1, 2, 4), 2, ndim=1, padding=2), ["axis 0", "see nothing"]),
        (lambda: F.avg_pool(torch.randn(1, 2, 4), 2, ndim=1, divisor_override=0), ["divisor_override"]),
        (lambda: F.adaptive_avg_pool(torch.randn(1, 2, 4), (0,)), ["axis 0", "0", "1"]),
        (lambda: F.adaptive_max_pool(torch.randn(2, 4), (2, 2)), ["2 axes", "2 spatial"]),
        (lambda: F.adaptive_avg_pool(torch.randn(1, 2, 4), "2"), ["fits any rank"]),
        (lambda: F.adaptive_avg_pool(torch.randn(1, 2, 4), (2.5,)), ["axis 0", "2.5", "whole number"]),
        (lambda: F.avg_pool(torch.randn(1, 2, 4), 2, ndim=1, divisor_override=1.5), ["divisor_override", "1.5"]),
        (lambda: F.conv(torch.randn(2, 2, 8), [1.0]), ["weight is a list"]),
        (lambda: F.conv(torch.randn(2, 2, 8), torch.randn(3, 2, 3), 0.5), ["bias is a float"]),
        (lambda: F.conv_transpose(torch.randn(2, 2, 8), torch.randn(2, 3, 3), 0.5), ["bias is a float"]),
        (lambda: F.conv(torch.randn(2, 2, 8), torch.randn(3, 2, 3), groups="2"), ["groups", "'2'", "whole number"]),
        (lambda: F.conv(torch.randn(2, 2, 8), torch.randn(3, 2, 3), padding_mode=3), ["padding_mode 3", "reflect"]),
    ],
)
def test_what_does_not_fit_is_named(call, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        call()
    for word in words:
        assert word in str(error.value)


def test_no_kernel_of_that_name() -> None:
    with pytest.raises(ValueError, match=r"'fast'.*vendor, .*reference"), sigconv.use_kernel("fast"):
        pass


def test_trilinear_identity_holds_across_operations() -> None:
    """<g, conv(x, w)> = <conv_transpose(g, w), x>: transposed convolution is grad_input."""
    x, w = _whole(2, 4, 9, 8), _whole(6, 2, 3, 2)
    options = {"stride": 2, "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    y = F.conv(x, w, **options)
    g = _whole(*y.shape)
    extra = tuple(n - m for n, m in zip((9, 8), F.conv_transpose(g, w, **options).shape[2:], strict=True))
    back = F.conv_transpose(g, w, output_padding=extra, **options)
    assert math.isclose((g * y).sum().item(), (back * x).sum().item(), abs_tol=0)
