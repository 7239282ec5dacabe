"""What every benchmark shares: the machine's description, medians, and the file of its figures."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from qbench.base.environment import processor

HERE = Path(__file__).parent
FIGURES = HERE / "figures"
PACKAGES = ("tensorflow", "keras", "numpy")


def machine() -> dict[str, Any]:
    """The processor, its cores, memory, system and the versions that matter."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": platform.system(),
        "versions": versions(("python", *PACKAGES)),
    }


def versions(names: Sequence[str]) -> dict[str, str]:
    """Installed versions by distribution name; what is not installed is left out."""
    found = {}
    for name in names:
        try:
            found[name] = platform.python_version() if name == "python" else version(name)
        except PackageNotFoundError:
            continue
    return found


def chosen(overrides: Sequence[str]) -> tuple[str, list[str]]:
    """The study that the overrides choose, the quick one if none, and the overrides with it."""
    named = [text.removeprefix("study=") for text in overrides if text.startswith("study=")]
    return (named[-1], [*overrides]) if named else ("digits", ["study=digits", *overrides])


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, best, and the quartiles between which half of the values lie."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return {
        "median": statistics.median(values),
        "best": min(values),
        "quarter": low,
        "three_quarters": high,
    }


def ratios(values: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """The spread of the ratio in each round."""
    return spread([v / r for v, r in zip(values, reference, strict=True)])


def save(name: str, command: str, result: dict[str, Any]) -> Path:
    """Write a benchmark's figures, from which docs/benchmarks.md is made."""
    FIGURES.mkdir(exist_ok=True)
    path = FIGURES / f"{name}.json"
    content = {"command": command, "machine": machine(), **result}
    text = json.dumps(_rounded(content), indent=1, sort_keys=True) + "\n"
    aside = path.with_suffix(".tmp")
    aside.write_text(text)
    aside.rename(path)
    return path


def _rounded(value: Any) -> Any:
    """Four significant digits: more would only be noise in the history."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
