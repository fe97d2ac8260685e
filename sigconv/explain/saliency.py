"""Which parts of its input a network's answer depends on: SmoothGrad (Smilkov et al., 2017, arXiv:1706.03825)."""

import torch
from torch import Tensor, nn

SAMPLES = 8
NOISE = 0.15  # standard deviation, as a share of the range of the input's values


@torch.enable_grad()
def smooth_gradient(model: nn.Module, seen: Tensor) -> Tensor:
    """(*places): how strongly the answer's score changes with the input at each place, summed over the channels.

    The score is the logit of the network's answer; for a network with one answer per frame, (B, tokens, T), the sum of
    the logits of the likeliest token at each frame. Its gradient with respect to the input is summed over noisy copies
    of the input (the paper's mean, up to a constant factor).

    Args:
        model: (B, channels, *places) -> logits (B, classes) or (B, tokens, T), in evaluation mode.
        seen: (channels, *places), as the network sees it.
    """
    generator = torch.Generator().manual_seed(0)
    spread = NOISE * (seen.max() - seen.min())
    with torch.no_grad():
        answer = model(seen[None]).argmax(1, keepdim=True)
    total = torch.zeros_like(seen)
    for _ in range(SAMPLES):
        noisy = seen + spread * torch.randn(seen.shape, generator=generator).to(seen)
        noisy.requires_grad_()
        score = model(noisy[None]).gather(1, answer).sum()
        total += torch.autograd.grad(score, noisy)[0]
    return total.abs().sum(0)
