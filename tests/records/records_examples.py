"""A small run and a small manifest as `qbench.storage.records` takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qbench.storage import records


def record(status: str = "ok", **more: Any) -> dict[str, Any]:
    return {"schema": records.SCHEMA, "status": status, **more}


def unsealed(read: dict[str, Any] | None) -> dict[str, Any] | None:
    """A record that was read, as it was given: without what sealing it has added."""
    if read is None:
        return None
    return {key: value for key, value in read.items() if key not in ("files", "checksum")}


def write(root: Path, run: str, status: str = "ok", **more: Any) -> None:
    """A run with every kind of file; `more` wins."""
    parts: dict[str, Any] = {
        "config": {"seed": 0},
        "record": record(status),
        "history": [{"step": 1, "phase": "float", "loss": "2.5"}],
        "predictions": {"label": np.array([1, 2], np.uint8)},
        "ranges": {"image": [0.0, 1.0]},
        "outputs": b"outputs",
        "weights": b"weights",
    }
    records.write_run(root, run, **(parts | more))


def manifest(*runs: str) -> dict[str, Any]:
    """A manifest of one row with these runs."""
    listed = [{"seed": seed, "id": run} for seed, run in enumerate(runs)]
    return {"schema": records.SCHEMA, "rows": [{"label": "default", "runs": listed}]}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
