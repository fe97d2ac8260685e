"""The x-vector network: the paper's count and context, and what it computes written out with torch's own functions."""

import torch
from networks import field, outputs
from torch.nn import functional as F

from sigconv.nets.xvector import xvector


def test_weights_up_to_the_embedding_are_those_of_the_paper():
    with torch.device("meta"):
        net = xvector((24, 300), 7185, width=512, pooled=1500)
    layers = ["frame1", "frame2", "frame3", "frame4", "frame5", "segment6"]
    sizes = [sum(p.numel() for p in net.get_submodule(name).parameters()) for name in layers]
    scales = 5 * 512 + 1500  # batch normalisation has a weight and a bias where the paper's layers have a bias
    assert sum(sizes) - scales == 4_204_508  # "4.2 million" in the paper


def test_the_frame_layers_see_15_frames():
    assert outputs(xvector((24, 15), 3, 8), torch.randn(1, 24, 15), "frame1", "frame5") == [(11,), (1,)]
    assert field(xvector((24, 31), 3, 8), (24, 31), "frame5") == (15,)


def test_is_convolutions_over_time_and_statistics():
    net = xvector((1, 4, 30), 3, 8).double().eval()
    x = torch.randn(2, 1, 4, 30, dtype=torch.float64)
    y = x[:, 0]
    for layer, dilation in zip(
        [net.frame1, net.frame2, net.frame3, net.frame4, net.frame5], [1, 2, 3, 1, 1], strict=True
    ):
        y = layer.norm(F.conv1d(y, layer.conv.weight, dilation=dilation)).relu()
    y = torch.cat([y.mean(2), y.std(2, correction=0).clamp(min=1e-5)], 1)
    for segment in (net.segment6, net.segment7):
        y = segment.norm(y @ segment.linear.weight.T).relu()
    torch.testing.assert_close(net(x), net.output(y))
