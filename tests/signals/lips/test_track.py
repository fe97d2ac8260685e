"""One smooth path from poses that tremble, lack and err."""

from collections.abc import Iterable

import numpy as np
import pytest

from sigconv.signals.lips.pose import Pose
from sigconv.signals.lips.track import follow
from sigconv.signals.lips.video import BadVideo

RATE = 25.0


def still(count: int) -> list[Pose | None]:
    return [Pose(100.0, 80.0, 40.0, 0.1)] * count


def test_what_is_whole_stays_as_it_is():
    track = follow(still(50), RATE, "clip.mp4")
    np.testing.assert_allclose(track.poses, [[100, 80, 40, 0.1]] * 50)
    assert track.quality.found == 1
    assert track.quality.score == pytest.approx(1)
    assert track.quality.jitter == pytest.approx(0, abs=1e-9)
    assert track.quality.eyes == pytest.approx(40)


def test_moves_without_lag():
    x = 100 + 2.0 * np.arange(50)
    track = follow([Pose(place, 80, 40, 0) for place in x], RATE, "clip.mp4")
    np.testing.assert_allclose(track.poses[10:-10, 0], x[10:-10], atol=1e-6)


def test_gaps_are_filled():
    poses: list[Pose | None] = [Pose(100 + 2.0 * i, 80, 40, 0) for i in range(60)]
    poses[:8] = [None] * 8
    poses[30:42] = [None] * 12
    track = follow(poses, RATE, "clip.mp4")
    np.testing.assert_allclose(track.poses[18:50, 0], 100 + 2 * np.arange(18, 50), atol=1e-6)
    np.testing.assert_allclose(track.poses[:3, 0], 116, atol=0.1)
    assert track.quality.found == pytest.approx(40 / 60)


@pytest.mark.parametrize("missing", [range(13), range(30, 43), range(62, 75), range(0, 75, 2), range(75)])
def test_too_little_face_is_refused(missing):
    poses = still(75)
    for i in missing:
        poses[i] = None
    with pytest.raises(
        BadVideo, match=rf"clip.mp4: no face; one was found in {75 - len(missing)} of 75 frames"
    ) as caught:
        follow(poses, RATE, "clip.mp4")
    assert caught.value.reason == "no face"


def without(missing: Iterable[int], count: int = 75) -> list[Pose | None]:
    return [None if i in missing else pose for i, pose in enumerate(still(count))]


def test_where_windows_are_enough_long_gaps_may_be_between_them():
    gaps = {*range(30, 43), *range(50, 70), 10, 11, 12}
    track = follow(without(gaps, 100), RATE, "clip.mp4", window=30)
    assert track.stretches == [(0, 30), (70, 100)]
    np.testing.assert_allclose(track.poses, [[100, 80, 40, 0.1]] * 100)
    assert follow(without(gaps, 100), RATE, "clip.mp4", window=7).stretches == [(0, 30), (43, 50), (70, 100)]
    with pytest.raises(BadVideo, match="no face; one was found in 64 of 100 frames, and in none of 20 together"):
        follow(without(gaps, 100), RATE, "clip.mp4", window=31)
    assert follow(still(75), RATE, "clip.mp4", window=30).stretches == [(0, 75)]
    assert follow(still(75), RATE, "clip.mp4", window=100).stretches == [(0, 75)]
    assert follow(still(75), RATE, "clip.mp4").stretches == [(0, 75)]


def test_a_stretch_with_few_faces_is_left_out():
    missing = {*range(20, 40), *range(40, 80, 2)}  # 13 and more at first, then every second
    assert follow(without(missing, 130), RATE, "clip.mp4", window=10).stretches == [(0, 20), (41, 130)]
    assert follow(without(missing, 95), RATE, "clip.mp4", window=10).stretches == [(0, 20), (41, 95)]
    assert follow(without(missing, 82), RATE, "clip.mp4", window=10).stretches == [(0, 20)]


@pytest.mark.parametrize("missing", [range(75), range(0, 75, 2), range(10, 75)])
def test_windows_need_a_face_too(missing):
    with pytest.raises(BadVideo, match=rf"no face; one was found in {75 - len(missing)} of 75 frames"):
        follow(without(missing), RATE, "clip.mp4", window=20)


@pytest.mark.parametrize("wrong", [Pose(300, 20, 40, 0), Pose(100, 80, 60, 0.1)])
def test_a_wrong_face_counts_as_none(wrong):
    poses = still(75)
    poses[3] = poses[20] = poses[21] = poses[22] = poses[74] = wrong
    track = follow(poses, RATE, "clip.mp4")
    np.testing.assert_allclose(track.poses, [[100, 80, 40, 0.1]] * 75)
    assert track.quality.found == pytest.approx(70 / 75)


def test_follows_the_head_and_not_the_mouth():
    times = np.arange(100) / RATE
    head, mouth = 20 * np.sin(2 * np.pi * 0.3 * times), np.sin(2 * np.pi * 5 * times)
    track = follow([Pose(100, 80 + value, 40, 0) for value in head + mouth], RATE, "clip.mp4")
    inner = slice(10, -10)
    assert np.abs(track.poses[inner, 1] - 80 - head[inner]).max() < 0.5
    assert track.quality.jitter == pytest.approx(np.sqrt(0.5) / 40, rel=0.1)


def test_quality_falls():
    generator = np.random.default_rng(0)
    trembling = [Pose(100 + generator.normal(0, 4), 80, 40, 0) for _ in range(75)]
    far = [Pose(100, 80, 16, 0)] * 75
    assert follow(trembling, RATE, "clip.mp4").quality.score < 0.7
    assert follow(far, RATE, "clip.mp4").quality.score == pytest.approx(0.5)
