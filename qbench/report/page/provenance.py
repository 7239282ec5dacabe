"""Where the values come from: data, versions, machine, commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qbench.report.collect import Sweep
from qbench.report.notes import about_data, machines
from qbench.report.texts import counted

_NAMED = ("tensorflow", "keras", "qbench")

Facts = list[tuple[str, list[str]]]
"""A name, and every value that a record has for it."""


def provenance(sweep: Sweep) -> Facts:
    """The facts that the records have; facts without a value are left out."""
    records = list(sweep.records.values())

    def every(read: Callable[[dict[str, Any]], Iterable[str]]) -> list[str]:
        return sorted({text for record in records for text in read(record)})

    rows = sweep.manifest["rows"]
    runs = [run for row in rows for run in row["runs"]]
    facts: Facts = [
        ("data", about_data(sweep, noted=False)),
        ("hash of the data", every(lambda r: [f"SHA-256 {r['data']['hash']}"])),
        ("run on", machines(sweep)),
        ("other versions", every(lambda r: _others(r["versions"]))),
        ("seeds", [", ".join(map(str, sweep.manifest["seeds"]))]),
        ("runs", [f"{counted(len(rows), 'row')}, {counted(len(runs), 'run')}"]),
        ("training", _seconds(records)),
        ("finished", _finished(records)),
        ("command", [sweep.manifest["command"]] if sweep.manifest.get("command") else []),
    ]
    return [(name, texts) for name, texts in facts if texts]


def _others(versions: dict[str, str]) -> list[str]:
    """The versions that `machines` does not name."""
    others = [f"{name} {version}" for name, version in versions.items() if name not in _NAMED]
    return [", ".join(others)] if others else []


def _seconds(records: list[dict[str, Any]]) -> list[str]:
    total = sum(sum(record["seconds"].values()) for record in records)
    return [f"{total:,.0f} seconds in all runs together"] if total else []


def _finished(records: list[dict[str, Any]]) -> list[str]:
    found = {record["finished"] for record in records if record.get("finished")}
    times = [time.replace("T", " ").replace("+00:00", " UTC") for time in sorted(found)]
    return [f"{times[0]} to {times[-1]}" if times[0] != times[-1] else times[0]] if times else []
