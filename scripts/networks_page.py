"""Trains, converts and measures known networks, and writes docs/networks.md.

    python scripts/networks_page.py [NAME ...] [--folder outputs/networks]

Each network runs in a process of its own and leaves FOLDER/NAME.json. Networks that have one are
not run again, so the script may be stopped and started again; with names, only these are run.
The page has a line for every network of `BUILT` and of `TRAINED` in network_runs.py. The names of
the latter begin with `trained/` here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_tables import table
from network_runs import BUILT, IMAGES, MEASURED, STEPS, TRAINED, measure_built, measure_trained

from qbench.storage.records import write_atomically

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "networks.md"
OF_TRAINED = "trained/"
NAMES = [*BUILT, *(f"{OF_TRAINED}{name}" for name in TRAINED)]
Figures = dict[str, Any]

HEADS = ("network", "integer", "float", "largest", "mean", "MB", "seconds", "the file")
TRAINED_HEADS = (
    *("network", "steps", "simulation, %", "XNNPACK, %", "built-in, %", "reference, %"),
    *("integer", "float", "seconds", "the file"),
)


def measure(name: str, folder: Path) -> Figures:
    """The figures of a network; the run of a trained one is kept in the folder."""
    trained = name.removeprefix(OF_TRAINED)
    if name != trained:
        return measure_trained(TRAINED[trained], folder / "runs_of_trained")
    return measure_built(BUILT[name])


def note_of(report: Figures) -> str:
    """What qbench calls a file, and its note."""
    return f"{report['export']}; {report['export_note']}".removesuffix("; ")


def row(name: str, figures: Figures) -> tuple[str, ...]:
    """The line of a network that is hardly trained."""
    seconds = f"{figures['seconds']:.1f}" if "seconds" in figures else ""
    if "refused" in figures:
        return (name, "", "", "", "", "", seconds, f"refused: {figures['refused']}")
    report = figures["report"]
    paths = report["kernels"].values()
    runs = [path for path in paths if "error" not in path]
    apart = [max(path[f"{key}_difference"] for path in runs) for key in ("largest", "mean")]
    note = note_of(report)
    if figures["alike"]:
        note += "; every image has the same logits, so no difference shows"
    counts = (str(figures["integer"]), str(figures["float"]))
    size = f"{report['bytes'] / 1e6:.2f}"
    return (name, *counts, f"{apart[0]:.1f}", f"{apart[1]:.2f}", size, seconds, note)


def trained_row(name: str, figures: Figures) -> tuple[str, ...]:
    """The line of a trained network."""
    report, steps = figures["report"], figures["steps"]
    measured = [report["simulation"], *report["kernels"].values()]
    shown = [f"{one['accuracy']:.1f}" if "accuracy" in one else "" for one in measured]
    counts = (str(figures["integer"]), str(figures["float"]))
    total = str(steps["float"] + steps["quantized"])
    return (name, total, *shown, *counts, f"{figures['seconds']:.0f}", note_of(report))


def rows(figures: Mapping[str, Figures], trained: bool) -> list[Sequence[str]]:
    """The lines of one of the tables."""
    heads, line = (TRAINED_HEADS, trained_row) if trained else (HEADS, row)
    return [
        line(name, figures[key])
        if (key := f"{OF_TRAINED}{name}" if trained else name) in figures
        else (name, *[""] * (len(heads) - 2), "not run yet")
        for name in (TRAINED if trained else BUILT)
    ]


def page(figures: Mapping[str, Figures]) -> str:
    """The text of docs/networks.md."""
    return "\n".join(
        [
            "# Networks that people bring",
            "",
            "`python scripts/networks_page.py` writes this page.",
            "",
            "## Networks of keras.applications",
            "",
            "Every network is built for images of Fashion-MNIST of 32x32 pixels (Xception 71,"
            " InceptionV3 75) with new",
            f"weights, trained for {STEPS} steps of 8 images with `quant=deploy`, measured on"
            f" {MEASURED} images (its ranges and the",
            f"statistics of its normalizations) and converted. The file is compared with the"
            f" simulation on {IMAGES} images. Such a",
            "network is hardly trained, and amplifies what is rounded otherwise. Exact files are"
            " within the bound for [right",
            "files](deployment.md#right-or-refused): the largest difference of an image, in the"
            " median of the images, is at most",
            "3 x sqrt(operators) steps. Approximate ones are within it of the converted graph.",
            "",
            "- *integer*, *float*: operators of the int8 file without and with float tensors.",
            "- *largest*, *mean*: the largest and the mean difference of a logit from the"
            " simulation, in steps of the output's grid, on the kernel path where it is largest.",
            "- *seconds*: CPU seconds of `qbench graph`, without the import of TensorFlow and"
            " qbench.",
            "- *the file*: what qbench calls it, and its note; or why there is none.",
            "",
            *table(HEADS, rows(figures, trained=False)),
            "",
            "## Trained networks",
            "",
            "These are trained with `quant=deploy` on the 1,198 training images of the shipped"
            " digits: the U-Nets and the network",
            "with squeeze-and-excitation on 8x8 pixels, the others on images enlarged to 32x32."
            " They begin with new weights.",
            "Accuracies are of the 599 test images; a guess is right for 10 %."
            " The U-Nets, the network with squeeze-and-excitation and",
            "EfficientNetB0 with hard SiLU are in"
            " [scripts/example_networks.py](../scripts/example_networks.py).",
            "The U-Nets have `quant.tie_inputs=true`, so that the parts of a concatenation share a"
            " grid. MobileNetV3Small and",
            "EfficientNetB0 have `model.batch_norm_momentum=0.9`"
            " ([why](weights.md#a-network-of-kerasapplications)); EfficientNetB0 with",
            "hard SiLU has this momentum in its code."
            " All settings are in [scripts/network_runs.py](../scripts/network_runs.py).",
            "*seconds* are CPU seconds of training, evaluation and conversion, without the import"
            " of TensorFlow and qbench.",
            "",
            *table(TRAINED_HEADS, rows(figures, trained=True)),
            "",
        ]
    )


def record_of(name: str, folder: Path) -> Path:
    """The file with the figures of a network."""
    return folder / f"{name.replace('/', '-').replace(', ', '-').replace(' ', '-')}.json"


def records_of(folder: Path) -> dict[str, Figures]:
    """The figures of the networks that have been run."""
    found = {name: record_of(name, folder) for name in NAMES}
    return {name: json.loads(path.read_bytes()) for name, path in found.items() if path.exists()}


def main() -> None:
    """Run what is missing, one process after the other, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(NAMES))
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs" / "networks")
    parser.add_argument("--one", action="store_true", help="run one network in this process")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"unknown: {'; '.join(sorted(unknown))}; expected: {'; '.join(NAMES)}")
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.one:
        (name,) = given.names
        text = json.dumps(measure(name, given.folder), indent=2) + "\n"
        write_atomically(record_of(name, given.folder), text.encode())
        return
    for name in given.names or NAMES:
        if name not in records_of(given.folder):
            words = [sys.executable, __file__, "--one", name, "--folder", str(given.folder)]
            code = subprocess.run(words, cwd=ROOT).returncode
            print(f"{name}: {'measured' if code == 0 else f'ended with code {code}'}", flush=True)
        PAGE.write_text(page(records_of(given.folder)))


if __name__ == "__main__":
    main()
