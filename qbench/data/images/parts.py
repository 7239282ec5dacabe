"""Decoded images -> the parts of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data.images.division import TEST, TRAIN, VALIDATION, divided, drawn
from qbench.data.images.listing import Listed
from qbench.data.images.options import Options
from qbench.data.images.problems import Problems, counted, some
from qbench.data.images.usable import Usable
from qbench.data.reading import Parts
from qbench.data.rows import Rows

_IN_MEMORY = 1 << 26  # bytes of all images up to which they are kept in memory


class Division:
    """Puts images into parts."""

    def __init__(self, where: str, found: Listed, options: Options, problems: Problems) -> None:
        """`where` is the name of the data set and its folder."""
        self.where = where
        self.found = found
        self.options = options
        self.problems = problems

    def parts(
        self, images: NDArray[np.uint8], names: list[str], good: list[tuple[int, Usable]]
    ) -> Parts:
        """The parts of usable images; the seed counts only if it divides them."""
        shares = self.options.split
        seed = 0 if shares is None else self.options.split_seed
        labels = np.array([one.label for _, one in good], np.int64)
        parts = [one.parts for _, one in good]
        if shares is not None:
            chosen = divided([names[index] for index, _ in good], labels, shares, seed)
            parts = [(int(part),) * len(old) for part, old in zip(chosen, parts, strict=True)]
        order = sorted(range(len(good)), key=lambda k: drawn(names[good[k][0]], seed))
        rows: dict[int, list[int]] = {TRAIN: [], TEST: [], VALIDATION: []}
        for k in order:
            rows[parts[k][0]] += [k] * len(parts[k])
        self._check(rows, labels)
        taken = {
            part: (_chosen(images, [good[k][0] for k in some]), labels[some])
            for part, some in rows.items()
            if some
        }
        notes = [self.problems.note(), self._lacking(rows[TEST], labels)]
        return Parts(
            taken[TRAIN],
            taken[TEST],
            taken.get(VALIDATION),
            note="; ".join(one for one in notes if one),
            left_out=self.problems.as_record(),
            alike=np.array(rows[TRAIN], np.int64),
        )

    def _check(self, rows: dict[int, list[int]], labels: NDArray[np.int64]) -> None:
        """Check that every class has a training image, and that there are test images."""
        lacking = self._missing(labels[rows[TRAIN]])
        if lacking:
            raise QbenchError(
                f"{self.where}: {counted(lacking, 'class')} without a training image that can be"
                f" used ({some(lacking)}); expected at least one of each."
            )
        if not rows[TEST]:
            why = "data.split leaves none" if self.options.split else "none can be used"
            raise QbenchError(f"{self.where}: no test image ({why}); expected at least one.")

    def _lacking(self, test: list[int], labels: NDArray[np.int64]) -> str:
        """A note on classes without test images; empty if there are none."""
        lacking = self._missing(labels[test])
        return (
            f"{counted(lacking, 'class')} without test images: {some(lacking)}" if lacking else ""
        )

    def _missing(self, labels: NDArray[np.int64]) -> list[str]:
        there = set(labels.tolist())
        return [name for index, name in enumerate(self.found.names) if index not in there]


def _chosen(images: NDArray[np.uint8], rows: list[int]) -> Any:
    """Some images, in memory if the data set is small."""
    some = Rows(images, np.array(rows, np.int64))
    return np.asarray(some) if images.nbytes <= _IN_MEMORY else some
