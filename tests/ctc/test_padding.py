"""Frames that see nothing but padding."""

import pytest
import torch
from torch.nn import functional as F

from sigconv.ctc import DECODERS, Tokens, end_after, make_decoder
from sigconv.ctc.decoder import log_probability
from sigconv.ctc.padding import frames_of

TOKENS = Tokens(["", "a", "b", "c"], "words")


@pytest.mark.parametrize(("frames", "heard"), [(12, [12, 7, 1]), (6, [6, 4, 1]), (5, [5, 3, 1]), (24, [24, 14, 2])])
def test_a_frame_is_heard_if_it_sees_some_of_the_signal(frames: int, heard: list[int]) -> None:
    assert frames_of(torch.tensor([12, 7, 1]), 12, frames).tolist() == heard


def test_losses_and_gradients_are_those_of_the_frames_alone() -> None:
    logits = torch.randn(3, len(TOKENS), 12, requires_grad=True, generator=torch.Generator().manual_seed(0))
    targets, lengths = torch.tensor([[1, 2], [3, 3], [2, 1]]), torch.tensor([12, 9, 4])

    def loss(given: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        return F.ctc_loss(given.log_softmax(1).permute(2, 0, 1), targets, frames, torch.tensor([2, 2, 2]))

    alone = loss(logits, lengths)
    masked = loss(end_after(logits, lengths, 12), torch.tensor([12, 12, 12]))
    assert masked.item() == pytest.approx(alone.item(), rel=1e-6)
    torch.testing.assert_close(torch.autograd.grad(masked, logits), torch.autograd.grad(alone, logits))


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_read_what_the_frames_alone_spell(name: str) -> None:
    decoder = make_decoder(name, TOKENS, {"first": ["a", "b"], "second": ["c", "a"]})
    for seed in range(20):
        logits = 3 * torch.randn(1, len(TOKENS), 8, generator=torch.Generator().manual_seed(seed))
        alone = decoder(logits[0, :, :5].log_softmax(0))
        ended = end_after(logits, torch.tensor([5]), 8)[0].log_softmax(0)
        assert decoder(ended).text == alone.text
        assert log_probability(ended, TOKENS.encode(alone.text)) == pytest.approx(alone.score, rel=1e-5)
