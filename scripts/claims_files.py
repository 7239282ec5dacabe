"""What int8 files lose against MLPerf Tiny's, for docs/claims.md, from committed predictions."""

from __future__ import annotations

from pathlib import Path

from claims_lines import MARGIN, difference_line, mean_of
from markdown_tables import table

from qbench.cli.commands.compared import predicted
from qbench.report.values import signed
from qbench.statistics import images
from qbench.statistics.comparison import compare_differences
from qbench.storage import layout, manifests

FOLDER = "cifar10_resnet8_long"
PUBLISHED = {
    "MLPerf Tiny, 500 epochs, post-training": ("86.2", "86.1"),
    "ST's zoo, post-training": ("87.0", "85.6"),
}
TRAINED, AFTER = "trained with quant=deploy", "post-training"

Pair = tuple[Path, Path]
"""The folder of a run or the report of a file, less another one."""


def pairs_of(folder: Path) -> dict[str, dict[int, Pair]]:
    """By comparison and seed: what is compared, the float network or the simulation first."""
    rows = {row["label"]: row["runs"] for row in manifests.read_manifest(folder)["rows"]}
    runs = {
        label: {run["seed"]: layout.run_folder(folder, run["id"]) for run in every}
        for label, every in rows.items()
    }
    found: dict[str, dict[int, Pair]] = {}
    for seed, plain in runs["baseline"].items():
        trained = runs["default"][seed]
        for name, pair in {
            f"{TRAINED}, less float": (plain, trained / "deploy.json"),
            f"{AFTER}, less float": (plain, plain / "deploy_representative.json"),
            f"{TRAINED}, less its simulation": (trained, trained / "deploy.json"),
        }.items():
            found.setdefault(name, {})[seed] = pair
    return found


def accuracies(folder: Path) -> list[str]:
    """Accuracy in float and of the file, beside the published ones."""
    pairs = pairs_of(folder)
    lines = [[name, *values] for name, values in PUBLISHED.items()]
    for how in (TRAINED, AFTER):
        both = pairs[f"{how}, less float"].items()
        means = [{s: _accuracy(pair[end]) for s, pair in both} for end in (0, 1)]
        lines.append([f"here, 40 epochs, {how}", *(mean_of(values) for values in means)])
    return table(["ResNet-8 on CIFAR-10, accuracy, %", "float", "int8 file"], lines)


def over_seeds(folder: Path) -> list[str]:
    """The differences over seeds, whose intervals hold together with 95 %."""
    found = {
        name: {seed: _accuracy(new) - _accuracy(old) for seed, (old, new) in pairs.items()}
        for name, pairs in pairs_of(folder).items()
    }
    made = compare_differences(found, "nothing", margin=MARGIN, unit="percentage points")
    heads = ["the int8 file, percentage points", "seeds", "ours", "least to most", "95 % interval"]
    lines = [difference_line(made, name, found[name]) for name in made.by_label]
    return table([*heads, "ours, in words"], lines)


def over_images(folder: Path) -> list[str]:
    """The differences of single networks over test images, with McNemar's test."""
    lines = []
    for name, pairs in pairs_of(folder).items():
        for seed, pair in pairs.items():
            old, new = (predicted(path, "xnnpack").values for path in pair)
            apart, test = images.difference(100.0 * old, 100.0 * new), images.mcnemar(old, new)
            interval = f"[{apart.low:.2f}, {apart.high:.2f}]"
            only = f"{test.only_first} / {test.only_second}"
            lines.append([name, str(seed), signed(apart.mean, 2), interval, only, f"{test.p:.2f}"])
    heads = ["the int8 file, percentage points", "seed", "difference"]
    heads.append("95 % interval over images, each alone")
    return table([*heads, "images only the first / the second gets right", "McNemar's p"], lines)


def files(results: Path) -> list[str]:
    """The three tables; nothing if the runs are not there."""
    folder = results / FOLDER
    if not folder.exists():
        return [f"No runs of `study={FOLDER}` are committed."]
    return [*accuracies(folder), "", *over_seeds(folder), "", *over_images(folder)]


def _accuracy(path: Path) -> float:
    return float(100.0 * predicted(path, "xnnpack").values.mean())
