"""What a run's records say, as flat names and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qbench.base.checks import show
from qbench.report.collect import Sweep
from qbench.storage import layout, records
from qbench.storage.conversions import WITHOUT_FILE


def settings(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The settings of a configuration by dotted key, as on the command line."""
    found: dict[str, str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= settings(value, f"{name}.")
        else:
            found[name] = show(value)
    return found


def figures(sweep: Sweep, run: str) -> dict[str, float]:
    """Every figure of a run: `test/` and the name of a metric, `validation/`, `xnnpack/`, sizes."""
    record = sweep.records[run]
    held_out = record.get("validation") or {}
    found = dict(_named("test", record["metrics"]))
    found |= _named("validation", held_out.get("metrics"))
    if record["size"]:
        found["size_mb"] = float(record["size"]["megabytes"])
    if record["seconds"]:
        found["seconds"] = float(sum(record["seconds"].values()))
    return found | _of_file(sweep.exports.get(run))


def _of_file(report: Mapping[str, Any] | None) -> dict[str, float]:
    """The figures of a run's converted file on every kernel path."""
    if report is None or report["export"] in WITHOUT_FILE:
        return {}
    found = {"file_bytes": float(report["bytes"])}
    if report.get("packed_bytes"):
        found["packed_bytes"] = float(report["packed_bytes"])
    for path, measured in report["kernels"].items():
        if "error" not in measured:
            found |= _named(path, measured)
    return found


def _named(part: str, values: Mapping[str, Any] | None) -> dict[str, float]:
    return {
        f"{part}/{name}": float(value)
        for name, value in (values or {}).items()
        if value is not None
    }


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a run without weights and outputs, which are large and no records."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in records.NOT_COMMITTED and path.name[0] != ".":
            yield path


def tables_of(folder: Path) -> Iterator[Path]:
    """The tables, the page and the figures of a sweep, as far as they were written."""
    for pattern in ("*.csv", "*.md", "*.html", layout.MANIFEST):
        yield from sorted(path for path in folder.glob(pattern) if path.is_file())
    yield from sorted(layout.figures_folder(folder).glob("*.*"))
