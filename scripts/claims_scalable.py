"""The claims of Khaliq and Hafiz for docs/claims.md, beside runs of their two networks.

Their numbers are typed here once, from table III, section IV and the conclusion. Ours come from
`quality_scalable.csv` in results/lenet, results/convnet and the folders of their searches, as far
as these are there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pandas as pd
from claims_lines import MARGIN, Values, difference_line, mean_of
from markdown_tables import table

from qbench.statistics.compared import Comparison
from qbench.statistics.comparison import compare_differences
from qbench.statistics.verdict import Verdict

NAME, DIGITS = "quality_scalable.csv", "digits.csv"
LENET, CONVNET = "lenet", "convnet"

Picked = dict[str, object]

CODED: Picked = {"kind": "qsq", "scale": "least_squares", "along": "channels"}
PLAIN: Picked = CODED | {"retrain": "nothing"}
FLOAT: Picked = {"kind": "float"}
OF_16: Picked = PLAIN | {"length": "16"}
OF_64: Picked = PLAIN | {"length": "64"}
ALL_FILTERS: Picked = PLAIN | {"length": "depth", "along": "filters"}
MORE_ZEROS, MEMORY = 6.0, 82.4919  # percent

# Line of the table, the paper's accuracy, and the rows that are meant.
LENET_ROWS: dict[str, tuple[str, Picked]] = {
    "float": ("98.68 (text: 98.86)", FLOAT),
    "codes up to 4, not retrained": ("97.59", OF_16 | {"phi": 4, "layers": "*"}),
    "dense layers alone, 5 epochs": ("98.35", CODED | {"phi": 4, "layers": "*", "epochs": 5}),
    "dense layers alone, 20 epochs": ("98.55", CODED | {"phi": 4, "layers": "*", "epochs": 20}),
    "float dense layers behind coded convolutions, not retrained": (
        "",
        OF_16 | {"phi": 4, "layers": "conv*"},
    ),
    "the same, 5 epochs": ("", CODED | {"phi": 4, "layers": "conv*", "epochs": 5}),
    "the same, 20 epochs": ("", CODED | {"phi": 4, "layers": "conv*", "epochs": 20}),
    "codes up to 1 (2 bits), not retrained": ("", OF_16 | {"phi": 1, "layers": "*"}),
    "codes up to 1, dense layers alone, 20 epochs": (
        "",
        CODED | {"phi": 1, "layers": "*", "epochs": 20},
    ),
}
CONVNET_ROWS: dict[str, tuple[str, Picked]] = {
    "float": ("", FLOAT),
    "2 bits, a scale for all filters (91.95 % of energy saved)": (
        "68.47",
        ALL_FILTERS | {"phi": 1},
    ),
    "3 bits, a scale for all filters (88.82 %)": ("73.28", ALL_FILTERS | {"phi": 4}),
    "2 bits, N = 64 (91.95 %)": ("68.47", OF_64 | {"phi": 1, "layers": "conv*"}),
    "3 bits, N = 64 (88.82 %)": ("73.28", OF_64 | {"phi": 4, "layers": "conv*"}),
    "2 bits, N = 16": ("", OF_16 | {"phi": 1, "layers": "conv*"}),
    "3 bits, N = 16": ("", OF_16 | {"phi": 4, "layers": "conv*"}),
    "3 bits, N = 16, the paper's scale": (
        "",
        OF_16 | {"phi": 4, "layers": "conv*", "scale": "equation_9"},
    ),
}
Contrast = tuple[str, str]
NEAR: dict[str, tuple[str, Contrast]] = {
    "LeNet: not retrained, less float": (LENET, ("codes up to 4, not retrained", "float")),
    "LeNet: 5 epochs, less float": (LENET, ("dense layers alone, 5 epochs", "float")),
    "LeNet: 20 epochs, less float": (LENET, ("dense layers alone, 20 epochs", "float")),
    "ConvNet: 3 bits, N = 16, less float": (CONVNET, ("3 bits, N = 16", "float")),
}
FAR: dict[str, tuple[str, Contrast]] = {
    "LeNet: 3 bits less 2, N = 16": (
        LENET,
        ("codes up to 4, not retrained", "codes up to 1 (2 bits), not retrained"),
    ),
    "ConvNet: 3 bits less 2, a scale for all filters": (
        CONVNET,
        (
            "3 bits, a scale for all filters (88.82 %)",
            "2 bits, a scale for all filters (91.95 % of energy saved)",
        ),
    ),
    "ConvNet: 3 bits less 2, N = 16": (CONVNET, ("3 bits, N = 16", "2 bits, N = 16")),
}
ROWS = {LENET: LENET_ROWS, CONVNET: CONVNET_ROWS}
SEARCH = "{}_search"
"""The study of a network's thresholds."""
STUDIES = {LENET: ("LeNet", "*"), CONVNET: ("ConvNet", "conv*")}
"""Name and coded layers of each study."""


