"""How often the rows of a table were compared while results decided how many seeds it gets.

Each comparison is a chance of a wrong interval. So the number of looks is planned before the first
one, and the intervals are wide enough for all of them (`qbench.statistics.paired.corrected`).
Whoever raises the most seeds after looking has more looks than were planned. The table then has
intervals for the larger number, and says how much less sure they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from qbench.engine.cleaning import manifests
from qbench.planning.execution import Stopping, most_looks
from qbench.storage import records
from qbench.storage.manifests import trained_in


class Looks:
    """The looks of a sweep's table.

    Attributes:
        stages: how many looks were planned, and each larger number that came after; empty if
            results decide nothing.
        looked: an id for each table that was looked at.
    """

    def __init__(self, stages: Iterable[int] = (), looked: Iterable[str] = ()) -> None:
        """See the attributes."""
        self.stages = [*stages]
        self.looked = [*looked]

    def plan(self, stopping: Stopping, seeds: int) -> None:
        """Plan the looks of a command with at most this number of seeds.

        A command that does not look itself may still have more seeds than earlier looks allowed.
        """
        if stopping.stop_when or self.stages:
            self._allow(most_looks(seeds))

    def look(self, finished: Collection[str]) -> None:
        """Count a look at the table of these finished runs; a table counts once.

        A failed run that is tried again makes another table of the same seeds.
        """
        table = records.content_id(sorted(finished))
        if table not in self.looked:
            self.looked.append(table)
            self._allow(len(self.looked))

    def _allow(self, looks: int) -> None:
        if not self.stages or looks > self.stages[-1]:
            self.stages.append(looks)

    def facts(self) -> dict[str, Any]:
        """The entries of a manifest; see `qbench.engine.by_seed.Facts`."""
        found: dict[str, Any] = {"looks": self.stages[-1] if self.stages else 1}
        if len(self.stages) > 1:
            found["stages"] = self.stages
        return found | ({"looked": self.looked} if self.looked else {})


def of(root: Path, planned: Collection[str]) -> Looks:
    """The looks at tables that compared rows of a sweep, with other rows or seeds or elsewhere.

    Args:
        root: holds `runs/`.
        planned: the ids of all runs of a sweep.
    """
    found = [
        _read(manifest["by_seed"])
        for manifest in manifests(root)
        if _has_looks(manifest.get("by_seed", {})) and _compares(manifest, planned)
    ]
    return max(found, key=lambda one: (len(one.stages), one.stages), default=Looks())


def _compares(manifest: Mapping[str, Any], planned: Collection[str]) -> bool:
    """Whether a table has at least two rows with runs of these."""
    rows = (trained_in({"rows": [row]}) for row in manifest["rows"])
    return sum(not own.isdisjoint(planned) for own in rows) > 1


def _has_looks(told: Mapping[str, Any]) -> bool:
    return told.get("looks", 1) > 1 or "looked" in told


def _read(told: Mapping[str, Any]) -> Looks:
    return Looks(told.get("stages", [told["looks"]]), told.get("looked", ()))
