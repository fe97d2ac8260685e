"""What the networks on videos have in common: scores of words and frames, causality, what they say to mistakes."""

import copy
import pickle

import pytest
import torch
from networks import check_training, settled

from sigconv.errors import UsageError
from sigconv.nets.lipnet import lipnet
from sigconv.nets.lipresnet import lipresnet
from sigconv.nets.r2plus1d import r2plus1d

SHAPE = (1, 7, 16, 24)
NETWORKS = {
    "lipnet": (lipnet, {"width": 4, "hidden": 6, "dropout": 0.1}),
    "lipnet norm": (lipnet, {"width": 4, "hidden": 6, "norm": "batch", "dropout": 0.0}),
    "lipresnet": (lipresnet, {"width": 4, "blocks": (1, 1, 1, 1), "tcn_width": 12}),
    "lipresnet tcn": (lipresnet, {"width": 4, "blocks": (1, 1), "kernel_sizes": (3,), "tcn_width": 8, "levels": 2}),
    "r2plus1d": (r2plus1d, {"width": 4, "blocks": (1, 1)}),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def network(name, **options):
    torch.manual_seed(1)
    make, small = NETWORKS[name]
    return make(SHAPE, 5, **small, **options)


@every_network
@pytest.mark.parametrize("causal", [False, True])
def test_a_training_step_reaches_every_parameter_and_lowers_the_loss(name, causal):
    check_training(network(name, causal=causal), torch.randn(4, *SHAPE), classes=5, steps=8, lr=3e-3)


@every_network
def test_scores_of_a_word_are_the_mean_of_those_of_its_frames(name):
    x = torch.randn(3, *SHAPE)
    words, frames = (settled(network(name, sequence=sequence), x) for sequence in (False, True))
    words.load_state_dict(frames.state_dict())
    scores = frames(x)
    assert scores.shape == (3, 5, 7)
    assert scores.std(2).min() > 0
    torch.testing.assert_close(words(x), scores.mean(2), atol=1e-5, rtol=1e-4)


@every_network
def test_no_frame_of_a_causal_network_sees_a_later_one(name):
    x = torch.randn(2, *SHAPE)
    changed = x.clone()
    changed[:, :, 4:] = 0
    for causal in (True, False):
        net = settled(network(name, sequence=True, causal=causal), x)
        before, after = net(x), net(changed)
        assert torch.equal(before[..., :4], after[..., :4]) is causal
        assert not torch.allclose(before[..., 4:], after[..., 4:], atol=1e-5)


@every_network
def test_videos_do_not_see_each_other_and_may_have_any_number_of_frames(name):
    x = torch.randn(2, *SHAPE)
    net = settled(network(name, sequence=True), x)
    torch.testing.assert_close(net(x[:1]), net(x)[:1], atol=1e-5, rtol=1e-4)
    assert net(torch.cat([x, x], 2)).shape == (2, 5, 14)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(x), net(x))


@every_network
def test_layout_in_memory_changes_nothing(name):
    x = torch.randn(2, *SHAPE)
    net = settled(network(name), x)
    torch.testing.assert_close(net(x.to(memory_format=torch.channels_last_3d)), net(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("make", [lipnet, lipresnet, r2plus1d])
def test_networks_on_videos_refuse_other_signals(make):
    with pytest.raises(UsageError, match="convolves over 3 axes; the input 1x40x72, channels x sizes, has 2"):
        make("1x40x72", 5)
    with pytest.raises(UsageError, match="classes is 0"):
        make(SHAPE, 0)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lipnet, {"input": "1x9x14x40"}, "1x9x14x40 is too small; .* at least 15x15"),
        (lipresnet, {"blocks": (1, 0)}, r"blocks is \(1, 0\); give every stage one block or more"),
        (lipresnet, {"tcn_width": 16}, "16 maps cannot be shared out equally among 3 branches"),
        (r2plus1d, {"sequence": True, "stride": 2}, "scores of each frame, but stride is 2; let it begin with 1"),
    ],
)
def test_wrong_options_are_named(make, options, message):
    with pytest.raises(UsageError, match=message):
        make(**{"input": SHAPE, "classes": 5} | options)


def test_lipnet_names_the_size_that_it_was_built_for():
    with pytest.raises(UsageError, match=r"receives \(12, 1, 2\) but the network was built for \(12, 1, 1\)"):
        network("lipnet")(torch.randn(1, 1, 7, 16, 40))