def frame_of(results: Path, study: str) -> pd.DataFrame | None:
    """The runs of a study; None if there are none."""
    path = results / study / NAME
    return pd.read_csv(path, dtype={"length": str}) if path.exists() else None


def picked(frame: pd.DataFrame, wanted: Picked, column: str = "accuracy") -> Values:
    """The values of the runs with these facts, by seed.

    Raises:
        AssertionError: several rows have them.
    """
    found = frame
    for name, value in wanted.items():
        found = found[found[name] == value]
    values = dict(zip(found.seed.astype(int), found[column].astype(float), strict=True))
    assert len(values) == len(found), wanted
    return values


def differences(results: Path) -> dict[str, Values]:
    """Every contrast whose runs are there: the difference under each seed."""
    found: dict[str, Values] = {}
    for name, (study, (row, other)) in (NEAR | FAR).items():
        frame = frame_of(results, study)
        if frame is not None:
            one, two = (picked(frame, ROWS[study][label][1]) for label in (row, other))
            found[name] = {seed: one[seed] - two[seed] for seed in one if seed in two}
    return found


def scalable(results: Path) -> list[str]:
    """Accuracies beside the paper's, contrasts with intervals, and verdicts in words."""
    lines: list[str] = []
    for study, title in ((LENET, "LeNet on MNIST"), (CONVNET, "ConvNet on CIFAR-10")):
        frame = frame_of(results, study)
        if frame is None:
            lines += [f"No runs of `study={study}` are committed, so it is undecided here.", ""]
        else:
            lines += [*_accuracies(frame, title, ROWS[study]), ""]
    if frame_of(results, LENET) is None and frame_of(results, CONVNET) is None:
        return lines[:-1]
    found = differences(results)
    # The intervals hold together with 95 %.
    made = compare_differences(found, "nothing", margin=MARGIN, unit="percentage points")
    shown = [difference_line(made, name, found[name]) for name in made.by_label]
    heads = ["accuracy, percentage points", "seeds", "ours", "least to most", "95 % interval"]
    tables = [*table([*heads, "ours, in words"], shown), "", *by_scale(results), ""]
    for more in (by_search(results), by_digits(results)):
        tables += [*more, ""] if more else []
    return [*lines, *tables, *_verdicts(results, made)]


def by_scale(results: Path) -> list[str]:
    """Accuracies by scale and phi at N = 16, and in how many seeds codes up to 4 are better."""
    lines = []
    for study, (title, layers) in STUDIES.items():
        frame = frame_of(results, study)
        if frame is None:
            continue
        for scale in ("least_squares", "equation_9"):
            rows = OF_16 | {"layers": layers, "scale": scale}
            each = {phi: picked(frame, rows | {"phi": phi}) for phi in (1, 2, 4)}
            common = each[1].keys() & each[4].keys()
            if common:
                more = sum(each[4][seed] > each[1][seed] for seed in common)
                cells = [mean_of(values) for values in each.values()]
                lines.append([f"{title}, {scale}", *cells, f"{more} of {len(common)}"])
    heads = ["accuracy, %, N = 16, not retrained", "phi 1", "phi 2", "phi 4"]
    return table([*heads, "seeds with phi 4 above phi 1"], lines)


def by_search(results: Path) -> list[str]:
    """Accuracies by what chooses the thresholds, and their differences under each seed."""
    means: dict[str, list[str]] = {}
    found: dict[str, Values] = {}
    for study, (title, layers) in STUDIES.items():
        frame = frame_of(results, SEARCH.format(study))
        if frame is None:
            continue
        of_layers = frame[(frame.layers == layers) & (frame.search == "loss")]
        for (scale, length, phi), _ in of_layers.groupby(["scale", "length", "phi"]):
            wanted: Picked = {"scale": scale, "length": length, "phi": phi, "layers": layers}
            one, two = (picked(frame, wanted | {"search": s}) for s in ("distance", "loss"))
            name = f"{title}, phi {phi:g}, N = {length}, {scale}"
            means[name] = [mean_of(one), mean_of(two)]
            found[name] = {seed: two[seed] - one[seed] for seed in two if seed in one}
    if not found:
        return []
    # The intervals hold together with 95 %.
    made = compare_differences(found, "nothing", margin=MARGIN, unit="percentage points")
    lines = [
        [name, *means[name], *difference_line(made, name, found[name])[2:]]
        for name in made.by_label
    ]
    heads = ["accuracy, %, not retrained", "by distance", "by loss", "loss less distance"]
    return table([*heads, "least to most", "95 % interval", "in words"], lines)


