"""The verdict in sentences, and the forest plot of all differences to the reference."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from qbench.report.page import svg
from qbench.report.page.strips import axis, backdrop, strip
from qbench.report.texts import counted, short
from qbench.report.values import capital, difference, unit_of_differences
from qbench.statistics.compared import Comparison, RowComparison
from qbench.statistics.paired import Seed
from qbench.statistics.verdict import Verdict, seeds_in_words
from qbench.tasks.metric import Metric

_HEIGHT, _HIGHER = 30, 38  # pixels of a strip; beside names of two or three lines
_LONG = 40  # letters
_IN_FULL = 4  # rows that are worse, or better, with a sentence each
_NAMED = 6  # names of a sentence; the forest plot has all
_LOOKS = {
    Verdict.BETTER: ("better", "\u25b2"),
    Verdict.BETTER_BELOW_MARGIN: ("equal", "\u25b3"),
    Verdict.WORSE: ("worse", "\u25bc"),
    Verdict.WORSE_BELOW_MARGIN: ("equal", "\u25bd"),
    Verdict.EQUIVALENT: ("equal", "="),
    Verdict.UNDECIDED: ("open", "?"),
}
"""The class and the sign of a verdict; others have neither."""


@dataclass(frozen=True)
class Line:
    """A row of the forest plot.

    Attributes:
        label: the label of the row.
        kind: its class in the style sheet.
        drawing: interval, mean and every seed.
        difference: the mean difference as text.
        spread: the standard deviation of the differences over the seeds, as text.
        interval: the interval as text.
        sign: a sign for the verdict, so that colour does not stand alone.
        verdict: the verdict in a few words.
        sentence: the verdict with its figures.
    """

    label: str
    kind: str
    drawing: Markup
    difference: str
    spread: str
    interval: str
    sign: str
    verdict: str
    sentence: str


@dataclass(frozen=True)
class Answer:
    """The first two sections.

    Attributes:
        title: what is compared; empty for the simulation.
        reference: the label of the reference.
        sentences: the verdict, the most important sentence first.
        rows: the forest plot; empty if no row has a difference.
        axis: the axis below its strips.
        along: the label of this axis.
        intervals: whether a row has an interval.
        notes: what a reader of the intervals needs to know.
    """

    title: str
    reference: str
    sentences: list[str]
    rows: list[Line]
    axis: Markup
    along: str
    intervals: bool
    notes: list[str]


def answer(title: str, found: Comparison, metric: Metric) -> Answer:
    """The verdict of a comparison.

    Args:
        title: what is compared; empty for the simulation.
        found: all rows against the reference.
        metric: the metric of the differences.
    """
    rows = [row for row in found.rows if row.verdict is not Verdict.REFERENCE and row.seeds]
    unit = unit_of_differences(metric)
    along = f"{capital(metric.label)} less that of {found.reference}, {unit}"
    along += f"; {'right' if metric.higher_is_better else 'left'} is better"
    lines, numbers = [], Markup("")
    if rows:
        scale = _scale(rows, found.wording.margin, metric)
        height = _HIGHER if any(len(row.row) > _LONG for row in rows) else _HEIGHT
        lines = [_line(row, scale, height, found, metric) for row in rows]
        numbers = axis(scale)
    return Answer(
        title,
        found.reference,
        sentences(found, metric),
        lines,
        numbers,
        along,
        any(row.low is not None for row in rows),
        list(found.notes),
    )


def new_sentences(found: Comparison, known: Comparison, metric: Metric) -> list[str]:
    """The verdict without the sentences that another comparison's verdict has; one names them.

    Args:
        found: the comparison.
        known: the comparison whose verdict stands above, that of the simulation.
        metric: the metric of the differences of both.
    """
    every = len(found.rows) + len(known.rows)
    above = sentences(known, metric, every)
    said = [
        text
        for text, whole in zip(
            sentences(found, metric), sentences(found, metric, every), strict=True
        )
        if whole not in above
    ]
    if not said:
        return ["The verdict is that of the simulation, row by row."]
    rest = len(above) and len(said) < len(sentences(found, metric))
    return [*said, "All else is as in simulation."] if rest else said


def sentences(found: Comparison, metric: Metric, named: int = _NAMED) -> list[str]:
    """The verdict: rows that are better or worse one by one, the others together.

    Args:
        found: all rows against the reference.
        metric: the metric of the differences.
        named: how many rows a sentence about several names.
    """
    said = []
    of = {verdict: [row for row in found.rows if row.verdict is verdict] for verdict in Verdict}
    for verdict in (Verdict.WORSE, Verdict.BETTER):
        ordered = sorted(of[verdict], key=lambda row: -abs(row.mean))
        said += [f"{short(row.row)} is {_than(row, found)}." for row in ordered[:_IN_FULL]]
        too = f"{verdict.value} than {found.reference} too"
        said += _together(ordered[_IN_FULL:], too, named)
    for verdict in (Verdict.WORSE_BELOW_MARGIN, Verdict.BETTER_BELOW_MARGIN):
        said += _together(
            of[verdict],
            f"{verdict.value.partition(',')[0]} than {found.reference}, "
            f"but by less than {found.wording.shown_margin}",
            named,
        )
    within = f"equivalent to {found.reference} within {found.wording.shown_margin}"
    said += _together(of[Verdict.EQUIVALENT], within, named)
    said += _undecided(of[Verdict.UNDECIDED], named)
    said += _together(of[Verdict.SAME], f"the same as {found.reference} by construction", named)
    said += _single(of[Verdict.SINGLE], found, metric)
    missing = [row for row in of[Verdict.MISSING] if row.row != found.reference]
    said += _together(missing, f"without a seed in common with {found.reference}", named)
    return said


def _than(row: RowComparison, found: Comparison) -> str:
    """The verdict with its figures and with the name of the reference."""
    word, by, rest = row.sentence.partition(" by ")
    return f"{word} than {found.reference}{by}{rest}" if by else row.sentence


def _together(rows: list[RowComparison], what: str, named: int) -> list[str]:
    """One sentence about several rows."""
    if not rows:
        return []
    if len(rows) == 1:
        return [f"{short(rows[0].row)} is {what}."]
    names = ", ".join(short(row.row) for row in rows[:named])
    more = f" and {len(rows) - named} more" if len(rows) > named else ""
    return [f"{len(rows)} rows are {what}: {names}{more}."]


def _undecided(rows: list[RowComparison], named: int) -> list[str]:
    """Which rows are undecided, and how many seeds would decide them."""
    said = _together(rows, "undecided", named)
    ranges = [row.seeds_to_decide for row in rows if row.seeds_to_decide]
    if ranges:
        most = [high for _, high in ranges if high is not None]
        high = max(most) if len(most) == len(ranges) else None
        seeds = seeds_in_words((max(low for low, _ in ranges), high))
        what = "it at its present spread" if len(rows) == 1 else "all at their present spreads"
        said[0] += f" {capital(seeds)} would decide {what}."
    return said


def _single(rows: list[RowComparison], found: Comparison, metric: Metric) -> list[str]:
    """What can be said without an interval: the largest difference, which may be chance."""
    if not rows:
        return []
    largest = max(rows, key=lambda row: abs(row.mean))
    several = len(rows) > 1
    who = f"{counted(len(rows), 'row')} {'have' if several else 'has'} no interval"
    return [
        f"{who}, so {'their differences' if several else 'its difference'} to {found.reference}"
        f" may be chance. {'The largest is that of ' if several else 'It is '}"
        f"{f'{short(largest.row)}: ' if several else ''}{_minus(difference(metric, largest.mean))}"
        f" {unit_of_differences(metric)}."
    ]


def _scale(rows: list[RowComparison], margin: float, metric: Metric) -> svg.Scale:
    values = [0.0, margin, -margin]
    for row in rows:
        bounds = [bound for bound in (row.low, row.high) if bound is not None and isfinite(bound)]
        values += [*row.differences, *bounds]
    return svg.around(values, least=10**-metric.digits * 10)


def _line(
    row: RowComparison, scale: svg.Scale, height: int, found: Comparison, metric: Metric
) -> Line:
    kind, sign = _LOOKS.get(row.verdict, ("", ""))
    interval = "-"
    if row.low is not None and row.high is not None:
        interval = _minus(found.wording.interval(row.low, row.high))
    several = len(row.seeds) > 1
    return Line(
        row.row,
        kind,
        _drawing(row, scale, height, found.wording.margin, metric),
        _minus(difference(metric, row.mean)),
        metric.show(row.deviation) if several else "-",
        interval,
        sign,
        row.verdict.value,
        row.sentence,
    )


def _minus(text: str) -> str:
    """The text with minus signs as wide as plus signs."""
    return text.replace("-", "\u2212")


def _drawing(
    row: RowComparison, scale: svg.Scale, height: int, margin: float, metric: Metric
) -> Markup:
    middle = height / 2
    parts = [_margin(scale, height, margin), backdrop(scale, height)]
    zero = scale.at(0.0)
    parts.append(svg.line("zero", (zero, zero), (0, height)))
    if row.low is not None and row.high is not None:
        low, high = scale.at(row.low), scale.at(row.high)
        parts.append(svg.line("interval", (low, high), (middle, middle)))
        parts += [svg.line("interval", (at, at), (middle - 4, middle + 4)) for at in (low, high)]
    count = len(row.seeds)
    for number, (seed, value) in enumerate(zip(row.seeds, row.differences, strict=True)):
        across = middle if count == 1 else 6 + (height - 12) * number / (count - 1)
        title = f"{_seeds(seed)}: {_minus(difference(metric, value))}"
        parts.append(svg.mark("circle", scale.at(value), across, "mark seed", title))
    if count > 1:
        at = scale.at(row.mean)
        parts.append(svg.line("mean", (at, at), (middle - 7, middle + 7)))
    return strip(height, *parts)


def _seeds(seed: Seed) -> str:
    """`seed 0`; a derived run has the seeds of its members."""
    return f"seeds {', '.join(map(str, seed))}" if isinstance(seed, tuple) else f"seed {seed}"


def _margin(scale: svg.Scale, height: int, margin: float) -> Markup:
    """The area of differences that do not matter."""
    if margin <= 0:
        return Markup("")
    low, high = scale.at(-margin), scale.at(margin)
    width = svg.percent(high - low)
    return svg.element(
        "rect", x=svg.percent(low), width=width, y=0.0, height=float(height), class_="margin"
    )
