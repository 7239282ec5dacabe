"""What is left of simulated accuracy in the file that a device runs: qbench and tfmot side by side.

    python benchmarks/deployment.py data.dir=DIR                    # CIFAR-10, resnet8, 3,000 steps
    python benchmarks/deployment.py data.dir=DIR train.steps=600
    python benchmarks/deployment.py data.dir=DIR out=KEPT           # goes on where it was stopped

Both train the same network on the same batches with the same augmentation, optimizer, schedule and
number of float and quantized steps, and both write a full-integer int8 file with TensorFlow's
converter. Of each file: accuracy and agreement with its own simulation on the whole test set, on
every kernel path of the runtime.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE, save

from qbench.planning.settings import REPRESENTATIVE
from qbench.storage import conversions, layout, manifests, records

TFMOT = HERE.parent / ".peers" / "tfmot" / "bin" / "python"
FIXED = (
    *("study=cifar10_resnet8", "seeds=0", "deploy.seeds=null", "quant=deploy"),
    *("train.steps=3000", "workers=1", "threads=2"),
)
# The default freezes normalization when quantization starts; the other row does not.
SWEEP = ("quant.freeze_batch_norm=true,false", "design.factors=[]", "deploy.enabled=true")
TITLES = {
    "baseline": "float",
    "default": "quant=deploy",
    "quant.freeze_batch_norm=false": "quant=deploy, normalization not frozen",
}


def qbench_rows(folder: Path, overrides: list[str]) -> dict[str, Any]:
    """Train and convert; what was measured, by configuration."""
    command = [sys.executable, "-m", "qbench", "sweep", *FIXED, *SWEEP, *overrides]
    subprocess.run([*command, f"out={folder}"], check=True)
    manifest = manifests.read_manifest(folder)
    rows = {}
    for row in manifest["rows"]:
        run = layout.run_folder(folder, row["runs"][0]["id"])
        record = records.read_record(run)
        for calibration in (None, REPRESENTATIVE):
            if report := conversions.read(run, calibration):
                title = f"qbench, {TITLES[row['label']]}"
                title += ", post-training" if calibration else ""
                measured = {key: record["metrics"][key] for key in ("accuracy", "loss")}
                rows[title] = {**measured, **report}
    return rows


def a_run(folder: Path) -> dict[str, Any]:
    """The configuration of the sweep's default row."""
    manifest = manifests.read_manifest(folder)
    (row,) = [row for row in manifest["rows"] if row["label"] == "default"]
    path = layout.run_folder(folder, row["runs"][0]["id"]) / layout.CONFIG
    return dict(json.loads(path.read_text()))


def tfmot_row(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The same with tfmot, measured as qbench measures its own files."""
    from qbench.config.experiment import Experiment
    from qbench.data import load, split
    from qbench.data.preprocessing import preparation
    from qbench.deploy.inputs import BATCH, Feed
    from qbench.deploy.measure import Expected, measure

    experiment = Experiment.from_config(config)
    wanted = {
        **{"config": config, "arguments": dict(experiment.model.arguments)},
        **{"folder": str(folder), "threads": config["threads"]},
    }
    script = HERE / "contenders" / "tfmot_deploy.py"
    subprocess.run([TFMOT, script, json.dumps(wanted)], check=True)
    data = load(experiment.data.name, experiment.data.dir)
    logits = np.load(folder / "logits.npy")
    content = (folder / "model.tflite").read_bytes()

    expected = Expected(logits, None, logits[:BATCH], np.inf)  # whatever it does is measured

    def inputs() -> Any:
        prepare = preparation(experiment.data, split(data, experiment.data))
        return (batch.file for batch in Feed(prepare).batches(data.test_images))

    return {
        "accuracy": 100 * float(np.mean(logits.argmax(axis=1) == data.test_labels)),
        "export": "tfmot",
        "bytes": len(content),
        "kernels": measure(content, expected, inputs, data.test_labels, data.task).kernels,
    }


def show(rows: dict[str, Any]) -> None:
    """Print what was measured."""
    head = ("simulated %", "kernels", "file %", "agreement %", "mean difference")
    print(f"{'':<44}" + "".join(f"{name:>16}" for name in head))
    for name, row in rows.items():
        for path, figures in row["kernels"].items():
            if "error" in figures:
                print(f"{name:<44}{row['accuracy']:>16.2f}{path:>16}  {figures['error']}")
                continue
            print(
                f"{name:<44}{row['accuracy']:>16.2f}{path:>16}{figures['accuracy']:>16.2f}"
                f"{figures['agreement']:>16.2f}{figures['mean_difference']:>16.3f}"
            )


def main() -> None:
    """Measure, print and keep."""
    overrides = sys.argv[1:]
    kept_in = [Path(text.removeprefix("out=")) for text in overrides if text.startswith("out=")]
    overrides = [text for text in overrides if not text.startswith("out=")]
    with tempfile.TemporaryDirectory() as place:
        folder = (kept_in or [Path(place)])[-1] / "qbench"
        rows = qbench_rows(folder, overrides)
        config = a_run(folder)
        if TFMOT.exists():
            other = Path(place) / "tfmot"
            other.mkdir()
            rows["tfmot, quantize_model"] = tfmot_row(other, config)
        else:
            print("left out, not installed (make bench-peers): tfmot")
        with (folder / layout.RUNS_TABLE).open() as file:
            note = next(csv.DictReader(file))["run"]
        note = records.read_record(layout.run_folder(folder, note))["data"]["note"]
    show(rows)
    print(note)
    shown = " ".join(text for text in overrides if not text.startswith("data.dir"))
    command = f"python benchmarks/deployment.py data.dir=DIR {shown}".strip()
    kept = ("accuracy", "loss", "export", "bytes", "kernels")
    figures = {name: {key: row[key] for key in kept if key in row} for name, row in rows.items()}
    save("deployment", command, {"rows": figures, "note": note, "steps": config["train"]["steps"]})


if __name__ == "__main__":
    main()
