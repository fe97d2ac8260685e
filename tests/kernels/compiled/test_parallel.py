"""Loops that threads share: every turn is somebody's, once, whoever calls and however many there are."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sigconv.kernels.compiled import runtime

pytestmark = pytest.mark.skipif(not runtime.is_available(), reason="Numba has no OpenMP here")


@pytest.fixture(scope="module")
def counted():
    """Adds 1 to each of the first ``turns`` numbers, and to the last how often the loop was called."""
    import numba

    from sigconv.kernels.compiled.parallel import in_parallel

    @runtime.called
    def loop(turns, numbers, of_each_call, nothing, more):
        for turn in turns:
            numbers[turn] += more
        if nothing is None:
            of_each_call[turns.start] += len(turns)

    def count(turns, numbers, of_each_call):
        in_parallel(loop, turns, (numbers, of_each_call, None, 1))

    return numba.njit(nogil=True)(count)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("turns", [0, 1, 2, 7, 100])
def test_every_turn_is_taken_once(counted, turns: int, threads: int) -> None:
    import numba
    import numpy as np

    before = numba.get_num_threads()
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip(f"{numba.config.NUMBA_NUM_THREADS} threads are all that there are here")
    try:
        numba.set_num_threads(threads)
        numbers, of_each_call = np.zeros(101), np.zeros(101)
        counted(turns, numbers, of_each_call)
    finally:
        numba.set_num_threads(before)
    assert numbers.tolist() == [1] * turns + [0] * (101 - turns)
    assert of_each_call.sum() == turns
    assert np.count_nonzero(of_each_call) == min(threads, turns)
    assert of_each_call.max() - min(of_each_call[of_each_call > 0], default=0) <= 1


def test_two_may_call_at_once(counted) -> None:
    import numpy as np

    def call(_: int) -> bool:
        numbers, of_each_call = np.zeros(100_000), np.zeros(100_000)
        counted(len(numbers), numbers, of_each_call)
        return bool((numbers == 1).all())

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(call, range(200)))


@pytest.mark.parametrize("name", ["PARALLEL_FOR", "NUMBER_OF_THREADS"])
def test_other_kernels_serve_where_numba_has_it_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime._starts.__wrapped__()
    monkeypatch.setattr(runtime, name, "numba_has_no_such_thing")
    assert not runtime._starts.__wrapped__()
