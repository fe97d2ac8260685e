"""The lipreading ResNet: the paper's count, torchvision's names, sizes, and the temporal network's field of view."""

import torch
from networks import field, outputs, weights

from sigconv.nets.lipresnet import lipresnet
from sigconv.nets.resnet import ResNet


def test_count_of_the_authors_program():
    front, trunk = 64 * 5 * 49 + 2 * 64, 11_166_976  # the trunk is torchvision's resnet18 without its stem and output
    levels = [15 * 256 * (inputs + 768) + 4 * 768 for inputs in (512, 768, 768, 768)]
    around, output = 512 * 768 + 768, 768 * 500 + 500
    ours = weights(lipresnet, (1, 29, 88, 88), 500)
    assert ours == front + trunk + sum(levels) + around + output == 34_583_476
    projections = 3 * (768 * 768 + 768)  # where nothing changes the shape
    biases = 4 * 2 * 768  # before normalisation
    prelu = 64 + 2 * 2 * (64 + 128 + 256 + 512) + 4 * 3 * 768
    assert ours + projections + biases + prelu == 36_374_516  # "36.4" million in the authors' list of models


def test_weights_of_torchvision_fit_the_trunk():
    trunk = lipresnet((1, 5, 32, 32), 10, width=8, tcn_width=6).trunk.module
    stages = {
        name: values for name, values in ResNet((3, 32, 32), 10, width=8).state_dict().items() if name[:5] == "layer"
    }
    trunk.load_state_dict(stages)
    assert torch.equal(trunk.layer4[1].conv2.weight, stages["layer4.1.conv2.weight"])


def test_sizes_of_the_paper():
    net = lipresnet((1, 5, 88, 88), 10, width=4, tcn_width=6)
    names = ["front.conv", "front", "trunk.module.layer1", "trunk.module.layer4", "trunk", "tcn"]
    sizes = outputs(net, torch.randn(1, 1, 5, 88, 88), *names)
    assert sizes == [(5, 44, 44), (5, 22, 22), (22, 22), (3, 3), (5,), (5,)]


def test_the_temporal_network_sees_further_with_each_level():
    net = lipresnet((1, 41, 8, 8), 3, width=2, blocks=(1,), kernel_sizes=(5,), tcn_width=4, levels=2)
    assert field(net, (1, 41, 8, 8), "tcn")[0] == 5 + 2 * 4 * (1 + 2)  # the front end's 5 frames; twice at each level
