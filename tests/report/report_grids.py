"""Made-up sweeps whose rows are crossed levels, some with a float row for each network."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import report_examples as examples

from qbench.base.checks import show
from qbench.planning.designs import EACH, Row, changes_of, rows
from qbench.report.collect import Sweep, collect
from qbench.storage import layout, records

Levels = dict[str, tuple[Any, ...]]

GRID: Levels = {"quant.weight_bits": (8, 4), "quant.activation_bits": (8, 6, 4)}
DEPTHS: Levels = {"model.depth": (8, 20)}
TWO_GRIDS: Levels = {**GRID, "model.depth": (8, 20)}
ACTIVATIONS: Levels = {"quant.bits": (8, 7), "model.activation": ("relu6", "relu")}


def planned(levels: Levels, baseline: bool | str = EACH) -> list[Row]:
    """The rows that qbench makes of these levels, whose experiments nothing here asks for."""

    class Possible:
        class data:
            slim_image_size = None

        class quant:
            enabled = False

        class deploy:
            takes_pixels = False

        class train:
            balanced_batches = False
            is_undecided = False

    return rows(changes_of("factorial", levels, baseline), lambda changes: Possible)  # type: ignore[arg-type,return-value]


def write(
    root: Path,
    levels: Levels,
    seeds: int = 1,
    statuses: dict[str, list[str | None]] | None = None,
    baseline: bool | str = EACH,
    leave_out: tuple[str, ...] = (),
    task: dict[str, Any] | None = None,
) -> Path:
    """A sweep of these levels in `root`; `statuses` by label, where not all runs are fine."""
    table = []
    for row in planned(levels, baseline):
        if row.label in leave_out:
            continue
        ends = (statuses or {}).get(row.label, ["ok"] * seeds)
        table.append(examples.Row(row.label, row.changes, examples.DEFAULT, ends, task=task))
    folder = examples.write(root, table, seeds)
    manifest = json.loads((folder / layout.MANIFEST).read_bytes())
    manifest["design"] = {"name": "factorial", "levels": levels}
    for row in manifest["rows"]:
        row["quantized"] = "quant.enabled" not in row["changes"]
    records.write_atomically(folder / layout.MANIFEST, records.as_json(manifest))
    return folder


def sweep(root: Path, levels: Levels, **options: Any) -> Sweep:
    return collect(write(root, levels, **options))


def accuracy(label: str, levels: Levels, seed: int = 0, baseline: bool | str = EACH) -> float:
    """Of a row's run, in %."""
    labels = [row.label for row in planned(levels, baseline)]
    return examples.metrics(labels.index(label), seed)["accuracy"]


def label_of(**levels: Any) -> str:
    """`weight_bits=4, activation_bits=8` as the label of a row of GRID."""
    changed = {
        key: value
        for key, value in ((f"quant.{name}", value) for name, value in levels.items())
        if value != GRID[key][0]
    }
    return " ".join(f"{key}={show(value)}" for key, value in changed.items()) or "default"


CELLS = list(itertools.product(GRID["quant.weight_bits"], GRID["quant.activation_bits"]))
