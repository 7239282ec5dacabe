"""The contract of a kind of derived row, and the registry of kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from qbench.base.registry import Registry
from qbench.data.dataset import Dataset
from qbench.planning.designs import Row
from qbench.planning.settings import Settings
from qbench.storage.records import content_id
from qbench.tasks.task import Values

MemberKey = tuple[str, int]
"""A run of the plan: the label of its row, and its seed."""


@dataclass(frozen=True)
class DerivedRun:
    """A run that is computed from other runs.

    Attributes:
        label: its name for people.
        members: the runs that it is computed from.
    """

    label: str
    members: tuple[MemberKey, ...]

    @property
    def seeds(self) -> list[int]:
        """The seeds of its members."""
        return [seed for _, seed in self.members]


@dataclass(frozen=True)
class DerivedRow:
    """A row of the table whose runs are computed from other runs.

    Attributes:
        kind: the name of its kind in DERIVED.
        label: its label in the table.
        of: the row whose configuration it shows.
        settings: the settings of the kind, as plain data; part of the identity of its runs.
        runs: its runs.
    """

    kind: str
    label: str
    of: Row
    settings: Mapping[str, Any]
    runs: tuple[DerivedRun, ...]

    def content(self, members: Sequence[str]) -> dict[str, Any]:
        """Everything that one of its runs depends on, as plain data.

        Args:
            members: the ids of the members.
        """
        return {"kind": self.kind, **self.settings, "members": list(members)}

    def run_id(self, members: Sequence[str]) -> str:
        """The id of one of its runs; it does not depend on the order of the members."""
        return content_id(self.content(sorted(members)))


@dataclass(frozen=True)
class Member:
    """A finished run that a derived run is computed from.

    Attributes:
        folder: the folder of the run.
        record: its run record.
    """

    folder: Path
    record: Mapping[str, Any]


class Kind(ABC):
    """A way to compute rows from finished runs.

    The module of a kind imports TensorFlow only inside functions.

    Attributes:
        name: its name in records.
        needs: the files that every member must have, by their names in `qbench.storage.layout`.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    @abstractmethod
    def check(self, settings: Settings) -> None:
        """Check the settings of a sweep that belong to this kind.

        Raises:
            QbenchError: a setting is not allowed.
        """

    @abstractmethod
    def rows(self, rows: Sequence[Row], settings: Settings) -> list[DerivedRow]:
        """The derived rows of a sweep, in the order of its table.

        Args:
            rows: the applicable rows of the design.
            settings: the settings of the sweep.

        Raises:
            QbenchError: they cannot be computed from these rows.
        """

    @abstractmethod
    def outputs(self, members: Sequence[Member], data: Dataset, part: str) -> Values:
        """The outputs (N, ...) of a derived run for the test set or the validation images.

        Args:
            members: its members; all ended well and have the files in `needs`.
            data: their data, with the task.
            part: TEST or VALIDATION of `qbench.storage.outputs`.

        Raises:
            QbenchError: the outputs cannot be computed from these members.
        """

    @abstractmethod
    def size(self, sizes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The theoretical size of a derived run, from the sizes in its members' records."""

    @abstractmethod
    def note(self) -> str:
        """Sentences about its rows, for the notes of a report."""


DERIVED: Registry[Kind] = Registry("derived.kind")


def run_name(row: Mapping[str, Any], run: Mapping[str, Any], between: str = " ") -> str:
    """The name of a run for people, from a manifest: its row and its seed or seeds.

    Args:
        row: the row of the manifest.
        run: the run in this row.
        between: the text between both.
    """
    if "derived" not in row:
        return f"{row['label']}{between}seed {run['seed']}"
    return f"{row['label']}{between}seeds {', '.join(map(str, run['seeds']))}"
