"""Exhaustive search of the thresholds of a layer, by the squared error of equation 5.

The error of a vector follows from four sums over its values: of squares, of code^2, of |w| times
the code, and of |w|. A threshold moves values between two neighbouring codes. So each value is put
once between two of the thresholds of the grid, and the sums of all pairs of thresholds follow from
the sums between thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks
from qbench.base.errors import QbenchError
from qbench.codes import levels
from qbench.codes.scalable import check_finite
from qbench.codes.scales import LEAST_SQUARES, SCALES, equation_9
from qbench.codes.thresholds import Sigmas, Thresholds, check_thresholds, sigmas
from qbench.codes.vectors import Cut

Array = NDArray[np.float32]
Sums = NDArray[Any]

GAMMAS = tuple(round(0.05 + 0.1 * step, 2) for step in range(10))
DELTAS = tuple(round(1.0 + 0.2 * step, 1) for step in range(10))
# Number of values that are handled at once: some MB with all sums.
_BLOCK = 1 << 18


@dataclass(frozen=True, eq=False)
class Found:
    """The result of a search.

    Attributes:
        thresholds: the pair of the grid with the least error; the first one of several.
        errors: the squared error of each pair, (gammas, deltas) float64.
    """

    thresholds: Thresholds
    errors: Sums


def search(
    kernel: Array,
    cut: Cut,
    phi: int,
    scale: str,
    gammas: Sequence[float] = GAMMAS,
    deltas: Sequence[float] = DELTAS,
    workers: int = 1,
) -> Found:
    """The best thresholds of a kernel on a grid.

    Args:
        kernel: float32, of the shape of the cut.
        cut: how the kernel is cut into vectors.
        phi: the largest code. Below 4 delta has no effect.
        scale: `equation_9` or `least_squares`.
        gammas: the grid of gamma, in rising order.
        deltas: the grid of delta, in rising order.
        workers: number of threads.

    Raises:
        QbenchError: another phi, an empty grid, or one that is not in order.
    """
    levels.check_phi(phi)
    checks.one_of("scale", scale, SCALES)
    check_finite(kernel)
    _check_grid(gammas, deltas)
    vectors, filled = cut.vectors(np.asarray(kernel, np.float32)), cut.filled
    sigma = sigmas(vectors)

    def gained(part: slice) -> Sums:
        some = vectors[part]
        each = Sigmas(sigma.positive[part], sigma.negative[part]).of(some)
        sums = _sums(some, each, phi, gammas, deltas)
        if scale == LEAST_SQUARES:
            return _least(sums)
        return _with_scale(sums, equation_9(some, filled[part], phi))

    rows = max(_BLOCK // cut.length, 1)
    parts = [slice(first, first + rows) for first in range(0, len(vectors), rows)]
    with ThreadPoolExecutor(workers) as pool:
        less = sum(pool.map(gained, parts))
    errors = np.maximum(np.square(vectors, dtype=np.float64).sum() - less, 0)
    best = divmod(int(errors.argmin()), len(deltas))
    return Found(Thresholds(float(gammas[best[0]]), float(deltas[best[1]])), errors)


def _check_grid(gammas: Sequence[float], deltas: Sequence[float]) -> None:
    for name, grid in (("gammas", gammas), ("deltas", deltas)):
        if not len(grid) or sorted(grid) != list(grid):
            raise QbenchError(f"{name}={list(grid)}: expected one or more numbers in rising order.")
    for gamma in gammas:
        check_thresholds(gamma, 1)
    for delta in deltas:
        check_thresholds(0, delta)


class _Sums(NamedTuple):
    """Sums over each vector; that of a pair of thresholds is the sum of its two parts.

    Attributes:
        products: of |w| times |code|: (count, gammas) and (count, deltas).
        squares: of code^2, in the same two parts.
    """

    products: tuple[Sums, Sums]
    squares: tuple[Sums, Sums]


def _sums(
    vectors: Array, sigma: Array, phi: int, gammas: Sequence[float], deltas: Sequence[float]
) -> _Sums:
    """The sums of vectors (count, length), whose values have these sigmas."""
    size = np.abs(vectors)
    place = np.zeros(vectors.shape, np.int64)
    for gamma in gammas:
        place += size >= np.float32(gamma) * sigma
    if phi > 1:
        place += size > sigma
    if phi > 2:
        for delta in deltas:
            place += size > np.float32(delta) * sigma
    place[size == 0] = 0
    places = 1 + len(gammas) + (phi > 1) + len(deltas) * (phi > 2)
    place += places * np.arange(len(vectors))[:, None]
    sizes = np.bincount(place.reshape(-1), size.reshape(-1), places * len(vectors))
    numbers = np.bincount(place.reshape(-1), minlength=places * len(vectors))
    # From code 1 to 2 to 4 a value of size w adds w, then 2 w; and 3 squares, then 12.
    ends = len(gammas), len(deltas)
    return _Sums(
        _parts(sizes.reshape(-1, places), ends, 1, 2),
        _parts(numbers.reshape(-1, places).astype(np.float64), ends, 3, 12),
    )


def _parts(between: Sums, ends: tuple[int, int], to_two: int, to_four: int) -> tuple[Sums, Sums]:
    """Sums for each gamma and for each delta, from sums of values between two thresholds."""
    gammas, deltas = ends
    above = np.cumsum(between[:, ::-1], axis=1)[:, ::-1]
    more = np.zeros((len(above), deltas))
    more += to_two * above[:, gammas + 1 : gammas + 2].sum(axis=1, keepdims=True)
    if above.shape[1] > gammas + 2:
        more += to_four * above[:, gammas + 2 :]
    return above[:, 1 : gammas + 1], more


def _least(sums: _Sums) -> Sums:
    """By how much least squares lower the error: sum(w code)^2 / sum(code^2), (gammas, deltas)."""
    (products, more_products), (squares, more_squares) = sums
    columns = []
    for j in range(more_products.shape[1]):
        above = products + more_products[:, j : j + 1]
        below = np.maximum(squares + more_squares[:, j : j + 1], 1)
        columns.append((above * above / below).sum(axis=0))
    return np.stack(columns, axis=1)


def _with_scale(sums: _Sums, scales: Array) -> Sums:
    """By how much given scales a lower the error: 2 a sum(w code) - a^2 sum(code^2)."""
    a = scales.astype(np.float64)
    by_gamma, by_delta = (
        2 * a @ products - a * a @ squares
        for products, squares in zip(sums.products, sums.squares, strict=True)
    )
    return np.add.outer(by_gamma, by_delta)
