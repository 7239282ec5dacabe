"""Trains, converts and measures known networks, and writes docs/networks.md.

    python scripts/networks_page.py [NAME ...] [--folder outputs/networks]

Each network runs in a process of its own and leaves FOLDER/NAME.json. Networks that have one are
not run again, so the script may be stopped and started again; with names, only these are run.
The page has a line for every network of `NETWORKS`.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from markdown_tables import table

from qbench.base.errors import QbenchError
from qbench.base.paths import config_folder
from qbench.cli.main import main as qbench
from qbench.storage.records import write_atomically

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "networks.md"

# By name: the application, the side of its images, and its other arguments.
NETWORKS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "MobileNetV2": ("MobileNetV2", 32, ()),
    "MobileNetV3Small": ("MobileNetV3Small", 32, ()),
    "MobileNetV3Small-minimalistic": ("MobileNetV3Small", 32, ("model.minimalistic=true",)),
    "MobileNetV3Large": ("MobileNetV3Large", 32, ()),
    "MobileNetV3Large-minimalistic": ("MobileNetV3Large", 32, ("model.minimalistic=true",)),
    "EfficientNetB0": ("EfficientNetB0", 32, ()),
    # Its preprocessing takes three channels.
    "EfficientNetV2B0": ("EfficientNetV2B0", 32, ("model.include_preprocessing=false",)),
    "ResNet50V2": ("ResNet50V2", 32, ()),
    "DenseNet121": ("DenseNet121", 32, ()),
    "NASNetMobile": ("NASNetMobile", 32, ()),
    "Xception": ("Xception", 71, ()),
    "ConvNeXtTiny": ("ConvNeXtTiny", 32, ()),
    "InceptionV3": ("InceptionV3", 75, ()),
}
SETTINGS = ("study=fashion", "quant=deploy", "train.weight_decay=0", "seeds=0", "threads=2")
STEPS, BATCH, RATE, IMAGES = 4, 8, 0.01, 20
MEASURED = 64  # images that ranges and statistics of normalizations come from


def overrides(name: str) -> list[str]:
    """The configuration of a network."""
    application, side, more = NETWORKS[name]
    model = ["model=keras_application", f"model.application={application}", *more]
    return [*SETTINGS, *model, f"data.resolution={side}"]


def called(words: Sequence[str]) -> tuple[int, str, float]:
    """Run a command of qbench in this process.

    Returns:
        The exit code, what it said to standard error, and its CPU seconds.
    """
    said, begin = io.StringIO(), time.process_time()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        code = qbench(list(words))
    return code, said.getvalue(), time.process_time() - begin


def refusal(said: str) -> str:
    """The last sentence of qbench in what a command said."""
    lines = [line for line in said.splitlines() if line.startswith("qbench: ")]
    return lines[-1].removeprefix("qbench: ") if lines else "no reason was given"


def measure(name: str) -> dict[str, Any]:
    """The figures of a network: its graph is listed, and it is trained and converted."""
    for module in ("tensorflow", "keras", "qbench.cli.listing", "qbench.models"):
        importlib.import_module(module)
    words = overrides(name)
    code, said, seconds = called(["graph", *words])
    if code:
        return {"refused": refusal(said)}
    try:
        return {"seconds": seconds, **converted(words)}
    except QbenchError as error:
        return {"seconds": seconds, "refused": str(error)}


def converted(words: Sequence[str]) -> dict[str, Any]:
    """Train a network for a few steps, measure it on images and convert it.

    After so few steps the statistics of normalizations have hardly moved from their start, and a
    deep network gives the same for every image. So they are measured too, not only the ranges.

    Raises:
        QbenchError: the network cannot be trained or converted.
    """
    from hydra import compose, initialize_config_dir

    from qbench.base import device
    from qbench.cli.hydra_app import settings_of
    from qbench.data import load
    from qbench.deploy.convert import export, simulate
    from qbench.training.loop import train
    from qbench.training.network import Network

    steps = [f"train.steps={STEPS}", f"train.batch_size={BATCH}", f"train.learning_rate={RATE}"]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("config", overrides=[*words, *steps, f"eval.limit={IMAGES}"])
        chosen = settings_of(config).base
    device.start(chosen.threads)
    data = load(chosen.data.name, chosen.data.dir)
    network = Network(chosen, data)
    network.initialise(chosen.seed)
    train(network, chosen, data, lambda *_: None)
    images = np.asarray(data.train_images[:MEASURED])
    measure_statistics(network, images)
    network.measure_ranges(images)
    made = export(network, chosen, data)
    outputs = simulate(network, chosen, data.test_images[:IMAGES])
    alike = not np.ptp(outputs, axis=0).any()
    return {**operators(made.content), "alike": alike, "report": made.report}


def measure_statistics(network: Any, images: Any) -> None:
    """Give every normalization of a network the statistics of images, (N, H, W, C) uint8."""
    import keras

    layers = network.model.layers
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    kept = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    network.model(network.prepare(images), training=True)
    for layer, momentum in zip(norms, kept, strict=True):
        layer.momentum = momentum


def operators(content: bytes) -> dict[str, int]:
    """The numbers of operators of a file that read or make floats, and of the others."""
    from qbench.deploy.measure import graph_of

    every = graph_of(content).operators
    floats = [op for op in every if any(one.dtype == "float32" for one in (*op.reads, *op.makes))]
    return {"integer": len(every) - len(floats), "float": len(floats)}


def row(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    """The line of a network in the page."""
    seconds = f"{figures['seconds']:.1f}" if "seconds" in figures else ""
    if "refused" in figures:
        return (name, "", "", "", "", "", seconds, f"refused: {figures['refused']}")
    report = figures["report"]
    paths = report["kernels"].values()
    runs = [path for path in paths if "error" not in path]
    apart = [max(path[f"{key}_difference"] for path in runs) for key in ("largest", "mean")]
    note = f"{report['export']}; {report['export_note']}".removesuffix("; ")
    if figures["alike"]:
        note += "; every image has the same logits, so no difference shows"
    counts = (str(figures["integer"]), str(figures["float"]))
    size = f"{report['bytes'] / 1e6:.2f}"
    return (name, *counts, f"{apart[0]:.1f}", f"{apart[1]:.2f}", size, seconds, note)


def page(figures: dict[str, dict[str, Any]]) -> str:
    """The text of docs/networks.md."""
    heads = ("network", "integer", "float", "largest", "mean", "MB", "seconds", "the file")
    rows = [
        row(name, figures[name]) if name in figures else (name, *[""] * 6, "not run yet")
        for name in NETWORKS
    ]
    return "\n".join(
        [
            "# Networks of keras.applications",
            "",
            "`python scripts/networks_page.py` writes this page. It builds every network for images"
            " of Fashion-MNIST of",
            "32x32 pixels (Xception 71, InceptionV3 75) with new weights, trains"
            f" {STEPS} steps of {BATCH} images with `quant=deploy`,",
            f"measures its ranges and the statistics of its normalizations on {MEASURED} images"
            " and converts it. The file is",
            f"compared with the simulation on {IMAGES} images. Such a network is hardly trained,"
            " and amplifies what is rounded otherwise.",
            "",
            "- *integer*, *float*: operators of the int8 file without and with float tensors.",
            "- *largest*, *mean*: the largest and the mean difference of a logit from the"
            " simulation, in steps of the output's grid, on the kernel path where it is largest.",
            "- *seconds*: CPU seconds of `qbench graph`, without the import of TensorFlow and"
            " qbench.",
            "- *the file*: what qbench calls it, and its note; or why there is none.",
            "",
            *table(heads, rows),
            "",
        ]
    )


def records_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The figures of the networks that have been run."""
    found = {name: folder / f"{name}.json" for name in NETWORKS}
    return {name: json.loads(path.read_bytes()) for name, path in found.items() if path.exists()}


def main() -> None:
    """Run what is missing, one process after the other, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *NETWORKS], default=[])
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs" / "networks")
    parser.add_argument("--one", action="store_true", help="run one network in this process")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.one:
        (name,) = given.names
        figures = measure(name)
        text = json.dumps(figures, indent=2) + "\n"
        write_atomically(given.folder / f"{name}.json", text.encode())
        return
    for name in given.names or NETWORKS:
        if name not in records_of(given.folder):
            words = [sys.executable, __file__, "--one", name, "--folder", str(given.folder)]
            code = subprocess.run(words, cwd=ROOT).returncode
            print(f"{name}: {'measured' if code == 0 else f'ended with code {code}'}", flush=True)
        PAGE.write_text(page(records_of(given.folder)))


if __name__ == "__main__":
    main()
