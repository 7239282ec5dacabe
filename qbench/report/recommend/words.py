"""A recommendation in words: for a terminal, the page and programs."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

from qbench.base.plain import one_line
from qbench.report import values
from qbench.report.recommend.candidates import TEST
from qbench.report.recommend.recommendation import (
    LATENCY,
    SIZE,
    Choice,
    Miss,
    Order,
    Recommendation,
)
from qbench.report.texts import Lines, aligned, counted
from qbench.statistics.best import Standing
from qbench.statistics.methods import FEW, LEVEL
from qbench.statistics.notes import FEW_SEEDS
from qbench.statistics.verdict import Wording
from qbench.tasks.metric import Metric

_SUPERLATIVES: dict[Order, str] = {SIZE: "smallest", LATENCY: "fastest"}
_UNITS = (("MB", 1e6), ("kB", 1e3))


def size(number: float) -> str:
    """`96.4 kB`, `1.20 MB`: three digits."""
    rounded = float(f"{number:.3g}")
    for unit, factor in _UNITS:
        if rounded >= factor:
            digits = 2 - min(2, len(str(int(rounded / factor))) - 1)
            return f"{rounded / factor:.{digits}f} {unit}"
    return f"{rounded:.0f} B"


def latency(milliseconds: float | None) -> str:
    """`0.52 ms`: two digits; `-` if it is unknown."""
    if milliseconds is None:
        return "-"
    return f"{float(f'{milliseconds:.2g}'):g} ms"


def sentence(made: Recommendation) -> str:
    """The answer, or which limit fails by how much."""
    if made.nearest is not None:
        misses = " and ".join(_missed(made.metric, miss) for miss in made.nearest.misses)
        label = made.nearest.candidate.label
        return f"No row satisfies the limits. The nearest is {label}: {misses}."
    if not made.choices:
        return "No row can be recommended."
    first, superlative = made.choices[0], _SUPERLATIVES[made.limits.order]
    if len(made.choices) == 1:
        said = f"Take {first.label}, the only row that is left: {_costs(made, first)}"
    elif (equal := sum(_costs(made, one) == _costs(made, first) for one in made.choices)) > 1:
        said = (
            f"Of the {equal} {superlative} rows {first.label} is the best on the"
            f" {made.limits.part} images: {_costs(made, first)}"
        )
    else:
        said = f"The {superlative} row is {first.label}: {_costs(made, first)}"
    return f"{said}. {_assured(made, first)}"


def _costs(made: Recommendation, choice: Choice) -> str:
    known = [size(choice.candidate.bytes)]
    if choice.candidate.milliseconds is not None:
        known.append(latency(choice.candidate.milliseconds))
    return ", ".join(known[:: -1 if made.limits.order == LATENCY else 1])


def _assured(made: Recommendation, first: Choice) -> str:
    """What is known of the first row, and which row is known to be good if this one is not."""
    margin = wording(made).shown_margin
    if first.behind.standing is Standing.WITHIN:
        return f"It is shown to be less than {margin} behind the best row, or is the best."
    if all(one.behind.standing is Standing.SINGLE for one in made.choices):
        return f"Its value is at most {margin} behind the best one, which may be chance."
    words, behind = wording(made), first.behind
    measured = "It has the best mean"
    if first.label != made.best and behind.mean > 0:
        measured = f"It is measured {words.amount(behind.mean)} behind the best row"
    if behind.standing is Standing.SINGLE:
        measured += ", which may be chance, since too few of its seeds are those of other rows"
    most = "" if behind.high is None else f" and may be up to {words.amount(behind.high)} behind"
    shown = [one for one in made.choices if one.behind.standing is Standing.WITHIN]
    other = (
        f"The {_SUPERLATIVES[made.limits.order]} one that is shown to be within the margin is"
        f" {shown[0].label}: {_costs(made, shown[0])}."
        if shown
        else f"No row is shown to be within the margin of {margin}; more seeds would decide."
    )
    return f"{measured}{most}. {other}"


def _missed(metric: Metric, miss: Miss) -> str:
    more = abs(miss.value - miss.allowed)
    if miss.limit == "size":
        return f"{size(miss.value)} is {size(more)} above the allowed {size(miss.allowed)}"
    if miss.limit == "latency":
        return f"{latency(miss.value)} is {latency(more)} above the allowed {latency(miss.allowed)}"
    side = "below" if metric.higher_is_better else "above"
    unit = f" {values.unit_of_differences(metric)}" if metric.unit else ""
    return (
        f"{values.amount(metric, miss.value)} is {metric.show(more)}{unit} {side} the allowed"
        f" {values.amount(metric, miss.allowed)}"
    )


def wording(made: Recommendation) -> Wording:
    """How its differences are written."""
    metric = made.metric
    unit = values.unit_of_differences(metric)
    return Wording(made.margin, metric.higher_is_better, metric.digits, unit)


def table(made: Recommendation) -> Lines:
    """The recommended rows: figures of the test images, size, latency, and what the choice saw."""
    metric = made.metric
    head = ["configuration", metric.heading, "to the best", "interval"]
    head += [values.column_of("of the file", metric), "size", "latency"]
    head.append(f"{made.limits.part}: behind the best")
    lines = [head, *([one.label, *cells(made, one).values()] for one in made.choices)]
    keep = [k for k in range(len(head)) if k == 0 or any(line[k] != "-" for line in lines[1:])]
    return [[line[k] for k in keep] for line in lines]


def cells(made: Recommendation, choice: Choice) -> dict[str, str]:
    """The texts of a row: `simulated`, `difference`, `interval`, `file`, `size`, `latency`, `seen`.

    A missing value is `-`.
    """
    metric, test, words = made.metric, choice.test, wording(made)
    has_interval = test.low is not None and test.high is not None
    interval = words.interval(test.low or 0.0, test.high or 0.0) if has_interval else "-"
    is_best = choice.label == made.best
    difference = "best" if is_best else "-" if test.difference is None else ""
    return {
        "simulated": _spread(metric, test.mean, test.deviation),
        "difference": difference or words.signed(test.difference or 0.0),
        "interval": interval,
        "file": _spread(metric, test.deployed, test.deployed_deviation),
        "size": size(choice.candidate.bytes),
        "latency": latency(choice.candidate.milliseconds),
        "seen": _seen(choice, words),
    }


def _spread(metric: Metric, mean: float | None, deviation: float | None) -> str:
    """A mean with its standard deviation, as far as they are known."""
    shown = values.number(metric, nan if mean is None else mean)
    return shown if deviation is None else f"{shown} ± {metric.show(deviation)}"


def _seen(choice: Choice, words: Wording) -> str:
    """What the choice knows: the upper bound of how far the row is behind."""
    behind = choice.behind
    if behind.standing is not Standing.WITHIN:
        known = "" if behind.high is None else f", up to {behind.high:.{words.digits}f}"
        return f"{behind.standing.value}{known}"
    return f"less than {words.margin:g}"


def text(made: Recommendation, commands: Mapping[str, str]) -> str:
    """For a terminal: the answer, the table, a line that trains each row, and notes.

    Args:
        made: the recommendation.
        commands: the line that trains a row, by label.
    """
    parts = [one_line(sentence(made))]
    if made.choices:
        parts.append(aligned(table(made), last_is_text=True))
        trained = [
            f"{one_line(one.label)}\n    {one_line(commands[one.label])}" for one in made.choices
        ]
        parts.append("\n".join(trained))
    return "\n\n".join([*parts, "\n".join(map(one_line, notes(made)))])


def notes(made: Recommendation) -> list[str]:
    """What a reader needs to know, a sentence each."""
    lines = [_chosen_by(made), *_of_limit(made), *_of_choice(made), *_of_costs(made)]
    lines += [_apart(made, one) for one in made.choices if _differs(made, one)]
    lines += _further_behind(made)
    lines += [f"Left out: {', '.join(rows)} ({why})." for why, rows in made.found.left_out.items()]
    lines += made.found.notes
    return lines


def _further_behind(made: Recommendation) -> list[str]:
    """The rows that satisfy the limits and are not recommended."""
    digits = made.metric.digits
    lines = []
    if made.undecided:
        named = [f"{one.row} ({one.mean:.{digits}f})" for one in made.undecided]
        lines.append(
            "Undecided, and measured further behind the best than the margin:"
            f" {', '.join(named)}. More seeds would decide."
        )
    if made.worse:
        named = [f"{one.row} (at least {one.low or 0.0:.{digits}f})" for one in made.worse]
        lines.append(f"Further behind the best than the margin: {', '.join(named)}.")
    return lines


def _chosen_by(made: Recommendation) -> str:
    label = made.metric.label
    if made.limits.part != TEST and not made.choices:
        return (
            f"Every {label} here is of the {made.found.images:,} validation images, in simulation."
        )
    if made.limits.part == TEST:
        return (
            f"The choice saw the test images, so the {label} of the chosen rows is too good. With"
            " data.validation=0.1 a sweep keeps validation images for the choice."
        )
    return (
        f"The choice saw the {made.found.images:,} validation images alone, in simulation; every"
        f" {label} in the table is of the test images."
    )


def _of_limit(made: Recommendation) -> list[str]:
    """Which values a limit of the metric is about."""
    if made.limits.metric is None or made.limits.part == TEST or not made.choices:
        return []
    return [
        f"The limit of {values.amount(made.metric, made.limits.metric)} is about the means on the"
        f" {made.limits.part} images; those of the table may lie beyond it."
    ]


def _of_choice(made: Recommendation) -> list[str]:
    """What the order and the intervals mean."""
    if not made.choices:
        return []
    limits, words = made.limits, wording(made)
    what = {SIZE: "sizes (three digits)", LATENCY: "latencies (two digits)"}[limits.order]
    lines = [f"The {_SUPERLATIVES[limits.order]} comes first; at equal {what}, the better one."]
    counts = [len(one.candidate.values) for one in made.choices]
    if max(counts) == 1:
        return [
            *lines,
            "One seed gives no interval: listed is every row whose value is at most"
            f" {words.shown_margin} behind the best, and chance alone can move rows in or out."
            f" Sweep with {FEW} seeds or more.",
        ]
    lines.append(
        f"Listed are the rows whose mean is at most {words.shown_margin} behind the best."
        " Differences to the best are paired by seed; intervals hold together with"
        f" {100 * LEVEL:g} % probability, and so do the bounds behind the best."
    )
    return [*lines, *_uncounted(made), *([FEW_SEEDS] if min(counts) < FEW else [])]


def _uncounted(made: Recommendation) -> list[str]:
    """The rows that the bounds of the others do not count."""
    listed = [*(one.behind for one in made.choices), *made.undecided, *made.worse]
    bounded = [one for one in listed if one.standing is not Standing.SINGLE]
    rows = dict.fromkeys(row for one in bounded for row in one.uncounted)
    if not rows:
        return []
    return [
        f"The bounds do not count {', '.join(rows)}: with fewer than two seeds in common with other"
        " rows nothing says how far ahead such a row is. More seeds of it would."
    ]


def _of_costs(made: Recommendation) -> list[str]:
    found, limits = made.found, made.limits
    lines = []
    if not found.has_files:
        lines.append(
            "No row has a converted file, so sizes are theoretical: the weights at their bits."
            " A sweep with deploy.enabled=true makes files."
        )
    if found.timed:
        lines.append(f"Latency is the median of an invocation: {found.timed}.")
    untimed = [one.label for one in found.rows if one.milliseconds is None]
    if untimed and limits.latency is not None:
        lines.append(f"Left out: {', '.join(untimed)} (not timed on {limits.kernels}).")
    measured = [one.test for one in made.choices if one.test.deployed is not None]
    if any(one.deployed_seeds < one.seeds for one in measured):
        most = max(one.deployed_seeds for one in measured)
        lines.append(
            f"Values of files ({limits.kernels}) are of {counted(most, 'seed')}; the size of a"
            " file is that of its largest seed."
        )
    return lines


def _differs(made: Recommendation, one: Choice) -> bool:
    """Whether the files of a row are worse than their simulation by more than the margin."""
    deployed, simulated = one.test.deployed, one.test.simulated
    if deployed is None or simulated is None:
        return False
    lost = simulated - deployed if made.metric.higher_is_better else deployed - simulated
    return lost > made.margin


def _apart(made: Recommendation, one: Choice) -> str:
    metric = made.metric
    return (
        f"! The choice saw the simulation of {one.label}, and its file does not do as well:"
        f" {values.amount(metric, one.test.deployed or 0.0)} instead of"
        f" {values.amount(metric, one.test.simulated or 0.0)} on the test images."
    )
