"""Prefix beam search: the score of a prefix is the sum over all paths that spell it."""

import torch
from torch import Tensor

from sigconv.ctc.tokens import BLANK

WIDTH = 20


def beam_search(log_probs: Tensor, width: int = WIDTH) -> list[int]:
    """The likeliest tokens, summed over their paths, when only the `width` best prefixes are kept at each frame.

    A. Y. Hannun, A. L. Maas, D. Jurafsky, A. Y. Ng: First-pass large vocabulary continuous speech recognition using
    bi-directional recurrent DNNs. arXiv:1408.2873, 2014; without a language model.

    Args:
        log_probs: (tokens, T), natural logarithms.
    """
    prefixes: list[tuple[int, ...]] = [()]
    blank, spoken = (torch.tensor([x], dtype=torch.float64) for x in (0.0, -torch.inf))  # paths by what they end in
    for frame in log_probs.double().cpu().T:
        last = torch.tensor([prefix[-1] if prefix else BLANK for prefix in prefixes])
        both = torch.logaddexp(blank, spoken)
        grown = both[:, None] + frame
        grown[range(len(prefixes)), last] = blank + frame[last]  # a repeated token needs a blank in between
        grown[:, BLANK] = -torch.inf
        blank, spoken = both + frame[BLANK], spoken + frame[last]
        _join(prefixes, spoken, grown)
        scores = torch.cat([torch.logaddexp(blank, spoken), grown.flatten()])
        best = scores.topk(min(width, len(scores))).indices
        best = best[scores[best] > -torch.inf]
        kept, new = best[best < len(prefixes)], best[best >= len(prefixes)] - len(prefixes)
        rows, tokens = (part.tolist() for part in (new // len(frame), new % len(frame)))
        blank = torch.cat([blank[kept], torch.full((len(new),), -torch.inf, dtype=torch.float64)])
        spoken = torch.cat([spoken[kept], grown.flatten()[new]])
        prefixes = [prefixes[i] for i in kept.tolist()] + [
            (*prefixes[row], token) for row, token in zip(rows, tokens, strict=True)
        ]
    return list(prefixes[int(torch.logaddexp(blank, spoken).argmax())])


def _join(prefixes: list[tuple[int, ...]], spoken: Tensor, grown: Tensor) -> None:
    """Where a prefix extended by a token is itself among the prefixes, moves the extension's probability to it."""
    place = {prefix: i for i, prefix in enumerate(prefixes)}
    pairs = [(i, place[prefix[:-1]], prefix[-1]) for prefix, i in place.items() if prefix and prefix[:-1] in place]
    if pairs:
        longer, shorter, token = (list(part) for part in zip(*pairs, strict=True))
        spoken[longer] = torch.logaddexp(spoken[longer], grown[shorter, token])
        grown[shorter, token] = -torch.inf
