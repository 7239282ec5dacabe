"""The numbers of a paper beside those of a sweep that repeats its rows."""

from __future__ import annotations

from collections.abc import Iterable
from math import nan
from typing import Any

import pandas as pd

from qbench.planning.published import PUBLISHED, Published
from qbench.report import values
from qbench.report.collect import Sweep, table_frame
from qbench.report.comparison import cells, comparisons
from qbench.report.tables import cell
from qbench.report.texts import Lines, counted
from qbench.tasks.metric import Metric

PAPER = "paper_"
SIZE = "size_mb"
_OURS = ("difference", "difference_low", "difference_high", "interval")


def repeated(sweep: Sweep) -> Published | None:
    """The table whose rows a sweep repeats; None if it says of none, or of one not known here."""
    return PUBLISHED.get(sweep.manifest.get("repeats") or "")


def published_frame(sweep: Sweep, paper: Published) -> pd.DataFrame:
    """One line for each row of the sweep's table that is not derived.

    Returns:
        `configuration`; for each metric that the paper has: `paper_<name>`, the paper's value,
        `<name>`, the mean over the seeds, and `<name>_std`, its sample standard deviation; then
        `paper_difference`, the first of these metrics minus that of the reference row in the paper,
        and the columns of `comparison.cells` up to the interval; `paper_size_mb`, `size_mb` and
        `n_seeds`. NaN where there is no value.
    """
    table = table_frame(sweep).set_index("configuration")
    metrics, compared = shared_metrics(sweep, paper), comparisons(sweep).simulated
    theirs = {row["label"]: _numbers(paper, row, metrics) for row in sweep.trained}
    reference = compared.reference if compared else ""
    lines = []
    for label, numbers in theirs.items():
        line: dict[str, Any] = {"configuration": label}
        for metric in metrics:
            spread = f"{metric.name}_std"
            line[f"{PAPER}{metric.name}"] = numbers.get(metric.name, nan)
            line[metric.name] = table.at[label, metric.name]
            line[spread] = table.at[label, spread] if spread in table else nan
        line |= _differences(metrics[0], label, reference, theirs)
        line |= {name: value for name, value in cells(compared, label).items() if name in _OURS}
        line[f"{PAPER}{SIZE}"] = numbers.get(SIZE, nan)
        line |= {SIZE: table.at[label, SIZE], "n_seeds": table.at[label, "n_seeds"]}
        lines.append(line)
    return pd.DataFrame(lines)


def shared_metrics(sweep: Sweep, paper: Published) -> list[Metric]:
    """The metrics of the sweep that the paper has values of, the sweep's first one among them.

    Empty if the paper lacks the first one, which differences are of.
    """
    found = [metric for metric in sweep.metrics if metric.name in paper.lines[0]]
    return found if sweep.metric in found else []


def _numbers(paper: Published, row: dict[str, Any], metrics: Iterable[Metric]) -> dict[str, float]:
    """The paper's values of a row by column; empty if it has no such row."""
    line = paper.line(row["changes"], row["quantized"], row["factors"]) or {}
    names = [*(metric.name for metric in metrics), SIZE]
    return {name: float(line[name]) for name in names if line.get(name)}


def _differences(
    metric: Metric, label: str, reference: str, theirs: dict[str, dict[str, float]]
) -> dict[str, float]:
    """The paper's difference to its reference row; NaN for this row itself."""
    pair = (theirs.get(name, {}).get(metric.name, nan) for name in (label, reference))
    own, other = pair
    return {f"{PAPER}difference": nan if label == reference else own - other}


def as_lines(frame: pd.DataFrame, metrics: list[Metric]) -> Lines:
    """The numbers as texts."""
    head = ["configuration"]
    for metric in metrics:
        head += [f"paper {metric.heading}", metric.heading]
    head += ["paper difference", "difference", "95 % interval", "paper size MB", "size MB"]
    body = [head]
    for _, line in frame.iterrows():
        shown = [str(line["configuration"])]
        for metric in metrics:
            std = line[f"{metric.name}_std"]
            spread = "" if pd.isna(std) else f" ± {metric.show(std)}"
            shown.append(values.number(metric, line[f"{PAPER}{metric.name}"]))
            shown.append(values.number(metric, line[metric.name]) + spread)
        shown += [
            values.difference(metrics[0], line[name]) for name in (f"{PAPER}difference", _OURS[0])
        ]
        shown.append(line["interval"] or "-")
        shown += [cell(SIZE, float(line[name])) for name in (f"{PAPER}{SIZE}", SIZE)]
        body.append(shown)
    return body


def explained(sweep: Sweep, paper: Published) -> str:
    """Sentences about both sides, and about the paper's numbers."""
    taken = (record["steps"] for record in sweep.finished)
    steps = sorted({one["float"] + one["quantized"] for one in taken})
    trained = ", ".join(f"{number:,}" for number in steps)
    seeds = counted(len(sweep.manifest["seeds"]), "seed")
    data = ", ".join(sorted({record["data"]["name"] for record in sweep.finished}))
    ours = f"This sweep: {data}, {trained} steps, {seeds}." if data else "This sweep has no values."
    return (
        f"Paper: {paper.about}. {ours} Differences are to the reference row of the sweep, in"
        f" {values.unit_of_differences(sweep.metric)}. Where network, data or steps are others,"
        f" compare the signs and orders of differences, not the values. {paper.note}"
    )
