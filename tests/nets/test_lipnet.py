"""LipNet: the paper's count, and what it computes written out with torch's own functions."""

import pytest
import torch
from networks import weights
from torch import nn
from torch.nn import functional as F

from sigconv.errors import UsageError
from sigconv.nets.lipnet import lipnet


def test_count_of_the_papers_layers():
    convolutions = 32 * (3 * 75 + 1) + 64 * (32 * 75 + 1) + 96 * (64 * 27 + 1)
    recurrence = sum(2 * 3 * 256 * (inputs + 256 + 2) for inputs in (96 * 3 * 6, 512))
    assert weights(lipnet, (3, 75, 50, 100), 28, sequence=True) == convolutions + recurrence + 28 * 513 == 4_574_460


def test_is_three_convolutions_and_two_recurrent_layers_of_torch():
    net = lipnet((3, 5, 20, 30), 7, sequence=True, width=4, hidden=6).double().eval()
    x = torch.randn(2, 3, 5, 20, 30, dtype=torch.float64)
    y = x
    for number, (stride, padding) in enumerate([((1, 2, 2), (1, 2, 2)), (1, (1, 2, 2)), (1, 1)], start=1):
        conv = net.get_submodule(f"conv{number}").conv
        y = F.max_pool3d(F.conv3d(y, conv.weight, conv.bias, stride, padding).relu(), (1, 2, 2))
    gru = nn.GRU(12, 6, num_layers=2, batch_first=True, bidirectional=True).double()
    gru.load_state_dict(net.gru.state_dict())
    y = gru(y.movedim(2, 1).flatten(2))[0]
    torch.testing.assert_close(net(x), F.linear(y, net.output.weight, net.output.bias).movedim(2, 1))


def test_a_norm_over_time_is_not_causal():
    with pytest.raises(UsageError, match="where causal, take norm=batch"):
        lipnet((1, 5, 16, 16), 7, norm="layer", causal=True)


def test_a_causal_network_has_one_direction():
    ways = [lipnet((1, 5, 16, 16), 7, width=4, hidden=6, causal=causal).gru for causal in (False, True)]
    assert [way.bidirectional for way in ways] == [True, False]


def test_whole_maps_are_dropped():
    net = lipnet((1, 5, 16, 24), 7, width=8).train()
    dropped = net.dropout1(torch.ones(2, 8, 5, 4, 6)).flatten(2)
    assert ((dropped == 0).all(2) | (dropped == 2).all(2)).all()
    assert dropped.eq(0).any()
