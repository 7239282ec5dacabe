"""Differences of the first metric: quantized networks against the same float networks."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from statistics import fmean
from typing import Any

import pandas as pd

from qbench.base.checks import show
from qbench.planning.designs import network_part
from qbench.report import values
from qbench.report.collect import Sweep
from qbench.report.comparison import EMPTY, cells, compared_as
from qbench.report.rows import repeats_a_row
from qbench.report.tables import cell
from qbench.report.texts import Lines
from qbench.statistics.comparison import compare_differences
from qbench.statistics.notes import ONE_SEED
from qbench.tasks.metric import Metric

NOTES = "notes"
DERIVED = "derived"  # the column that distinguishes derived rows from the rows that they show

Seeds = tuple[int, ...]

_COMPARED = ("95 % interval", "verdict")


def title(metric: Metric) -> str:
    """The heading of the differences."""
    return f"Quantized against float {metric.label}"


def explained(metric: Metric) -> str:
    """A sentence about these values."""
    unit = f" in {metric.unit}" if metric.unit else ""
    own = "quantized less float" if metric.unit != "%" else "in percentage points"
    return (
        f"{values.capital(metric.label)}{unit}{values.direction(metric)}; the difference is {own},"
        " of runs with the same network and seed."
    )


def figures(metric: Metric) -> list[str]:
    """The columns after the columns of the factors."""
    own = [f"float_{metric.name}", metric.name]
    return [*own, *EMPTY, "size_mb", "n_seeds"]


def differences(sweep: Sweep) -> pd.DataFrame:
    """One line for each quantized row of the table, except ensembles of one.

    Returns:
        A column for each factor of the design, factors of the network first, with the level as on
        the command line. Then, for the first metric of the sweep: `float_<name>` and `<name>`, the
        values in its unit; `difference`, quantized minus float; `difference_std`, its sample
        standard deviation, and the other columns of `comparison.cells`; all intervals hold
        together. These are means over the `n_seeds` seeds with both values. Last, `size_mb`. A cell
        is NaN if there are no values, or no float row of the network. `attrs[NOTES]` has the notes
        of the comparison.

        If there are derived rows, the first column has the part of their label that says how they
        are computed, such as `ensemble of 3`, and is empty for other rows. A derived run is
        compared with the mean of the single float runs with the seeds of its members.
    """
    name = sweep.metric.name
    levels = sweep.manifest["design"]["levels"]
    keys = sorted(levels, key=lambda key: not network_part({key: None}))
    floats = {
        _network(row, levels): _by_seeds(sweep, row)
        for row in sweep.trained
        if not row["quantized"]
    }
    lines, of_seeds = [], []
    for row in sweep.manifest["rows"]:
        if not row["quantized"] or repeats_a_row(row):
            continue
        own, of_float = _by_seeds(sweep, row), floats.get(_network(row, levels), {})
        pairs = pd.DataFrame(
            [(value, _mean(of_float, seeds)) for seeds, value in own.items()],
            index=pd.Index([seeds[0] if len(seeds) == 1 else seeds for seeds in own], dtype=object),
            columns=["quantized", "float"],
            dtype=float,
        ).dropna()
        found = pairs["quantized"] - pairs["float"]
        of_seeds.append(found.to_dict())
        line: dict[str, Any] = {key: show(_level(row, levels, key)) for key in keys}
        line[DERIVED] = _derivation(row)
        line[f"float_{name}"] = pairs["float"].mean()
        line[name] = pairs["quantized"].mean()
        line |= {"n_seeds": len(found), "size_mb": _size(sweep, row)}
        lines.append(line)
    compared = compare_differences(
        {str(number): found for number, found in enumerate(of_seeds)},
        "the float row of the network",
        looks=sweep.looks,
        **compared_as(sweep),
    )
    lines = [
        line | cells(compared, one.row) for line, one in zip(lines, compared.rows, strict=True)
    ]
    first = [DERIVED] if sweep.derived else []
    frame = pd.DataFrame(lines, columns=[*first, *keys, *figures(sweep.metric)])
    frame.attrs[NOTES] = [note for note in compared.notes if note != ONE_SEED]  # the table says it
    return frame


def has_networks(sweep: Sweep) -> bool:
    """Whether the table holds several networks, each with a float row."""
    return sum(not row["quantized"] for row in sweep.trained) > 1


def as_lines(frame: pd.DataFrame, metric: Metric) -> Lines:
    """The differences as texts, without constant factors and without spreads of one seed."""
    own = figures(metric)
    keys = [key for key in frame.columns if key not in own and frame[key].nunique() > 1]
    heads = [values.column_of(what, metric) for what in ("float", "quantized")]
    several = bool((frame["interval"] != "").any())
    lines = [[*keys, *heads, "difference", *(_COMPARED if several else ()), "size MB"]]
    for _, line in frame.iterrows():
        std = line["difference_std"]
        spread = "" if pd.isna(std) else f" ± {metric.show(std)}"
        size = "-" if pd.isna(line["size_mb"]) else f"{line['size_mb']:.3g}"
        lines.append(
            [
                *(str(line[key]) for key in keys),
                *(values.number(metric, line[name]) for name in own[:2]),
                values.difference(metric, line["difference"]) + spread,
                *((cell(name, line[name]) for name in ("interval", "verdict")) if several else ()),
                size,
            ]
        )
    return lines


def float_values(sweep: Sweep, row: dict[str, Any]) -> dict[Seeds, float]:
    """The first metric of the float row of a row's network, by the seeds of its runs."""
    levels = sweep.manifest["design"]["levels"]
    network = _network(row, levels)
    for other in sweep.trained:
        if not other["quantized"] and _network(other, levels) == network:
            return _by_seeds(sweep, other)
    return {}


def _level(row: dict[str, Any], levels: dict[str, Any], key: str) -> Any:
    return row["changes"].get(key, levels[key][0])


def _network(row: dict[str, Any], levels: dict[str, Any]) -> str:
    """The network of a row: its levels of all factors except quantization."""
    return repr({key: show(_level(row, levels, key)) for key in network_part(levels)})


def _derivation(row: dict[str, Any]) -> str:
    """The part of a derived row's label before the label of the row that it shows; else empty."""
    if "derived" not in row:
        return ""
    label: str = row["label"]
    return label.removesuffix(row["derived"]["of"]).removesuffix(": ")


def _by_seeds(sweep: Sweep, row: dict[str, Any]) -> dict[Seeds, float]:
    """The first metric of the runs with values, by their seeds; a trained run has one seed."""
    found = {
        tuple(run.get("seeds", [run["seed"]])): sweep.records.get(run["id"]) for run in row["runs"]
    }
    return {
        seeds: record["metrics"][sweep.metric.name]
        for seeds, record in found.items()
        if record and record["metrics"]
    }


def _mean(values: Mapping[Seeds, float], seeds: Seeds) -> float:
    """The mean of the values of single seeds; NaN if one of them has no value."""
    return fmean(values.get((seed,), nan) for seed in seeds)


def _size(sweep: Sweep, row: dict[str, Any]) -> float:
    """Theoretical size in MB; NaN if no run has one."""
    for run in row["runs"]:
        record = sweep.records.get(run["id"])
        if record and record["size"]:
            return float(record["size"]["megabytes"])
    return float("nan")
