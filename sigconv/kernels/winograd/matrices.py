"""The constants of minimal filtering: a convolution of short polynomials, by their values at a few points.

At each point the value of a product of two polynomials is the product of their values; so its n coefficients need n
products. Transposed, this gives m outputs of a window of k places from n = m + k - 1 products instead of m k:

    y = O ((W w) * (I x))        Toom 1963, Cook 1966, Winograd 1980; for networks Lavin & Gray, 2016, section 3

Infinity, where a polynomial's value is its last coefficient, is always one of the points. The others are zero and pairs
of opposite points, which share half of their work, with the least rounding in float32 (found by trial; Barabasz,
Anderson, Soodhalter & Gregg, 2020, say why it matters).
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FINITE_POINTS: dict[int, tuple[float, ...]] = {4: (0, 1, -1), 6: (0, 0.75, -0.75, 1.5, -1.5)}
"""The points besides infinity, by the number of points including it."""

PLACES: dict[int, tuple[int, ...]] = {4: (3,), 6: (3, 5)}
"""Window lengths that occur in networks, by the number of points that pays off; a length of 1 needs one point."""


class Matrices(NamedTuple):
    """The transforms, float64: ``input`` I (n, n), ``weight`` W (n, k), ``output`` O (m, n)."""

    input: np.ndarray
    weight: np.ndarray
    output: np.ndarray


@functools.cache
def matrices(points: int, places: int) -> Matrices:
    """The transforms for a window of ``places`` along an axis, at most ``points``; ``input`` is the same for all."""
    finite = FINITE_POINTS[points]
    others = [[q for q in finite if q != p] for p in finite]
    scale = [
        math.prod(p - q for q in rest) for p, rest in zip(finite, others, strict=True)
    ]  # of Lagrange's polynomials
    weight = _values(points, places) / np.array([*scale, 1])[:, None]
    rows = np.array([_polynomial(roots, points) for roots in (*others, finite)])
    return Matrices(rows, weight, _values(points, points - places + 1).T.copy())


def _polynomial(roots: Sequence[float], coefficients: int) -> np.ndarray:
    """The coefficients of the product of all (x - root), the constant one first."""
    found = np.atleast_1d(np.poly(roots))[::-1]
    return np.pad(found, (0, coefficients - len(found)))


def _values(points: int, coefficients: int) -> np.ndarray:
    """The matrix that maps a polynomial's coefficients to its values at the points."""
    finite = np.vander(np.array(FINITE_POINTS[points], dtype=np.float64), coefficients, increasing=True)
    return np.vstack([finite, np.eye(coefficients)[-1]])


def factors(matrix: np.ndarray) -> list[np.ndarray]:
    """Matrices with more zeros and ones whose product is ``matrix``; the last is applied first.

    Rows, or else columns, of opposite points have the same even entries and opposite odd ones.
    """
    rows = _split(matrix)
    return rows or [part.T for part in reversed(_split(matrix.T) or [matrix.T])]


def _split(matrix: np.ndarray) -> list[np.ndarray]:
    """[sums and differences, even and odd entries apart]; empty where no rows are opposite."""
    signs = (-1.0) ** np.arange(matrix.shape[1])
    apart, joined, found = matrix.copy(), np.eye(len(matrix)), False
    for i, j in zip(range(len(matrix)), range(1, len(matrix)), strict=False):
        if np.any(matrix[i] != matrix[j]) and np.array_equal(matrix[i] * signs, matrix[j]):
            apart[i], apart[j] = matrix[i] * (signs > 0), matrix[i] * (signs < 0)
            joined[i, [i, j]], joined[j, [i, j]], found = 1, (1, -1), True
    return [joined, apart] if found else []
