"""Ensembles: runs of one row with different seeds, whose outputs are combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qbench.base import checks
from qbench.base.errors import QbenchError
from qbench.data import source_of
from qbench.data.dataset import Dataset
from qbench.planning.derived.kind import DERIVED, DerivedRow, DerivedRun, Kind, Member
from qbench.planning.designs import Row
from qbench.planning.draws import DRAWS
from qbench.planning.settings import Settings
from qbench.storage import layout
from qbench.storage import outputs as stored
from qbench.tasks.task import Task, Values

_IMAGES = 4096  # outputs of this number of images are combined at a time, to save memory


class Ensemble(Kind):
    """For each number in `design.ensembles` and each row, ensembles of its runs.

    `design.ensemble_draws=disjoint`: the first ensemble has the first seeds, the next one the seeds
    after them. Seeds that do not fill an ensemble are not used. `rotated`: an ensemble begins at
    each seed and goes on at the first one after the last, so each seed is in equally many.
    """

    name = "ensemble"
    needs = (layout.OUTPUTS,)

    def check(self, settings: Settings) -> None:
        """Check that there are as many seeds as the largest ensemble has members."""
        wanted, seeds = settings.design.ensembles, len(settings.seeds)
        if max(wanted, default=0) > seeds:
            expected = f"numbers of at most {seeds}, the number of seeds"
            raise checks.wrong("design.ensembles", wanted, expected)

    def rows(self, rows: Sequence[Row], settings: Settings) -> list[DerivedRow]:
        """All rows as ensembles of the first number of members, then of the next.

        Raises:
            QbenchError: the task of a row keeps no outputs.
        """
        counts = settings.design.ensembles
        for data in {id(row.experiment.data): row.experiment.data for row in rows}.values():
            if counts and not keeps_outputs(source_of(data).make_task()):
                raise QbenchError(
                    f"design.ensembles={checks.show(counts)}: the task of data.name={data.name}"
                    " keeps no outputs, and ensembles are computed from them."
                )
        draws, seeds = DRAWS[settings.design.ensemble_draws], settings.seeds
        return [_ensembles(row, count, draws(seeds, count)) for count in counts for row in rows]

    def outputs(self, members: Sequence[Member], data: Dataset, part: str) -> Values:
        """The outputs of the members, combined as the task says."""
        each = [stored.read(member.folder, part) for member in members]
        if len(each) == 1:  # its outputs, not what a combination of one would round them to
            return each[0]
        if len({outputs.shape for outputs in each}) > 1:
            shapes = ", ".join(dict.fromkeys(str(outputs.shape) for outputs in each))
            raise QbenchError(f"its members have outputs of different shapes: {shapes}.")
        parts = [
            data.task.combined([outputs[first : first + _IMAGES] for outputs in each])
            for first in range(0, len(each[0]), _IMAGES)
        ]
        return np.concatenate(parts)

    def size(self, sizes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The sum of the sizes, because an ensemble stores all its networks."""
        keys = [key for key in sizes[0] if key != "bits"]
        return {**sizes[0], **{key: sum(size[key] for size in sizes) for key in keys}}

    def note(self) -> str:
        """The meaning of `ensemble of K`."""
        return (
            'A row "ensemble of K" combines the outputs of K runs of a row that differ in their'
            " seeds; for classification these are means of probabilities. Its figures are means"
            " over disjoint ensembles, or over ensembles that share seeds, which have no deviation"
            " and no interval. Its seeds are the number of ensembles, and its size is that of K"
            " networks."
        )


def keeps_outputs(task: Task) -> bool:
    """Whether runs of a task keep outputs, as far as the outputs for one image can tell."""
    try:
        return task.kept_outputs(np.zeros((1, task.outputs), np.float32)) is not None
    except Exception:  # code of others, whose outputs may have another shape
        return True


def _ensembles(row: Row, count: int, groups: Sequence[Sequence[int]]) -> DerivedRow:
    """A row as ensembles of this number of seeds, one for each group."""
    label = f"ensemble of {count}: {row.label}"
    runs = []
    for mine in groups:
        name = f"{label} seeds {', '.join(map(str, mine))}"
        runs.append(DerivedRun(name, tuple((row.label, seed) for seed in mine)))
    return DerivedRow(Ensemble.name, label, row, {"count": count}, tuple(runs))


DERIVED.add(Ensemble.name, Ensemble())
