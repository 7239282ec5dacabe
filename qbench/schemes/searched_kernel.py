"""A kernel of scalable codes whose thresholds are chosen on a grid."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qbench.codes.scalable import coded
from qbench.codes.threshold_search import search
from qbench.codes.thresholds import Thresholds
from qbench.schemes.scalable_kernel import DELTA, GAMMA, ScalableKernel

if TYPE_CHECKING:
    from qbench.schemes.entry import EnteredKernel


class SearchedKernel:
    """A kernel whose thresholds are chosen when its codes begin."""

    def __init__(self, how: ScalableKernel, kernel: EnteredKernel) -> None:
        """Keeps the values of the kernel as they are before any is coded."""
        self._how = how
        self._kernel = kernel
        self._form, self._cut = how.cut(kernel.layer, kernel.variable)
        self._value = self._form.of(kernel.value)
        self._now = Thresholds(0, 1)

    def set(self, thresholds: Thresholds) -> None:
        """Set the thresholds, and the kernel to values of codes if it stays as it is."""
        self._now = thresholds
        self._kernel.state.set(GAMMA, thresholds.gamma)
        self._kernel.state.set(DELTA, thresholds.delta)
        if self._how.is_fixed(self._kernel.layer):
            made = coded(self._value, self._cut, self._how.phi, self._how.scale, thresholds)
            self._kernel.set(self._form.back(made.kernel))

    def nearest(self, gammas: Sequence[float], deltas: Sequence[float]) -> Thresholds:
        """The pair of the grid with the least distance of equation 5."""
        if len(gammas) * len(deltas) == 1:
            return Thresholds(gammas[0], deltas[0])
        how = self._how
        return search(self._value, self._cut, how.phi, how.scale, gammas, deltas).thresholds

    def improve(
        self,
        least: float,
        gammas: Sequence[float],
        deltas: Sequence[float],
        loss: Callable[[], float],
    ) -> float:
        """Set the pair of the grid with the least loss; the present one if no other has less.

        Args:
            least: the loss with the present pair.
            gammas: the values of gamma that are tried.
            deltas: the values of delta that are tried; only the first one if phi is below 4,
                where delta has no effect.
            loss: computes the loss of the network as it is.

        Returns:
            The least loss.
        """
        best = present = self._now
        for pair in itertools.product(gammas, deltas if self._how.phi > 2 else deltas[:1]):
            if Thresholds(*pair) == present:
                continue
            self.set(Thresholds(*pair))
            found = loss()
            if found < least:
                best, least = self._now, found
        self.set(best)
        return least
