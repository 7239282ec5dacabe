"""Every row of a table against one of them, by the first metric."""

from __future__ import annotations

from typing import Any

from qbench.planning.alike import ALIKE
from qbench.planning.designs import BASELINE, DEFAULT
from qbench.report.collect import Sweep
from qbench.report.values import unit_of_differences
from qbench.statistics.comparison import Comparison, compare

MARGIN = 0.5


def compared(sweep: Sweep) -> Comparison | None:
    """All rows with trained runs against the reference; None if no row can be the reference."""
    metric, asked = sweep.metric, sweep.manifest.get("stats", {})
    values = {row["label"]: _values(sweep, row) for row in sweep.trained if row["reason"] is None}
    chosen = asked.get("reference")
    names = (chosen,) if chosen else (DEFAULT, BASELINE)
    reference = next((name for name in names if values.get(name)), None)
    if reference is None or len(values) < 2:
        return None
    return compare(
        values,
        reference,
        margin=asked.get("margin", MARGIN),
        method=asked.get("method", "paired"),
        higher_is_better=metric.higher_is_better,
        digits=metric.digits,
        unit=unit_of_differences(metric),
        same=_alike(sweep, reference),
        resolution=_resolution(sweep),
    )


def _alike(sweep: Sweep, reference: str) -> list[str]:
    """The rows that compute the same as the reference."""
    alike = {row["label"]: row.get(ALIKE) for row in sweep.trained}
    own = alike[reference]
    return [label for label, name in alike.items() if own and name == own and label != reference]


def _resolution(sweep: Sweep) -> float:
    """The smallest step of a share of the test images, in percent; 0 for other metrics."""
    images = min((record["data"]["test_images"] for record in sweep.finished), default=0)
    return 100 / images if sweep.metric.unit == "%" and images else 0.0


def _values(sweep: Sweep, row: dict[str, Any]) -> dict[int, float]:
    found = {run["seed"]: sweep.records.get(run["id"]) for run in row["runs"]}
    return {
        seed: record["metrics"][sweep.metric.name]
        for seed, record in found.items()
        if record and record["metrics"]
    }
