"""Memory that loops share."""

import threading

import numpy as np

from sigconv.kernels.compiled.workspace import ALIGNED, MOST, workspace

FLOAT = np.dtype(np.float32)


def test_arrays_are_apart_and_aligned() -> None:
    arrays = workspace(FLOAT, (3, 5), (7,), (2, 2, 2))
    assert [array.shape for array in arrays] == [(3, 5), (7,), (2, 2, 2)]
    for number, array in enumerate(arrays):
        array.fill(number)
    assert all((array == number).all() and array.dtype == FLOAT for number, array in enumerate(arrays))
    assert all(array.ctypes.data % ALIGNED == 0 for array in arrays)


def test_memory_is_kept_by_each_thread_up_to_a_bound() -> None:
    first = workspace(FLOAT, (1000,))[0]
    assert np.shares_memory(first, workspace(FLOAT, (900,))[0])
    others: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: others.extend(workspace(FLOAT, (1000,))))
    thread.start()
    thread.join()
    assert not np.shares_memory(first, others[0])
    large = workspace(FLOAT, (MOST,))[0]
    assert not np.shares_memory(large, workspace(FLOAT, (MOST,))[0])
