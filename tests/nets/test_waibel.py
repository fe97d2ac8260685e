"""Waibel's network: the paper's counts, what it computes, and that it learns a pattern wherever it is in time."""

import torch
from networks import field, outputs, weights
from torch.nn import functional as F

from sigconv.nets.waibel import waibel


def test_counts_of_the_paper():
    net = waibel()
    assert outputs(net, torch.randn(1, 1, 16, 15), "hidden", "classes") == [(13,), (9,)]
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert sizes == {"fold": 0, "hidden": 392, "classes": 123, "evidence": 6}
    assert sizes["hidden"] * 13 + sizes["classes"] * 9 + 3 * (9 + 1) == 6_233  # connections, "6233" in the paper
    assert weights(waibel) == 521


def test_a_class_unit_sees_seven_frames():
    assert field(waibel((1, 16, 21), 3), (1, 16, 21), "classes") == (16, 7)


def test_is_two_convolutions_over_time_and_a_sum():
    net = waibel().double()
    x = torch.randn(2, 1, 16, 15, dtype=torch.float64)
    hidden, classes = net.hidden.conv, net.classes.conv
    y = F.conv1d(x[:, 0], hidden.weight, hidden.bias).sigmoid()
    y = F.conv1d(y, classes.weight, classes.bias).sigmoid()
    torch.testing.assert_close(net(x), y.sum(2))  # as it begins: the evidence of 9 frames, equal weights, no bias


def bursts(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rising, falling and level tones of 6 frames, somewhere in 15 frames of noise."""
    labels = torch.randint(0, 3, (count,))
    x = 0.2 * torch.randn(count, 1, 16, 15)
    for example, label in enumerate(labels.tolist()):
        start, band = torch.randint(0, 10, ()), torch.randint(5, 11, ())
        for frame in range(6):
            x[example, 0, band + (label - 1) * (frame - 3), start + frame] += 1
    return x, labels


def test_learns_a_pattern_wherever_it_is_in_time():
    torch.manual_seed(0)
    (x, labels), (unseen, truth) = bursts(600), bursts(200)
    net = waibel()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        F.cross_entropy(net(x), labels).backward()
        optimizer.step()
    assert (net(unseen).argmax(1) == truth).float().mean() > 0.9


def test_evidence_does_not_grow_with_the_length():
    net = waibel()
    x = torch.randn(2, 1, 16, 1).expand(-1, -1, -1, 15)
    torch.testing.assert_close(net(x), net(x.repeat(1, 1, 1, 10)))
