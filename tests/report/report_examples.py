"""A made-up sweep on disk: its manifest and runs, written as qbench writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qbench.storage import manifests, records

COLUMNS = [
    *("op", "rounding", "bits", "preprocessing"),
    *("signedness", "placement", "range_given", "delay_pct"),
]
DEFAULT = dict(
    zip(
        COLUMNS,
        ("QDQv2", "half_to_even", "8", "vgg", "signed", "conv+activation", "no", "80"),
        strict=True,
    )
)
NOTHING = dict.fromkeys(COLUMNS, "")
METRICS = ["accuracy", "recall_at_5", "recall_macro", "precision_macro", "loss"]
NOTE = "made-up data; <not> for comparison"


@dataclass
class Row:
    """A row of the table and, for each seed, how its run ended (None: no record).

    `task` is what its records say of their task, if anything; `validation` is the number of
    validation images, if there are any, and their seed.
    """

    label: str
    changes: dict[str, Any]
    factors: dict[str, str]
    statuses: list[str | None] = field(default_factory=lambda: ["ok"])
    reason: str | None = None
    task: dict[str, Any] | None = None
    validation: tuple[int, int] | None = None


def rows(seeds: int = 1) -> list[Row]:
    """The baseline, the default, and a row for each of the four figures and for the bits."""
    ok: list[str | None] = ["ok"] * seeds
    changes: list[tuple[str, Any, dict[str, str]]] = [
        ("quant.op", "fake_quant", {"op": "FakeQuant", "rounding": "", "signedness": ""}),
        ("quant.bits", 4, {"bits": "4"}),
        ("quant.placement", ["conv", "activation", "add"], {"placement": "conv+activation+add"}),
        ("quant.range_given", True, {"range_given": "yes"}),
        ("quant.delay", 0.4, {"delay_pct": "40"}),
    ]
    return [
        Row("baseline", {"quant.enabled": False}, NOTHING, list(ok)),
        Row("default", {}, DEFAULT, list(ok)),
        *(Row(_label(k, v), {k: v}, DEFAULT | more, list(ok)) for k, v, more in changes),
    ]


def _label(key: str, value: Any) -> str:
    shown = f"[{','.join(value)}]" if isinstance(value, list) else str(value).lower()
    return f"{key}={shown}"


def run_id(row: int, seed: int) -> str:
    return f"{row:06x}{seed:06x}"


def metrics(row: int, seed: int, task: dict[str, Any] | None = None) -> dict[str, float]:
    """Figures that differ from run to run."""
    names = [metric["name"] for metric in task["metrics"]] if task else METRICS
    values = np.random.default_rng([row, seed]).uniform(0.1, 99.9, len(names))
    return dict(zip(names, values.tolist(), strict=True))


def record(row: Row, number: int, seed: int, status: str) -> dict[str, Any]:
    """As the runner writes it."""
    good = status == "ok"
    more: dict[str, Any] = {}
    if row.validation:
        images, chosen = row.validation
        found = metrics(number, seed + 1000, row.task) if good else None
        more = {"validation": {"images": images, "seed": chosen, "metrics": found}}
    error = None if good else {"message": f"what went wrong & <why> in {row.label}"}
    return {
        "schema": records.SCHEMA,
        "run": run_id(number, seed),
        "status": status,
        "error": error,
        "quantized": row.label != "baseline",
        "factors": row.factors,
        "seed": seed,
        "steps": {"float": 40, "quantized": 10},
        "metrics": metrics(number, seed, row.task) if good else None,
        "size": {"values": 79_000, "bits": 8, "megabytes": 0.079} if good else None,
        "seconds": {"set_up": 1.5, "train": 2.25} if good else {},
        "data": {
            "name": "digits",
            "hash": "d53a0d42f46b" + "0" * 52,
            "note": NOTE,
            "train_images": 1198,
            "test_images": 599,
            **({"task": row.task} if row.task else {}),
        },
        "device": {"kind": "CPU", "name": "CPU"},
        "threads": 2,
        "versions": {"qbench": "0.1", "tensorflow": "2.21.0", "keras": "3.13"},
        "finished": "2030-01-01T00:00:00+00:00" if good else None,
        **more,
    }


def history(number: int, seed: int) -> list[dict[str, Any]]:
    """50 rows of a falling loss, the last 10 quantized."""
    noise = np.random.default_rng([number, seed, 1]).uniform(0.9, 1.1, 50)
    return [
        {
            "step": step,
            "phase": "float" if step <= 40 else "quantized",
            "loss": str(np.float32(noise[step - 1] * 2.3 * 0.95**step)),
        }
        for step in range(1, 51)
    ]


def write(root: Path, table: list[Row], seeds: int = 1) -> Path:
    """Write the sweep; returns its folder."""
    folder = root / "ofat-12345678"
    folder.mkdir(parents=True)
    listed = []
    for number, row in enumerate(table):
        runs = [{"seed": s, "id": run_id(number, s)} for s in range(seeds) if row.reason is None]
        listed.append(
            {
                "label": row.label,
                "changes": row.changes,
                "reason": row.reason,
                "quantized": row.label != "baseline",
                "factors": row.factors,
                "runs": runs,
            }
        )
        for run, status in zip(runs, row.statuses, strict=False):
            if status is not None:
                seed = run["seed"]
                records.write_run(
                    root,
                    run["id"],
                    config={},
                    record=record(row, number, seed, status),
                    history=history(number, seed) if status == "ok" else (),
                )
    manifest = {
        "schema": records.SCHEMA,
        "study": "made up",
        "design": {"name": "ofat", "levels": {}},
        "seeds": list(range(seeds)),
        "runs": "../runs",
        "rows": listed,
    }
    manifests.write_manifest(folder, manifest)
    return folder


def cells(text: str) -> list[list[str]]:
    """The cells of the table in Markdown, head first, without the rule."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [table[0], *table[2:]]
