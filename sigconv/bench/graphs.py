"""Calls as CUDA graphs: what a GPU does, without what Python does before it."""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM_UP = 3
"""Calls before one is captured, which must find all compiled, tuned and allocated."""


def graphed(call: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """What has the GPU do again all that ``call`` had it do, from and to the same memory."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            call()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        call()
    return graph.replay
