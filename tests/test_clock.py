"""Interleaved timing."""

from functools import partial
from time import sleep

from sigconv.clock import AHEAD, ROUNDS, Timing, interleaved


def test_timing_takes_turns() -> None:
    order: list[str] = []

    def call(name: str) -> None:
        order.append(name)
        sleep(1.1 * AHEAD)  # so that one call is a sample, and one is before it

    timings = interleaved({name: partial(call, name) for name in "abc"}, seconds=0)
    assert {timing.rounds for timing in timings.values()} == {ROUNDS[0]}
    assert min(timing.median for timing in timings.values()) > AHEAD
    assert order[::2] == order[1::2]  # the first of two is not timed
    warming_up, *rounds = ("".join(order[n : n + 6 : 2]) for n in range(0, len(order), 6))
    assert warming_up == "abc"
    assert {"".join(sorted(names)) for names in rounds} == {"abc"}
    assert len(set(rounds)) > 1


def test_short_calls_are_repeated() -> None:
    calls: list[None] = []
    interleaved({"short": lambda: calls.append(None)}, seconds=0)
    assert len(calls) > 10 * ROUNDS[0]


def test_median_and_spread() -> None:
    assert Timing.of([5.0, 1.0, 3.0, 2.0, 4.0]) == Timing(median=3, spread=2 / 3, rounds=5)
