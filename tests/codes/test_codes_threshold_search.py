"""The search of thresholds finds the errors that coding with every pair gives."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.codes.scalable import coded
from qbench.codes.threshold_search import DELTAS, GAMMAS, search
from qbench.codes.thresholds import Thresholds
from qbench.codes.vectors import cut_of

GAMMA, DELTA = (0, 0.3, 0.55, 1), (1, 1.4, 2.25)


def kernel_with_zeros(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return np.where(np.random.default_rng(1).random(shape) < 0.1, 0, values).astype(np.float32)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("phi", [1, 2, 4])
@pytest.mark.parametrize("scale", ["equation_9", "least_squares"])
@pytest.mark.parametrize(("shape", "length"), [((3, 3, 7, 5), 4), ((40, 3), 64), ((1, 9), None)])
def test_errors_of_every_pair(shape, length, phi, scale, workers, monkeypatch):
    monkeypatch.setattr("qbench.codes.threshold_search._BLOCK", 30)
    kernel, cut = kernel_with_zeros(shape), cut_of(shape, length)
    found = search(kernel, cut, phi, scale, GAMMA, DELTA, workers)
    expected = np.empty((len(GAMMA), len(DELTA)))
    for i, gamma in enumerate(GAMMA):
        for j, delta in enumerate(DELTA):
            values = coded(kernel, cut, phi, scale, Thresholds(gamma, delta)).kernel
            expected[i, j] = np.square(kernel.astype(float) - values).sum()
    np.testing.assert_allclose(found.errors, expected, rtol=1e-5)
    at = GAMMA.index(found.thresholds.gamma), DELTA.index(found.thresholds.delta)
    assert expected[at] == pytest.approx(expected.min(), rel=1e-5)
    if phi < 4:
        assert found.thresholds.delta == DELTA[0]


def expected_error(phi, scale, gamma, delta):
    """The relative error of normal values, from the density on a fine grid."""
    x = np.linspace(0, 10, 200_001)
    density = np.exp(-x * x / 2)
    density /= density.sum()
    code = (x >= gamma) * np.where(x <= 1, 1, min(phi, 2))
    code = np.where((x > delta) & (phi == 4) & (code > 0), 4, code)
    mean = (density * x).sum()
    squares, products = (density * code * code).sum(), (density * x * code).sum()
    alpha = mean / phi if scale == "equation_9" else products / squares
    return 1 - 2 * alpha * products + alpha**2 * squares


@pytest.mark.parametrize("scale", ["equation_9", "least_squares"])
@pytest.mark.parametrize("phi", [1, 2, 4])
def test_normal_values(phi, scale):
    kernel = np.random.default_rng(0).normal(size=(2000, 100)).astype(np.float32)
    found = search(kernel, cut_of(kernel.shape, 2000), phi, scale)
    relative = found.errors / np.square(kernel, dtype=float).sum()
    expected = [[expected_error(phi, scale, g, d) for d in DELTAS] for g in GAMMAS]
    np.testing.assert_allclose(relative, expected, atol=0.004)


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        (([], [1]), r"gammas=\[\]: expected one or more numbers in rising order"),
        (([0.5, 0.1], [1]), r"gammas=\[0.5, 0.1\]: expected one or more numbers in rising order"),
        (([0.5], [0.9]), "delta=0.9 is not allowed: expected a number of at least 1"),
        (([0.5, 2], [1]), "gamma=2 is not allowed: expected a number from 0 to 1"),
    ],
)
def test_wrong_grids_are_refused(grid, sentence):
    with pytest.raises(QbenchError, match=sentence):
        search(np.ones((4, 1), np.float32), cut_of((4, 1), 4), 4, "equation_9", *grid)
