"""A made-up sweep of the paper's 16 rows with several seeds: files, predictions, class names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import report_conversions as conversions
import report_examples as examples
from numpy.typing import NDArray

from qbench.deploy.lite import KERNELS
from qbench.report.collect import collect, table_frame
from qbench.report.comparison import comparisons
from qbench.report.notes import about_values
from qbench.report.page.render import render
from qbench.report.page.view import Said, view
from qbench.report.tables import with_comparisons
from qbench.report.troubles import troubles
from qbench.storage import manifests, records
from qbench.tasks.classification import figures

ROWS = json.loads((Path(__file__).parents[2] / "results" / "digits" / "manifest.json").read_bytes())
CLASSES = [
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
]
COMMAND = "qbench sweep 'seeds=range(5)'"
IMAGES, STEPS = 5000, 400
FOUR_BITS = "quant.bits=4"

Array = NDArray[np.int64]


def write(root: Path, seeds: int = 5, steps: int = STEPS, images: int = IMAGES) -> Path:
    """Write the sweep; returns its folder. Four bits lose 3 points, one run of the others fails."""
    folder = root / "study"
    folder.mkdir(parents=True)
    rows = []
    for number, row in enumerate(ROWS["rows"]):
        runs = [{"seed": seed, "id": examples.run_id(number, seed)} for seed in range(seeds)]
        rows.append({**row, "runs": runs, "classes": CLASSES})
        for seed in range(seeds):
            _run(root, number, row, seed, steps, images)
    content = {
        **ROWS,
        "study": "made up",
        "command": COMMAND,
        "runs": "../runs",
        "seeds": [*range(seeds)],
    }
    manifests.write_manifest(folder, {**content, "rows": rows})
    return folder


def _run(root: Path, number: int, row: dict[str, Any], seed: int, steps: int, images: int) -> None:
    label: str = row["label"]
    status = "diverged" if (label, seed) == ("quant.delay=0.9", 1) else "ok"
    made = examples.Row(label, row["changes"], row["factors"])
    record = examples.record(made, number, seed, status)
    labels = np.random.default_rng(9).integers(0, 10, images)
    before = _changed(labels, labels, 0.125, [seed])
    trained = _changed(labels, before, 0.02 if number else 0.0, [number, seed])
    if label == FOUR_BITS:
        trained = _changed(labels, trained, 0.035, [number, seed, 1])
    data = {"test_images": images, "train_images": 12_000, "note": "", "classes": CLASSES}
    record["data"] = {**record["data"], **data}
    bits = float(row["factors"]["bits"] or 32)
    if status == "ok":
        record["metrics"] = _metrics(labels, trained)
        values = {name: value - 0.1 for name, value in record["metrics"].items()}
        record["validation"] = {"images": 2000, "seed": 0, "metrics": values}
        record["size"] = {"values": 77_418, "bits": bits, "megabytes": 0.0097 * bits}
    records.write_run(
        root,
        examples.run_id(number, seed),
        config={},
        record=record,
        history=_history(number, seed, steps, row) if status == "ok" else (),
        predictions={"label": labels.astype(np.uint8), "predicted": trained.astype(np.uint8)},
    )
    if status == "ok":
        _file(root, number, seed, labels, trained, bits)


def _changed(labels: Array, predicted: Array, share: float, key: list[int]) -> Array:
    """The predictions with a share of images changed, most of them to a neighbouring class."""
    generator = np.random.default_rng(key)
    chosen = generator.uniform(size=len(labels)) < share * (0.5 + labels / len(CLASSES))
    other = (labels + generator.integers(0, 3, len(labels))) % len(CLASSES)
    return np.where(chosen, other, predicted)


def _metrics(labels: Array, predicted: Array) -> dict[str, float]:
    ranks = (labels != predicted).astype(np.int64)
    found = figures(labels, predicted, ranks, len(CLASSES))
    return found | {"loss": 1 - found["accuracy"] / 100}


def _history(number: int, seed: int, steps: int, row: dict[str, Any]) -> list[dict[str, Any]]:
    noise = np.random.default_rng([number, seed, 1]).uniform(0.9, 1.1, steps)
    delay = float(row["factors"]["delay_pct"] or 100) / 100 * steps
    lost = 0.1 if row["label"] == FOUR_BITS else 0.02 * (number % 4)
    return [
        {
            "step": step,
            "phase": "float" if step <= delay else "quantized",
            "loss": str(
                np.float32(noise[step - 1] * (0.3 + 2 * 0.98**step) + lost * (step > delay))
            ),
        }
        for step in range(1, steps + 1)
    ]


def _file(root: Path, number: int, seed: int, labels: Array, trained: Array, bits: float) -> None:
    kernels = {}
    for place, path in enumerate(KERNELS):
        answers = _changed(labels, trained, 0.01, [number, seed, 2, place])
        right = 100 * float(np.mean(answers == labels))
        kernels[path] = conversions.path(right, agreement=100 * float(np.mean(answers == trained)))
    size = 318_000 if bits == 32 else 101_000 + 1_000 * number
    conversions.add(root / "study", number, seed, bytes=size, images=len(labels), kernels=kernels)


def page(folder: Path, **more: Any) -> str:
    """The page of a sweep, without the files of its figures."""
    sweep = collect(folder)
    made = comparisons(sweep)
    said = Said("made up: ofat", about_values(sweep), troubles(sweep), comparisons=made, **more)
    seen, broken = view(sweep, with_comparisons(table_frame(sweep), made), said)
    assert not broken, broken
    return render(seen)
