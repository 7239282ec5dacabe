"""Ensembles added to a made-up sweep on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import report_examples as examples

from qbench.planning.draws import DISJOINT, DRAWS
from qbench.storage import layout, records

FIRST = 100  # of the numbers of derived rows in the ids of their runs


def add(
    folder: Path,
    count: int = 2,
    label: str | None = None,
    status: str = "ok",
    draws: str = DISJOINT,
) -> None:
    """Give the rows of a sweep, or one of them, ensembles of `count` of its seeds each."""
    manifest = json.loads((folder / layout.MANIFEST).read_bytes())
    rows = [row for row in manifest["rows"] if "derived" not in row and not row["reason"]]
    for number, row in enumerate(rows, FIRST):
        if label in (None, row["label"]):
            manifest["rows"].append(_derived(folder.parent, row, number, count, status, draws))
    records.write_atomically(folder / layout.MANIFEST, records.as_json(manifest))


def _derived(
    root: Path, row: dict[str, Any], number: int, count: int, status: str, draws: str
) -> Any:
    places = DRAWS[draws](range(len(row["runs"])), count)
    members = [[row["runs"][place] for place in group] for group in places]
    runs = []
    for group, mine in enumerate(members):
        content = {"kind": "ensemble", "count": count, "members": [run["id"] for run in mine]}
        like = examples.Row(row["label"], row["changes"], row["factors"])
        record = examples.record(like, number, group, status) | {"seed": None, "derived": content}
        record["steps"] = {"float": 0, "quantized": 0}
        name = examples.run_id(number, group)
        records.write_run(root, name, config=content, record=record)
        seeds = [run["seed"] for run in mine]
        runs.append({"seed": None, "seeds": seeds, "id": name, "segments": [], **content})
    label = f"ensemble of {count}: {row['label']}"
    derived = {"kind": "ensemble", "count": count, "of": row["label"]}
    return {**row, "label": label, "derived": derived, "runs": runs}


def accuracy(number: int, group: int = 0) -> float:
    """Of an ensemble of the row with this number, in %."""
    return examples.metrics(FIRST + number, group)["accuracy"]
