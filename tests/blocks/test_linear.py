"""Layers of neurons, by torch and by oneDNN."""

import pytest
import torch
from torch.autograd import forward_ad

from sigconv import backends
from sigconv.blocks import Linear


@pytest.mark.parametrize("bias", [True, False])
def test_neurons_by_onednn_are_torchs(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Linear(30, 20, bias=bias), torch.randn(2, 7, 30, requires_grad=True)
    leaves = [x, *layer.parameters()]

    def results() -> list[torch.Tensor]:
        with torch.no_grad():
            unrecorded = layer(x)
        y = layer(x)
        gradients = torch.autograd.grad(y.square().sum(), leaves, create_graph=True)
        seconds = torch.autograd.grad(gradients[0].square().sum(), leaves[:2], retain_graph=True)
        return [unrecorded, y, *torch.autograd.grad(y.sum(), leaves, retain_graph=True), *gradients, *seconds]

    expected = results()
    monkeypatch.setattr(backends, "linear_by_onednn", True)
    assert type(layer(x).grad_fn).__name__ == "ViewBackward0"
    for found, right in zip(results(), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-4)


def test_neurons_by_onednn_refuse_other_features_as_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "linear_by_onednn", True)
    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \(4x20 and 10x5\)"):
        Linear(10, 5)(torch.randn(4, 20))


def test_an_empty_batch_has_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Linear(30, 20), torch.empty(0, 30, requires_grad=True)
    monkeypatch.setattr(backends, "linear_by_onednn", True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert not layer.weight.grad.any()


def test_a_bias_may_be_a_column_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Linear(30, 20), torch.randn(7, 30)
    layer.bias = torch.nn.Parameter(torch.randn(20, 2)[:, 1])
    expected = layer(x)
    monkeypatch.setattr(backends, "linear_by_onednn", True)
    torch.testing.assert_close(layer(x), expected)


def test_forward_mode_through_the_backward_pass_of_neurons(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x, (g, slope) = Linear(30, 20), torch.randn(7, 30), torch.randn(2, 7, 20)
    monkeypatch.setattr(backends, "linear_by_onednn", True)
    y = layer(x)
    with forward_ad.dual_level():
        (gradient,) = torch.autograd.grad(y, layer.weight, forward_ad.make_dual(g, slope))
        found = forward_ad.unpack_dual(gradient).tangent
    torch.testing.assert_close(found, slope.t() @ x)


def test_neurons_by_onednn_leave_autocast_and_vmap_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Linear(30, 20), torch.randn(3, 7, 30)
    monkeypatch.setattr(backends, "linear_by_onednn", True)
    torch.testing.assert_close(torch.func.vmap(layer)(x), layer(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


def test_neurons_by_onednn_have_a_forward_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x, v = Linear(30, 20), torch.randn(7, 30), torch.randn(7, 30)
    monkeypatch.setattr(backends, "linear_by_onednn", True)
    torch.testing.assert_close(torch.func.jvp(layer, (x,), (v,))[1], v @ layer.weight.T)
    with torch.autograd.forward_ad.dual_level():
        y = layer(torch.autograd.forward_ad.make_dual(x, v))
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(y).tangent, v @ layer.weight.T)
