"""Counting and probing networks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sigconv.blocks import BatchNorm


class Kept(nn.Module):
    """Gives its input back, and keeps it."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x
        return x


def weights(make: Callable[..., nn.Module], *args: object, **options: object) -> int:
    """How many trainable numbers the network has that ``make`` builds, without taking memory for them."""
    with torch.device("meta"):
        return sum(p.numel() for p in make(*args, **options).parameters())


def outputs(net: nn.Module, x: Tensor, *names: str) -> list[tuple[int, ...]]:
    """The sizes, without batch and channels, that these modules of the network give, in order."""
    seen: dict[str, tuple[int, ...]] = {}
    for name in names:
        module = net.get_submodule(name)
        module.register_forward_hook(lambda _, __, y, name=name: seen.update({name: tuple(y.shape[2:])}))
    with torch.no_grad():
        net.eval()(x)
    return [seen[name] for name in names]


def field(net: nn.Module, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """How many samples along each axis one place in the middle of the module's first map sees, by its gradient.

    Weights are made positive and normalisation does nothing, so that nothing cancels.
    """
    net = net.double().eval()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1)
    kept: list[Tensor] = []
    net.get_submodule(name).register_forward_hook(lambda _, __, y: kept.append(y))
    x = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    net(x)
    y = kept[0]
    (gradient,) = torch.autograd.grad(y[(0, 0, *(n // 2 for n in y.shape[2:]))], x)
    where = gradient[0].ne(0).any(0).nonzero()
    return tuple((where.amax(0) - where.amin(0) + 1).tolist())


def settled(net: nn.Module, x: Tensor) -> nn.Module:
    """The network for evaluation, its running statistics those of ``x``: as drawn, deep ones let nothing through."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.momentum = 1.0
    net(x)
    return net.eval()


def check_training(net: nn.Module, x: Tensor, *, classes: int, steps: int, lr: float) -> None:
    """Every step reaches every parameter, and the loss on a batch ``x``, each a class of its own, gets lower."""
    labels = torch.arange(len(x))
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        logits = net(x)
        assert logits.shape == (len(x), classes)
        losses.append(F.cross_entropy(logits, labels))
        optimizer.zero_grad()
        losses[-1].backward()
        for parameter, weight in net.named_parameters():
            assert weight.grad is not None, parameter
            assert weight.grad.isfinite().all(), parameter
            assert weight.grad.ne(0).any(), parameter
        optimizer.step()
    assert losses[-1] < losses[0]