def by_digits(results: Path) -> list[str]:
    """Accuracies of few signed digits, and the share of partial products that they save."""
    lines = []
    for study, (title, _) in STUDIES.items():
        frame, path = frame_of(results, study), results / study / DIGITS
        if frame is None or not path.exists():
            continue
        saved = pd.read_csv(path).groupby("digits").saved_with_so_many.mean()
        lines.append([f"{title}, float", mean_of(picked(frame, FLOAT)), "-"])
        for most in sorted(frame[frame.kind == "few_digits"].digits.unique()):
            values = picked(frame, {"kind": "few_digits", "digits": most})
            name = f"{title}, {most:g} digit{'s' if most > 1 else ''}"
            lines.append([name, mean_of(values), f"{100 * saved[most]:.1f}"])
    heads = ["weights of few signed digits", "accuracy, %", "partial products saved, %"]
    return table(heads, lines) if lines else []


def _accuracies(frame: pd.DataFrame, title: str, rows: dict[str, tuple[str, Picked]]) -> list[str]:
    lines = []
    for name, (paper, wanted) in rows.items():
        values, saved = picked(frame, wanted), picked(frame, wanted, "saved")
        if not values:
            continue
        share = "-" if wanted == FLOAT else f"{100 * fmean(saved.values()):.2f}"
        lines.append([name, paper or "-", mean_of(values), share])
    return table([title, "paper, %", "ours, %", "bits saved, %"], lines)


def _verdicts(results: Path, made: Comparison) -> list[str]:
    """One sentence for each claim whose runs are there."""
    rows = {one.row: one.verdict for one in made.rows}
    near = {name: rows[name] for name in NEAR if name in rows}
    far = {name: rows[name] for name in FAR if name in rows}
    lines = [
        '- "almost same accuracy [...] with little or no fine-tuning", that is, within half a point'
        f" of float: {_each(near, _is_near)}.",
        f'- 3 bits "gave far better accuracies" than 2: {_each(far, _is_better)}.',
    ]
    lenet = frame_of(results, LENET)
    return lines if lenet is None else [*lines, *_of_weights(lenet)]


def _is_near(verdict: Verdict) -> bool | None:
    if verdict is Verdict.WORSE:
        return False
    return True if verdict.decided else None


def _is_better(verdict: Verdict) -> bool | None:
    if verdict is Verdict.BETTER:
        return True
    return False if verdict.decided else None


def _each(verdicts: dict[str, Verdict], holds: Callable[[Verdict], bool | None]) -> str:
    """In which of the contrasts a claim holds, fails or is undecided."""
    words = {True: "holds", False: "fails", None: "undecided"}
    found: dict[str, list[str]] = {}
    for name, verdict in verdicts.items():
        found.setdefault(words[holds(verdict)], []).append(name)
    return ", ".join(f"{word} here ({'; '.join(names)})" for word, names in found.items())


def _of_weights(lenet: pd.DataFrame) -> list[str]:
    """Zeros and memory of LeNet over the grid of phi and N."""
    grid = lenet
    for name, value in (PLAIN | {"layers": "*"}).items():
        grid = grid[grid[name] == value]
    zeros = 100 * grid.groupby("phi").zeros.agg(["min", "max"])
    spans = [f"{low:.1f} to {high:.1f} % (phi {phi:g})" for phi, low, high in zeros.itertuples()]
    least = float(zeros["min"].min())
    verdict = "fails here, there are more" if least > MORE_ZEROS else "holds here"
    saved = (100 * grid[grid.phi > 1].groupby("length").saved.mean()).sort_values()
    listed = ", ".join(f"{value:.2f} (N = {length})" for length, value in saved.items())
    enough = [str(length) for length, value in saved.items() if value >= MEMORY]
    said = f"holds here with N = {', '.join(enough)}" if enough else "fails here"
    return [
        f'- "an increase upto {MORE_ZEROS:g}% of zeros" of LeNet, against its float weights:'
        f" {verdict}. Of the coded weights {', '.join(spans)} are 0, of float weights none.",
        f'- "memory savings upto {MEMORY}%" of LeNet: {said}. For our layers, 3 bits save'
        f" {listed} %.",
    ]
