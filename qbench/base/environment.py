"""Versions of software and facts about the machine, for identities and records."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import qbench

# Increase this number if a change of qbench alters results. CHANGELOG.md gives the reason.
NUMERICS = 2

_RECORDED = ("keras", "numpy", "hydra-core")


def _version(*names: str) -> str:
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"


@lru_cache
def tensorflow_version() -> str:
    """The version of the installed TensorFlow; TensorFlow is not imported."""
    return _version("tensorflow", "tensorflow-cpu", "tensorflow-macos")


def versions() -> dict[str, str]:
    """The versions of qbench, Python and libraries, for records."""
    return {
        "qbench": qbench.__version__,
        "python": platform.python_version(),
        "tensorflow": tensorflow_version(),
        **{name: _version(name) for name in _RECORDED},
    }


def numerics() -> dict[str, Any]:
    """The parts of the software that can change a result; part of every run's identity."""
    return {
        "qbench": NUMERICS,
        "tensorflow": tensorflow_version(),
        "keras": _version("keras"),
    }


def processor() -> str:
    """The processor's name, if the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
