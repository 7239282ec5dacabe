"""Makes the manifest of a sweep's table from its resolved plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qbench.config.experiment import plain
from qbench.engine.resolve import ResolvedPlan
from qbench.planning.alike import alike_rows
from qbench.planning.derived import DerivedRow
from qbench.planning.designs import Row
from qbench.planning.factors import cells
from qbench.storage import layout, records


@dataclass(frozen=True)
class Table:
    """The table of a sweep.

    Attributes:
        root: holds `runs/`.
        folder: the folder of the table.
        command: the command that makes it; may be empty.
    """

    root: Path
    folder: Path
    command: str = ""


def manifest(
    resolved: ResolvedPlan, table: Table, by_seed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The manifest of a sweep's table; it names runs by id, and folders relative to its own.

    Args:
        resolved: the plan.
        table: where it is.
        by_seed: for a sweep that is done seed by seed, how: see `qbench.engine.by_seed.Facts`.
    """
    settings = resolved.plan.settings
    same = alike_rows(resolved.plan.rows)
    numbers = {
        (run.row, run.experiment.seed): number for number, run in enumerate(resolved.plan.runs)
    }
    return {
        "schema": records.SCHEMA,
        "study": settings.study,
        **({"repeats": settings.repeats} if settings.repeats else {}),
        "design": resolved.plan.design,
        "seeds": settings.seeds,
        "stats": plain(settings.stats),
        **({"command": table.command} if table.command else {}),
        **_decided(resolved),
        **({"by_seed": dict(by_seed)} if by_seed else {}),
        "runs": layout.runs_seen_from(table.folder, table.root),
        "rows": [
            *(_row(resolved, row, numbers) | same.get(row.label, {}) for row in resolved.plan.rows),
            *(_derived_row(resolved, row) for row in resolved.plan.derived),
        ],
    }


def _row(
    resolved: ResolvedPlan, row: Row, numbers: Mapping[tuple[str, int], int]
) -> dict[str, Any]:
    """A row of the manifest; `numbers` are the numbers of runs in the plan, by row and seed.

    The note on the data and the names of classes are the current ones. The record of a finished run
    keeps those of its training, because it is not written again; neither is part of its identity.
    """
    mine = [] if row.reason else [numbers[row.label, s] for s in resolved.plan.settings.seeds]
    return {
        "label": row.label,
        "changes": row.changes,
        "reason": row.reason,
        "quantized": row.experiment.quant.enabled,
        "factors": cells(row.experiment),
        **_said(resolved, mine),
        "runs": [
            {
                "seed": resolved.plan.runs[number].experiment.seed,
                "id": resolved.ids[number],
                "segments": resolved.path(number),
            }
            for number in mine
        ],
    }


def _decided(resolved: ResolvedPlan) -> dict[str, Any]:
    """The number of steps that a first stage decided, with how it did; empty if none did.

    It is a list, because older manifests may have several.
    """
    one = resolved.plan.decided
    return {"decided": [asdict(one) | resolved.plan.settings.auto.as_config()]} if one else {}


def _said(resolved: ResolvedPlan, numbers: Sequence[int]) -> dict[str, Any]:
    """What a row of the manifest says of the data of these runs, which are one data set."""
    data = resolved.data[numbers[0]] if numbers else {"note": ""}
    return {key: data[key] for key in ("note", "classes") if key in data}


def _derived_row(resolved: ResolvedPlan, row: DerivedRow) -> dict[str, Any]:
    """A derived row of the manifest; it has the factors of the row that it shows."""
    mine = [one for one in resolved.derived if one.row is row]
    return {
        "label": row.label,
        "changes": row.of.changes,
        "reason": None,
        "quantized": row.of.experiment.quant.enabled,
        "factors": cells(row.of.experiment),
        **_said(resolved, [one.members[0] for one in mine]),
        "derived": {"kind": row.kind, **row.settings, "of": row.of.label},
        "runs": [
            {
                "seed": None,
                "seeds": one.run.seeds,
                "id": one.id,
                "segments": [],
                "members": [resolved.ids[number] for number in one.members],
            }
            for one in mine
        ],
    }
