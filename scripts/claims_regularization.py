"""The claim of Chen et al. 2021 for docs/claims.md: quantization improves accuracy by regularizing.

Their numbers are those of their tables, typed here once; every difference is computed from them.
Ours come from results/vgg, results/vgg_ensembles (the same rows of the small network under more
seeds) and results/vgg_large, as far as these are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd
from markdown_tables import table

from qbench.report.values import signed
from qbench.statistics.compared import Comparison, RowComparison
from qbench.statistics.comparison import compare_differences
from qbench.statistics.verdict import Verdict

METRIC, LOSS = "accuracy", "loss"
MARGIN = 0.5  # percentage points, as `stats.margin` is by default
SMALL, LARGE = ("vgg", "vgg_ensembles"), ("vgg_large",)
FLOAT = "baseline"
BITS = {8: "default", 4: "quant.bits=4"}
LAST = 0.1  # share of the steps whose training loss is shown

# Top-1 accuracy: of VGG-16 by bits in table 5, of K networks in table 6, of small ones in table 7.
FLOAT_VGG = 69.29
VGG_BITS = {2: 42.61, 3: 63.72, 4: 67.70, 5: 68.64, 6: 69.68, 7: 70.36, 8: 70.48, 9: 70.28}
VGG_FLOAT = {2: 70.18, 3: 70.10, 4: 70.38, 5: 69.31, 6: 69.82, 7: 68.58}
VGG_8_BITS = {2: 70.10, 3: 71.24, 4: 71.03, 5: 69.80, 6: 69.17, 7: 69.85}
VGG_SMALL = {5: {32: 64.14, 4: 64.12, 8: 64.05}, 8: {32: 66.04, 4: 66.00, 8: 66.02}}
# Error rates of Deep Speech in tables 8 to 10; lower is better.
FLOAT_SPEECH = 48.13
SPEECH_BITS = {2: 60.33, 3: 64.30, 4: 69.53, 5: 52.93, 6: 47.20, 7: 49.50, 8: 52.40, 9: 44.70}
SPEECH_FLOAT = {2: 45.37, 3: 47.30, 4: 43.93, 5: 42.83, 6: 46.23, 7: 43.30}
SPEECH_9_BITS = {2: 43.90, 3: 46.17, 4: 48.07, 5: 48.83, 6: 53.90, 7: 45.53}
SPEECH_SMALL = {32: 50.04, 4: 47.05, 8: 47.08}
# Averaged Dice and F1 score in tables 1 and 2; higher is better.
FLOAT_GLAND = 86.25
GLAND_ANNOTATION = {2: 62.98, 3: 85.39, 4: 86.17, 5: 86.52, 6: 86.66, 7: 86.51, 8: 86.22, 9: 86.12}
GLAND_7_BITS = {2: 86.2, 3: 85.39, 4: 85.32, 5: 86.84, 6: 86.08, 7: 85.74}

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
Values = dict[int, dict[str, float]]
"""A metric by seed and row."""


def highest(found: Mapping[int, float]) -> int:
    """The bits or the number of networks with the highest value."""
    return max(found, key=lambda key: found[key])


def lowest(found: Mapping[int, float]) -> int:
    """The bits or the number of networks with the lowest value."""
    return min(found, key=lambda key: found[key])


def slips() -> list[str]:
    """What the paper says of itself that its own tables do not say."""
    best, float_best = highest(VGG_8_BITS), lowest(SPEECH_FLOAT)
    annotation, glands = highest(GLAND_ANNOTATION), highest(GLAND_7_BITS)
    fourth = FLOAT_SPEECH - SPEECH_FLOAT[4]
    lines = [
        [
            'Captions of tables 5 to 7: "top-1 error in %"',
            f"{FLOAT_VGG} to {VGG_BITS[8]} is called an improvement: they are accuracies. Those of"
            " tables 8 to 10 are errors, as their captions say",
        ],
        [
            '"1.95% improvement with 2 parallel models" (8 bits)',
            f"{NUMBERS[2]} networks: {signed(VGG_8_BITS[2] - FLOAT_VGG, 2)}; {NUMBERS[best]}:"
            f" {signed(VGG_8_BITS[best] - FLOAT_VGG, 2)}",
        ],
        [
            'The row of 8 bits in table 6 begins with 69.29, its "Original"',
            f"that is the float network. One network of 8 bits has {VGG_BITS[8]} (table 5):"
            f" {NUMBERS[best]} add {signed(VGG_8_BITS[best] - VGG_BITS[8], 2)}, and"
            f" {_worse_than_one()} together are worse than one",
        ],
        [
            'Quantization "can no longer improve the performance of simplified networks"',
            f"the small speech network improves, from an error of {SPEECH_SMALL[32]:.2f} to"
            f" {SPEECH_SMALL[4]} (4 bits) and {SPEECH_SMALL[8]} (8). The large one gets worse with"
            f" these bits: {FLOAT_SPEECH} to {SPEECH_BITS[4]} and {SPEECH_BITS[8]:.2f}. Section 3.4"
            ' says "still improved"',
        ],
        [
            "Segmentation: tables 1 to 4",
            'each figure is the best of four runs ("repeated 4 times and the one with the optimal'
            ' performance is selected"), so its gains of 0.26 and 0.31 points are differences of'
            " maxima",
        ],
        [
            '"0.31% for quantized SA" (table 1)',
            f"{signed(GLAND_ANNOTATION[annotation] - FLOAT_GLAND, 2)} at {annotation} bits, the"
            " best of them",
        ],
        [
            "The best number of networks with 7 bits is 6 (table 2)",
            f"{NUMBERS[glands]}, with {GLAND_7_BITS[glands]}; six have {GLAND_7_BITS[6]}",
        ],
        [
            '"With three parallel networks [...] an improvement of 4.2%" (speech, float)',
            f"three: {signed(FLOAT_SPEECH - SPEECH_FLOAT[3], 2)}; four: {signed(fourth, 2)}",
        ],
        [
            "Two networks with 9 bits are the best of all configurations (speech)",
            f"{SPEECH_9_BITS[2]:.2f}; {NUMBERS[float_best]} float networks have"
            f" {SPEECH_FLOAT[float_best]}, a lower error",
        ],
        [
            '"0.02% precision loss" of both small VGG-16 (table 7)',
            "; ".join(
                f"{layers} convolutions: {signed(found[4] - found[32], 2)} (4 bits),"
                f" {signed(found[8] - found[32], 2)} (8)"
                for layers, found in VGG_SMALL.items()
            ),
        ],
    ]
    head, _, *body = table(["the paper says", "its own tables"], lines)
    return [head, "| --- | --- |", *body]


def _worse_than_one() -> str:
    """How many networks of 8 bits together have less than one has."""
    found = [NUMBERS[count] for count, value in VGG_8_BITS.items() if value < VGG_BITS[8]]
    return f"{', '.join(found[:-1])} and {found[-1]}"


def values(results: Path, names: tuple[str, ...], metric: str) -> Values:
    """A metric by seed and row, from the runs of these folders; they agree on runs of both."""
    found: Values = {}
    for name in names:
        if not (results / name / "runs.csv").exists():
            continue
        runs = pd.read_csv(results / name / "runs.csv")
        for _, run in runs[runs["seed"].notna()].iterrows():
            if pd.notna(run[metric]):
                mine = found.setdefault(int(run["seed"]), {})
                mine.setdefault(str(run["configuration"]), float(run[metric]))
    return found


def gains(found: Values, row: str) -> dict[int, float]:
    """A row less float, for the seeds that have both."""
    return {seed: own[row] - own[FLOAT] for seed, own in found.items() if {row, FLOAT} <= set(own)}


def compared(results: Path) -> Comparison:
    """What 8 and 4 bits change, in the small network, in the large one, and how much more there.

    All intervals hold together with 95 %. Differences between the networks are of equal seeds.
    """
    small, large = (values(results, names, METRIC) for names in (SMALL, LARGE))
    found: dict[str, dict[int, float]] = {}
    for bits, row in BITS.items():
        of_small, of_large = gains(small, row), gains(large, row)
        found[f"small network: {bits} bits less float"] = of_small
        found[f"large network: {bits} bits less float"] = of_large
        found[f"{bits} bits: gain of the large less that of the small"] = {
            seed: of_large[seed] - of_small[seed] for seed in of_large if seed in of_small
        }
    return compare_differences(found, "nothing", margin=MARGIN, unit="percentage points")


def lacking(results: Path) -> list[str]:
    """The studies of networks that have no runs."""
    return [names[0] for names in (SMALL, LARGE) if not values(results, names, METRIC)]


def regularization(results: Path) -> list[str]:
    """Our contrasts, the networks, and a verdict in words; what is lacking if runs are."""
    if missing := lacking(results):
        named = " and ".join(f"`study={name}`" for name in missing)
        return [f"No runs of {named} are committed, so the claim is undecided here."]
    made = compared(results)
    lines = [_line(one) for one in made.rows]
    heads = ["accuracy, percentage points", "seeds", "ours", "95 % interval", "ours, in words"]
    return [*table(heads, lines), "", *_networks(results), "", *_verdict(made)]


def _line(one: RowComparison) -> list[str]:
    interval = "-" if one.low is None else f"[{one.low:.2f}, {one.high:.2f}]"
    mean = signed(one.mean, 2) if one.seeds else "-"
    return [one.row, str(len(one.seeds)), mean, interval, one.verdict.value]


def _networks(results: Path) -> list[str]:
    """Accuracy and losses of the float rows: how far each network overfits."""
    lines = []
    for title, names in (("small", SMALL), ("large", LARGE)):
        accuracy = [own[FLOAT] for own in values(results, names, METRIC).values() if FLOAT in own]
        tested = [own[FLOAT] for own in values(results, names, LOSS).values() if FLOAT in own]
        spread = f" ± {stdev(accuracy):.2f}" if len(accuracy) > 1 else ""
        trained = fmean(training_losses(results, names))
        shown = [f"{fmean(accuracy):.2f}{spread}", f"{trained:.3f}", f"{fmean(tested):.3f}"]
        lines.append([title, *shown])
    return table(["network in float", "accuracy %", "training loss", "test loss"], lines)


def training_losses(results: Path, names: tuple[str, ...]) -> list[float]:
    """The mean training loss of the last tenth of the steps, for each float run."""
    found = {}
    for name in names:
        path = results / name / "runs.csv"
        if path.exists():
            runs = pd.read_csv(path)
            for run in runs[(runs["configuration"] == FLOAT) & runs["seed"].notna()]["run"]:
                history = pd.read_csv(results / name / "runs" / str(run) / "history.csv")
                late = history[history["step"] > (1 - LAST) * history["step"].max()]
                found[run] = float(late["loss"].mean())
    return list(found.values())


def _verdict(made: Comparison) -> list[str]:
    """The claim in one sentence for each of its halves."""
    large = [one for one in made.rows if one.row.startswith("large")]
    more = [one for one in made.rows if "gain of the large" in one.row]
    return [
        f"Quantization improves the accuracy of the large network: {_holds(large)}.",
        f"It improves the large network more than the small one: {_holds(more)}.",
    ]


def _holds(rows: list[RowComparison]) -> str:
    """Whether one of these differences is above zero."""
    better = (Verdict.BETTER, Verdict.BETTER_BELOW_MARGIN)
    if any(one.verdict in better for one in rows):
        bits = [one.row for one in rows if one.verdict in better]
        return f"holds here ({'; '.join(bits)})"
    if all(one.verdict.decided for one in rows):
        return "fails here: no difference of half a point or more in its favour"
    return "undecided here"
