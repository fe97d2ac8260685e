"""The neocognitron: its equations by hand, learning by winning, and what it is for: a shift does not matter."""

import copy
import itertools

import pytest
import torch
from torch.nn import functional as T

from sigconv.errors import UsageError
from sigconv.nets.neocognitron import CCells, Neocognitron, SCells, bell


def cells(maps=1, planes=2, ndim=2, **options):
    torch.manual_seed(0)
    return SCells(maps, planes, 3, **{"selectivity": 4.0, "learning_selectivity": 4.0, **options}, ndim=ndim)


def stroke(ndim=2, size=9):
    """One straight line in the middle."""
    u = torch.zeros(1, 1, *[size] * ndim)
    u[(0, 0, ..., size // 2)] = 1.0
    return u


def test_an_s_cell_is_the_papers_equation():
    s = cells(maps=2, planes=1)
    s.excitatory.uniform_()
    s.inhibitory.fill_(0.7)
    u = torch.rand(1, 2, 3, 3)
    excited = (u[0] * s.excitatory[0]).sum()
    inhibited = (u[0].square() * bell(3, 2) / 2).sum().sqrt() * 0.7
    expected = 4.0 * max(0.0, (1 + excited) / (1 + 8 / 5 * inhibited) - 1)
    torch.testing.assert_close(s(u)[0, 0, 1, 1], torch.as_tensor(expected))


def test_a_c_cell_is_the_papers_equation():
    c = CCells(2, 3, 2, ndim=1)
    u = torch.rand(1, 2, 5)
    spread = (u[0, :, 1:4] * bell(3, 1)).sum(1)  # around the place in the middle, the second of three
    inhibited = torch.relu((1 + spread) / (1 + spread.mean()) - 1)
    torch.testing.assert_close(c(u)[0, :, 1], inhibited / (0.5 + inhibited))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_plane_answers_one_to_what_it_has_learned_and_not_to_the_rest(ndim):
    s, u = cells(planes=3, ndim=ndim), stroke(ndim)
    for _ in range(20):
        s.learn(u)
    middle = (0, slice(None), *[4] * ndim)
    learned = s.inhibitory > 0
    assert learned.any()
    assert s(u)[middle].amax() == pytest.approx(1, abs=0.1)
    assert s(u.roll(2, -1))[(0, slice(None), *[4] * (ndim - 1), 6)].amax() == pytest.approx(1, abs=0.1)
    assert s(torch.ones_like(u))[middle][learned].eq(0).all()


def test_features_that_differ_are_learned_by_different_planes():
    s, upright = cells(planes=4), stroke()
    for _ in range(10):
        s.learn(upright)
        s.learn(upright.transpose(2, 3))
    one, other = (s(u)[0, :, 4, 4].argmax() for u in (upright, upright.transpose(2, 3)))
    assert one != other


def test_only_the_winner_of_a_plane_learns_and_what_it_saw():
    s, u = cells(planes=1), stroke()
    before, activity = s.excitatory.clone(), s._activity(u)
    s.learn(u)
    gained = (s.excitatory - before)[0, 0]
    assert gained[:, 1].gt(0).all()
    assert gained[:, [0, 2]].eq(0).all()
    torch.testing.assert_close(s.inhibitory, s.reinforcement / 2 * activity.amax().reshape(1))


def test_stages_learn_one_after_another_and_then_no_more():
    torch.manual_seed(0)
    net = Neocognitron("1x16x16", 3, (4, 5), lessons=6)
    x = torch.rand(4, 1, 16, 16)
    states = []
    for _ in range(4):
        net(x)
        states.append([s.excitatory.clone() for s in net.s])
    changed = [[not torch.equal(a, b) for a, b in zip(*pair, strict=True)] for pair in itertools.pairwise(states)]
    assert changed == [[True, False], [False, True], [False, True]]
    assert int(net.seen) == 12
    net(x)
    assert torch.equal(states[-1][1], net.s[1].excitatory)


def test_in_use_it_learns_nothing_and_only_the_classifier_has_gradients():
    net = Neocognitron("1x12x12", 3, (4,), selectivity=(2.0,), learning_selectivity=(4.0,))
    net.eval()(torch.rand(2, 1, 12, 12))
    assert int(net.seen) == 0
    T.cross_entropy(net.train()(torch.rand(3, 1, 12, 12)), torch.arange(3)).backward()
    assert [name for name, p in net.named_parameters() if p.grad is not None] == ["output.weight", "output.bias"]


def test_it_goes_on_learning_where_it_was_saved():
    torch.manual_seed(0)
    one, x = Neocognitron("1x30", 3, lessons=6), torch.rand(4, 1, 30)
    one(x)
    other = Neocognitron("1x30", 3, lessons=6)
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(other(x), one(x))
    torch.testing.assert_close(other.s[0].excitatory, one.s[0].excitatory)


def test_stages_must_be_told_alike():
    with pytest.raises(UsageError, match=r"planes \(4, 5, 6\).*a number for each stage"):
        Neocognitron("1x16x16", 3, (4, 5, 6))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("planes", (0, 4)),
        ("kernel_size", 0),
        ("selectivity", (2.0, -1.0)),
        ("learning_selectivity", (0.0, 4.0)),
        ("lessons", 0),
    ],
)
def test_numbers_must_be_positive(name, value):
    with pytest.raises(UsageError, match=rf"the neocognitron: {name} is \S+; it must be more than 0"):
        Neocognitron("1x16x16", 3, **{"planes": (4, 5), name: value})


def test_nothing_is_learned_from_no_signals():
    net = Neocognitron("1x16x16", 3, (4, 5))
    assert net(torch.rand(0, 1, 16, 16)).shape == (0, 3)
    assert int(net.seen) == 0


def test_no_more_is_learned_than_there_are_lessons():
    torch.manual_seed(0)
    one, x = Neocognitron("1x16x16", 3, (4, 5), lessons=3), torch.rand(5, 1, 16, 16)
    other = copy.deepcopy(one)
    one(x)
    other(x[:3])
    assert torch.equal(one.s[0].excitatory, other.s[0].excitatory)
