"""Codes of values by thresholds in units of sigma (Khaliq and Hafiz, equations 7 and 10).

A value is coded by its size |w|. Sigma is that of its sign.

    phi 1    0 below gamma sigma, 1 above
    phi 2    0 below gamma sigma, 1 up to sigma, 2 above
    phi 4    0 below gamma sigma, 1 up to sigma, 2 up to delta sigma, 4 above
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks

Array = NDArray[np.float32]

FEWEST = 4
"""Fewest values of a sign in a vector whose own sigma is used."""


class Thresholds(NamedTuple):
    """The thresholds of a layer in units of sigma.

    Attributes:
        gamma: below it a value becomes 0; 0 to 1.
        delta: above it a value becomes 4 if phi is 4; at least 1.
    """

    gamma: float
    delta: float


class Sigmas(NamedTuple):
    """Root mean squares about zero, (count,) float32 each.

    Attributes:
        positive: of the positive values.
        negative: of the negative values.
    """

    positive: Array
    negative: Array

    def of(self, vectors: Array) -> Array:
        """The sigma of each value by its sign, (count, length) float32."""
        return np.where(vectors > 0, self.positive[:, None], self.negative[:, None])


def check_thresholds(gamma: Any, delta: Any) -> None:
    """Check that thresholds are in order: gamma sigma, sigma, delta sigma.

    Raises:
        QbenchError: gamma is not from 0 to 1, or delta is below 1.
    """
    checks.number("gamma", gamma, 0, 1)
    checks.number("delta", delta, 1)


def sigmas(vectors: Array) -> Sigmas:
    """The sigmas of each vector; that of the layer for a sign with fewer than four values.

    Sums are in float64, so that their order does not change the float32 result.

    Args:
        vectors: (count, length) float32.
    """
    return Sigmas(_sigma(np.maximum(vectors, 0)), _sigma(np.maximum(-vectors, 0)))


def _sigma(side: Array) -> Array:
    squares = np.square(side, dtype=np.float64).sum(axis=1)
    number = np.count_nonzero(side, axis=1)
    own = np.sqrt(squares / np.maximum(number, 1))
    layer = np.sqrt(squares.sum() / max(int(number.sum()), 1))
    found: Array = np.where(number >= FEWEST, own, layer).astype(np.float32)
    return found


def codes(vectors: Array, sigma: Array, thresholds: Thresholds, phi: int) -> NDArray[np.int8]:
    """The code of each value, (count, length) int8; 0 stays 0.

    A value at a threshold belongs to the larger code at gamma sigma, else to the smaller one.

    Args:
        vectors: (count, length) float32.
        sigma: the sigma of each value, (count, length) float32.
        thresholds: the thresholds; products with sigma are float32.
        phi: the largest code, 1, 2 or 4.
    """
    size = np.abs(vectors)
    code = ((size >= np.float32(thresholds.gamma) * sigma) & (size > 0)).astype(np.int8)
    if phi > 1:
        code += size > sigma
    if phi > 2:
        code += 2 * (size > np.float32(thresholds.delta) * sigma).astype(np.int8)
    return np.where(vectors < 0, -code, code)
