"""A kernel as scalable codes with a scale for each vector (Khaliq and Hafiz, section III)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks
from qbench.codes import levels, thresholds
from qbench.codes.scales import EQUATION_9, LEAST_SQUARES, SCALES, equation_9, least_squares
from qbench.codes.thresholds import Thresholds
from qbench.codes.vectors import Cut

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Coded:
    """A kernel in codes.

    Attributes:
        cut: how the kernel is cut into vectors.
        phi: the largest code, 1, 2 or 4.
        codes: (count, length) int8: 0 and powers of two up to phi, with signs.
        scales: (count,) float32, 0 or more.
    """

    cut: Cut
    phi: int
    codes: NDArray[np.int8]
    scales: Array

    @property
    def kernel(self) -> Array:
        """The values in the kernel's shape, float32; products with codes are exact."""
        return self.cut.kernel(self.scales[:, None] * self.codes.astype(np.float32))

    @property
    def zeros(self) -> float:
        """The share of values whose code is 0."""
        return 1 - np.count_nonzero(self.codes) / self.cut.size


def coded(kernel: Array, cut: Cut, phi: int, scale: str, given: Thresholds) -> Coded:
    """The codes and scales of a kernel.

    Args:
        kernel: float32, of the shape of the cut.
        cut: how the kernel is cut into vectors.
        phi: the largest code.
        scale: `equation_9` or `least_squares`.
        given: the thresholds of the layer.

    Raises:
        QbenchError: another phi or scale, thresholds out of order, or values that are not finite.
    """
    levels.check_phi(phi)
    checks.one_of("scale", scale, SCALES)
    thresholds.check_thresholds(*given)
    check_finite(kernel)
    vectors = cut.vectors(np.asarray(kernel, np.float32))
    sigma = thresholds.sigmas(vectors).of(vectors)
    codes = thresholds.codes(vectors, sigma, given, phi)
    if scale == EQUATION_9:
        return Coded(cut, phi, codes, equation_9(vectors, cut.filled, phi))
    assert scale == LEAST_SQUARES
    return Coded(cut, phi, codes, least_squares(vectors, codes))


def recovered(kernel: Array, cut: Cut, phi: int) -> Coded:
    """The codes and scales of a kernel that has values of codes already.

    The scale of a vector is its smallest value that is not 0. So its codes may be half or a quarter
    of those that it was made of; the values are the same bits.

    Raises:
        QbenchError: the values are not codes times scales.
    """
    vectors = cut.vectors(np.asarray(kernel, np.float32))
    size = np.abs(vectors)
    smallest = np.where(size > 0, size, np.inf).min(axis=1)
    scales = np.where(np.isfinite(smallest), smallest, 0).astype(np.float32)
    codes = np.divide(
        vectors, scales[:, None], out=np.zeros_like(vectors), where=scales[:, None] > 0
    )
    allowed = (0, *levels.positive_codes(phi))
    if not np.isin(np.abs(codes), allowed).all():
        raise checks.wrong("kernel", "values of another kind", f"codes up to {phi} times scales")
    return Coded(cut, phi, codes.astype(np.int8), scales)


def check_finite(kernel: Array) -> None:
    """Check that a kernel has codes.

    Raises:
        QbenchError: a value is infinite or no number.
    """
    if not np.isfinite(kernel).all():
        raise checks.wrong("kernel", "values that are not finite", "finite values")


def relative_error(kernel: Array, values: Array) -> float:
    """Equation 5 over the squared size of the kernel: |kernel - values|^2 / |kernel|^2.

    It is 0 for a kernel of zeros.
    """
    whole = np.square(kernel, dtype=np.float64).sum()
    error = np.square(kernel.astype(np.float64) - values).sum()
    return float(error / whole) if whole else 0.0
