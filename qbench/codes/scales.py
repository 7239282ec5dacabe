"""The scale of a vector: equation 9 of Khaliq and Hafiz, or least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

EQUATION_9, LEAST_SQUARES = "equation_9", "least_squares"
SCALES = (EQUATION_9, LEAST_SQUARES)


def equation_9(vectors: Array, filled: NDArray[Any], phi: int) -> Array:
    """The mean of |w| over phi, sum |w| / (phi N), (count,) float32.

    Args:
        vectors: (count, length) float32, zeros where a vector is shorter.
        filled: number of values of each vector, (count,).
        phi: the largest code.
    """
    sums = np.abs(vectors).sum(axis=1, dtype=np.float64)
    found: Array = (sums / (phi * filled)).astype(np.float32)
    return found


def least_squares(vectors: Array, codes: NDArray[Any]) -> Array:
    """The scale of least squared error, sum(w code) / sum(code^2), (count,) float32.

    It is 0 for a vector of zeros.

    Args:
        vectors: (count, length) float32.
        codes: (count, length) whole numbers.
    """
    products = np.multiply(vectors, codes, dtype=np.float64).sum(axis=1)
    squares = np.square(codes, dtype=np.int64).sum(axis=1)
    found: Array = (products / np.maximum(squares, 1)).astype(np.float32)
    return found
