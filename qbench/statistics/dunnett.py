"""Dunnett's comparison with a reference, with seeds as blocks.

The model is value = row + seed + noise, with equal noise in all rows; the noise is estimated from
what rows and seeds leave unexplained, (rows - 1)(seeds - 1) degrees of freedom. Dunnett, "A
multiple comparison procedure for comparing several treatments with a control" (1955), with the
residual of the two-way layout in place of that within rows. If rows are not equally noisy, more
tables than promised show a difference that does not exist (benchmarks/coverage.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from qbench.statistics import paired
from qbench.statistics.paired import Seed

_NODES = 48  # of each of the two integrals; the quantile then has six digits
_REACH = 9.0  # the normal density beyond is below 1e-18
_TAIL = 1e-12  # probability of scales that the integral leaves out on either side


def common(values: Mapping[str, Mapping[Seed, float]], rows: Sequence[str]) -> list[Seed]:
    """The seeds that all these rows have, in the order of the first row."""
    first, *others = rows
    return [seed for seed in values[first] if all(seed in values[row] for row in others)]


def deviation(table: NDArray[np.float64]) -> float:
    """The standard deviation of a difference of two rows in one seed.

    Args:
        table: values by row (first axis, the reference among them) and seed (second axis).
    """
    rows, seeds = table.shape
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return sqrt(2 * float(np.sum(rest**2)) / ((rows - 1) * (seeds - 1)))


def half_width(deviation: float, seeds: int, family: int, level: float) -> float:
    """Half the width of a simultaneous interval; see `paired.half_width`.

    Args:
        deviation: the result of `deviation`, or its value expected for more seeds.
        seeds: number of seeds that all rows have, at least 2.
        family: number of rows that are compared with the reference.
        level: the probability that all intervals hold.
    """
    return quantile(family * (seeds - 1), family, level) * deviation / sqrt(seeds)


@lru_cache(maxsize=4096)
def quantile(degrees: int, family: int, level: float) -> float:
    """Dunnett's two-sided quantile for equal numbers of values (correlations of 1/2).

    Args:
        degrees: degrees of freedom of the noise.
        family: number of comparisons.
        level: such as 0.95.
    """
    from scipy.optimize import brentq

    # It lies between the quantiles without any correction and with Bonferroni's.
    low, high = paired.quantile(degrees, 1, level), paired.quantile(degrees, family, level)
    bounds = low * 0.999, high * 1.001
    return float(brentq(lambda c: probability(c, degrees, family) - level, *bounds, xtol=1e-7))


def probability(bound: float, degrees: int, family: int) -> float:
    """The probability that the largest of the studentized differences is at most `bound`.

    With the noise of the reference, z, and the scale of the estimated noise, u, given, the
    differences are independent; both are integrated out by Gauss and Legendre's rule.
    """
    from scipy.special import ndtr

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    z = nodes * _REACH
    density = np.exp(-(z**2) / 2) / sqrt(2 * np.pi) * weights * _REACH
    u, mass = _scales(degrees, nodes, weights)
    width = sqrt(2) * bound * u[:, None]
    inside = (ndtr(z + width) - ndtr(z - width)) ** family
    return float(mass @ (inside @ density))


def _scales(
    degrees: int, nodes: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and masses of the distribution of sqrt(chi-squared / degrees)."""
    from scipy.special import chdtri, gammaln

    low, high = (np.sqrt(chdtri(degrees, tail) / degrees) for tail in (1 - _TAIL, _TAIL))
    u = (high - low) / 2 * nodes + (high + low) / 2
    logarithm = (
        (degrees / 2) * np.log(degrees / 2)
        + np.log(2)
        - gammaln(degrees / 2)
        + (degrees - 1) * np.log(u)
        - degrees * u**2 / 2
    )
    return u, np.exp(logarithm) * weights * (high - low) / 2
