"""What weights are in each row: sizes, energy, zeros, shifts, and which rows no other beats."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from statistics import fmean
from typing import Any

import pandas as pd

from qbench.codes.dram_energy import FULL_BITS, PICOJOULES, picojoules
from qbench.quantize.interface import MULTIPLICATION, SHIFT, SIGN
from qbench.report import values
from qbench.report.collect import Sweep, table_frame
from qbench.report.comparison import Comparisons, cells, comparisons
from qbench.report.front import on_front
from qbench.report.tables import cell
from qbench.report.texts import Lines
from qbench.tasks.metric import Metric

TITLE = "Weights and their codes"
SIZE, SMALLER, FRONT = "size", "smaller", "front"
ENERGY, SAVED, ENERGY_FRONT = "energy_uj", "energy_saved_pct", "energy_front"
_SIZES = {"size_mb": "size MB", "packed_mb": "packed MB", "tflite_mb": "file MB"}
_SHARES = {"zero_pct": "zero %", "shifts_pct": "shifts %", "signs_pct": "signs %"}
_UNIFORM = {MULTIPLICATION}


def has_codes(sweep: Sweep) -> bool:
    """Whether the weights of some row are no factors of multiplications, but shifts or signs."""
    used = (record.get("kernels", {}).get("used_as", {}) for record in sweep.finished)
    return any(set(one) - _UNIFORM for one in used)


def explained(frame: pd.DataFrame, metric: Metric) -> str:
    """A sentence about the values in the table."""
    of_size = "packed size" if _measured(frame) else "theoretical size"
    return (
        "Zero: weights whose code is 0, of all coded ones. Shifts and signs: of all uses of weights"
        " for one image, those in which a weight that is not 0 shifts bits or is a sign; the rest"
        " are multiplications, or nothing where the weight is 0. Smaller: the"
        f" {of_size} of the float row with as many values, divided by the row's. Front: no other"
        f" row has as small a {of_size} and as good a value of {metric.label}, and is better in one"
        " of them (means over the seeds)."
        f"{_ABOUT_ENERGY if _has_energy(frame) else ''}"
    )


_ABOUT_ENERGY = (
    " Energy: of reading all kernels once from DRAM, at"
    f" {PICOJOULES:g} pJ for 32 bits, with 32 bits for each scale; and the share that is saved"
    " against 32 bits for each weight. Energy front: the front with energy in place of size."
)


def _has_energy(frame: pd.DataFrame) -> bool:
    """Whether the energy of some row is known; older records do not say it."""
    return bool(frame[ENERGY].notna().any())


def codes_frame(sweep: Sweep) -> pd.DataFrame:
    """One line for each row of the table with a value of the first metric.

    Returns:
        `configuration`, the first metric with `_std`, the columns of its comparison, `size_mb`,
        and with converted files `packed_mb` and `tflite_mb`; `weights` and `coded`, numbers of
        weights; `uses`, uses of weights for one image; `zero_pct`, `shifts_pct` and `signs_pct`,
        shares in percent; `energy_uj` in microjoules, `energy_saved_pct`; `smaller`, a factor;
        `front` and `energy_front`, truth values. NaN if it is not known.
    """
    name = sweep.metric.name
    table = table_frame(sweep)
    made: Comparisons = comparisons(sweep)
    given = [one for one in (name, f"{name}_std", *_SIZES) if one in table.columns]
    lines = []
    for row, line in zip(sweep.manifest["rows"], table.to_dict("records"), strict=True):
        if not pd.isna(line[name]) and "derived" not in row:
            compared = cells(made.simulated, row["label"])
            shown = {key: line[key] for key in given} | compared | _facts(sweep, row)
            lines.append({"configuration": row["label"], **shown})
    frame = pd.DataFrame(lines)
    size = frame["packed_mb"] if _measured(frame) else frame["size_mb"]
    better = frame[name] if sweep.metric.higher_is_better else -frame[name]
    frame[SIZE], frame[SMALLER] = size, _smaller(sweep, frame, size)
    frame[FRONT] = on_front(size.tolist(), better.tolist())
    frame[ENERGY_FRONT] = on_front(frame[ENERGY].tolist(), better.tolist())
    return frame


def as_lines(frame: pd.DataFrame, metric: Metric) -> Lines:
    """The table as texts."""
    compared = ["difference", "interval", "verdict"] if f"{metric.name}_std" in frame else []
    sizes = [name for name in _SIZES if name in frame]
    heads = ["configuration", metric.heading]
    heads += ["difference", "95 % interval", "verdict"] if compared else []
    heads += [_SIZES[name] for name in sizes] + ["smaller", *_SHARES.values(), "front"]
    energy = _has_energy(frame)
    heads += ["energy uJ", "saved %", "energy front"] if energy else []
    lines = [heads]
    for line in frame.to_dict("records"):
        shown = values.number(metric, line[metric.name])
        if compared and not pd.isna(line[f"{metric.name}_std"]):
            shown += f" ± {values.number(metric, line[f'{metric.name}_std'])}"
        texts = [str(line["configuration"]), shown]
        texts += [cell(name, line[name], metric.digits) for name in compared]
        texts += [cell(name, line[name]) for name in sizes]
        texts.append("-" if pd.isna(line[SMALLER]) else f"{line[SMALLER]:.1f} x")
        texts += [cell(name, line[name], 1) for name in _SHARES]
        texts.append("yes" if line[FRONT] else "-")
        if energy:
            texts += [cell(ENERGY, line[ENERGY], 2), cell(SAVED, line[SAVED], 1)]
            texts.append("yes" if line[ENERGY_FRONT] else "-")
        lines.append(texts)
    return lines


def _measured(frame: pd.DataFrame) -> bool:
    """Whether every row has a packed size."""
    return "packed_mb" in frame and bool(frame["packed_mb"].notna().all())


def _rows(sweep: Sweep, frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    rows = {row["label"]: row for row in sweep.manifest["rows"]}
    return [rows[label] for label in frame["configuration"]]


def _smaller(sweep: Sweep, frame: pd.DataFrame, size: pd.Series) -> list[float]:
    """How many times smaller each row is than the first float row with as many values.

    NaN without such a float row.
    """
    rows = _rows(sweep, frame)
    floats: dict[tuple[int, int], float] = {}
    for row, own in zip(rows, size.tolist(), strict=True):
        if not row["quantized"]:
            floats.setdefault(_network(sweep, row), own)
    pairs = zip(rows, size.tolist(), strict=True)
    return [floats.get(_network(sweep, row), nan) / own for row, own in pairs]


def _network(sweep: Sweep, row: Mapping[str, Any]) -> tuple[int, int]:
    """The numbers of values of a row's network: those with the bits of codes, and float ones."""
    records = (sweep.records.get(run["id"]) for run in row["runs"])
    size = next(record["size"] for record in records if record and record["size"])
    return size["values"], size.get("float_values", 0)


def _facts(sweep: Sweep, row: Mapping[str, Any]) -> dict[str, float]:
    """Means over the seeds of what the records count."""
    records = [sweep.records[run["id"]] for run in row["runs"] if run["id"] in sweep.records]
    found = [record["kernels"] for record in records if record.get("kernels")]
    used = [one for one in found if "used_as" in one]
    read = [one for one in found if "read_bits" in one]
    full = [1 - one["read_bits"] / (FULL_BITS * one["weights"]) for one in read if one["weights"]]
    return {
        "weights": _mean([one["weights"] for one in found]),
        "coded": _mean([one["coded"] for one in found]),
        "uses": _mean([one["uses"] for one in used]),
        ENERGY: _mean([picojoules(one["read_bits"]) / 1e6 for one in read]),
        SAVED: _mean([100 * one for one in full]),
        "zero_pct": _mean([100 * one["zero"] / one["coded"] for one in found if one["coded"]]),
        **{
            f"{name}s_pct": _mean([100 * one["used_as"].get(name, 0) / one["uses"] for one in used])
            for name in (SHIFT, SIGN)
        },
    }


def _mean(numbers: list[float]) -> float:
    return fmean(numbers) if numbers else nan
