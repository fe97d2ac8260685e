"""What all networks have in common: shapes, training, lengths, and what they say to mistakes."""

import copy
import pickle

import pytest
import torch
from networks import check_training, settled

from sigconv.errors import UsageError
from sigconv.layers import Conv
from sigconv.nets.bcresnet import bcresnet
from sigconv.nets.dainet import VARIANTS as RAW
from sigconv.nets.dainet import dainet
from sigconv.nets.matchboxnet import matchboxnet
from sigconv.nets.res15 import VARIANTS as SPECTRAL
from sigconv.nets.res15 import SpeechResNet
from sigconv.nets.resnet import ResNet
from sigconv.nets.waibel import waibel
from sigconv.nets.xvector import xvector
from sigconv.notation import build

SPECTROGRAM, WAVEFORM = (1, 40, 31), (1, 4000)
NETWORKS = {
    "waibel": (waibel, SPECTROGRAM, {}),
    "waibel causal": (waibel, SPECTROGRAM, {"padding": "causal", "activation": "tanh"}),
    "xvector": (xvector, SPECTROGRAM, {"width": 8, "dropout": 0.1}),
    "bcresnet": (bcresnet, SPECTROGRAM, {"scale": 0.5}),
    "matchboxnet": (matchboxnet, SPECTROGRAM, {"repeats": 2, "width": 8, "dropout": 0.1}),
    "ResNet 1-D": (ResNet, SPECTROGRAM, {"width": 8, "ndim": 1}),
    "ResNet 2-D": (ResNet, SPECTROGRAM, {"blocks": (1, 1, 1), "width": 8, "small": True}),
    "ResNet 3-D": (ResNet, (1, 4, 12, 12), {"blocks": (1, 1), "width": 8, "block": "bottleneck", "stride": (1, 2, 2)}),
    "ResNet raw": (ResNet, WAVEFORM, {"blocks": (1, 1), "width": 4}),
    **{name: (SpeechResNet, SPECTROGRAM, {"variant": name, "width": 6}) for name in SPECTRAL},
    **{name: (dainet, WAVEFORM, {"variant": name, "width": 4}) for name in RAW},
    "string": (lambda *given, **options: build("8C5-MP2-8C3-GAP-N", *given, **options), SPECTROGRAM, {"ndim": 1}),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def network(name, classes=5):
    torch.manual_seed(1)
    make, shape, options = NETWORKS[name]
    return make(shape, classes=classes, **options), torch.randn(4, *shape)


@every_network
def test_a_training_step_reaches_every_parameter_and_lowers_the_loss(name):
    net, x = network(name)
    check_training(net, x, classes=5, steps=6, lr=1e-3)


@every_network
def test_signals_do_not_see_each_other_and_may_be_longer_when_it_is_used(name):
    net, x = network(name)
    net = settled(net, x)
    torch.testing.assert_close(net(x[:1]), net(x)[:1], atol=1e-5, rtol=1e-4)
    longer = torch.cat([x, x], -1)
    assert net(longer).shape == (4, 5)
    assert not torch.allclose(net(x[:1]), net(x[1:2]), atol=1e-4)


@every_network
def test_networks_are_copied_pickled_and_built_of_our_own_convolutions(name):
    net, x = network(name)
    net = net.eval()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(x), net(x))
    assert any(isinstance(module, Conv) for module in net.modules())
    assert not any(isinstance(module, torch.nn.modules.conv._ConvNd) for module in net.modules())


@every_network
def test_input_may_be_written_as_a_string(name):
    make, shape, options = NETWORKS[name]
    twin = make("x".join(map(str, shape)), classes=5, **options)
    assert twin.state_dict().keys() == network(name)[0].state_dict().keys()


@pytest.mark.parametrize("name", ["waibel", "xvector", "bcresnet", "matchboxnet", "M5", "res15", "ResNet 2-D"])
def test_there_is_at_least_one_class(name):
    with pytest.raises(UsageError, match="classes is 0; it must be at least 1"):
        network(name, classes=0)


@pytest.mark.parametrize("make", [bcresnet, SpeechResNet])
def test_networks_on_spectrograms_refuse_waveforms(make):
    with pytest.raises(UsageError, match="convolves over 2 axes; the input 1x8000, channels x sizes, has 1"):
        make((1, 8000), 10)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (dainet, {"variant": "M12"}, r"no variant 'M12'\. Did you mean M1"),
        (dainet, {"variant": "M34-res", "padding": "causal"}, "M34-res: padding is 'causal'.* must be 'same'"),
        (SpeechResNet, {"variant": "res16"}, r"no variant 'res16'\. Did you mean res"),
        (bcresnet, {"scale": 0}, "scale is 0; it must be at least 0.125"),
        (
            bcresnet,
            {"sub_bands": 3},
            "40 bands become 20, 10, 5, 5, which cannot be cut into 3 .* multiple of 24 bands",
        ),
        (bcresnet, {"sub_bands": 0}, "sub_bands is 0; it must be at least 1"),
        (matchboxnet, {"repeats": 0}, "repeats is 0"),
        (matchboxnet, {"padding": "valid"}, "padding is 'valid'; .* 'same' or 'causal'"),
        (ResNet, {"blocks": ()}, "give every stage one block or more"),
        (ResNet, {"squeeze": 0}, "squeeze is 0; it must be at least 1, or None"),
        (ResNet, {"ndim": 3}, "convolves over 3 axes; the input 1x40x31"),
    ],
)
def test_wrong_options_are_named(make, options, message):
    with pytest.raises(UsageError, match=message):
        make(SPECTROGRAM, 10, **options)


@pytest.mark.parametrize(
    ("name", "module"), [("waibel causal", "classes"), ("xvector", "frame5"), ("matchboxnet", "mix"), ("M5", "stage3")]
)
def test_causal_networks_do_not_look_ahead(name, module):
    make, shape, options = NETWORKS[name]
    net = make(shape, classes=3, **options | {"padding": "causal"}).eval()
    x = torch.randn(1, *shape)
    half = shape[-1] // 2
    changed = torch.cat([x[..., :half], torch.randn_like(x[..., half:])], -1)
    kept = []
    net.get_submodule(module).register_forward_hook(lambda _, __, y: kept.append(y))
    net(x), net(changed)
    before, after = kept
    places = -(-half * before.shape[-1] // shape[-1])  # place i sees nothing behind sample i * samples / places
    assert torch.equal(before[..., : places - 1], after[..., : places - 1])
    assert not torch.equal(before, after)
