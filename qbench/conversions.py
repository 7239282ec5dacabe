"""What a report of a conversion holds; see `qbench.deploy.convert.export`. Pure."""

from __future__ import annotations

import math
from typing import Any

NONE = "none"
"""`export` of a run that could not be converted."""

_SHARES = ("accuracy", "recall_at_5", "agreement")
_DIFFERENCES = ("largest_difference", "mean_difference")


def is_conversion(report: Any) -> bool:
    """Whether plain data say of a converted file, or of why there is none, all that is read.

    Args:
        report: as it was read from JSON.
    """
    if not isinstance(report, dict) or not _texts(report, "export", "export_note"):
        return False
    if report["export"] == NONE:
        return True
    kernels = report.get("kernels")
    return (
        _texts(report, "file", "sha256")
        and all(_whole(report.get(key)) for key in ("bytes", "images"))
        and (report.get("packed_bytes") is None or _whole(report["packed_bytes"]))
        and isinstance(kernels, dict)
        and all(_is_measured(row) for row in kernels.values())
    )


def _is_measured(row: Any) -> bool:
    """Whether this is what was measured on one kernel path, or why it could not be."""
    if not isinstance(row, dict):
        return False
    if "error" in row:
        return isinstance(row["error"], str)
    return all(_number(row.get(key)) for key in _SHARES) and all(
        row.get(key) is None or _number(row[key]) for key in _DIFFERENCES
    )


def _texts(report: dict[str, Any], *keys: str) -> bool:
    return all(isinstance(report.get(key), str) for key in keys)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
