"""The interaction plot of a crossed design: a panel for each pair of factors."""

from __future__ import annotations

import itertools
from math import ceil
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.report import values
from qbench.report.drawing import Drawing, fitted, legend, name_of
from qbench.report.effects import Analysis
from qbench.report.figures import COLOURS

NAME = "interactions"
_MOST, _COLUMNS = 12, 3  # panels
_WIDTH, _HEIGHT = 4.9, 2.9  # of a panel with its legend, in inches

Pair = tuple[int, int]


def interaction_plot(found: Analysis, remarks: list[str]) -> list[Drawing]:
    """The figure; none if there are no effects.

    Lines that are not parallel are an interaction. A line joins means over the seeds and over all
    combinations of the other factors; a dot is the mean of one seed.

    Args:
        found: the effects of a sweep.
        remarks: the notes on the data.
    """
    if found.effects is None:
        return []
    return [Drawing(_title(found), NAME, lambda: _draw(found), remarks)]


def _title(found: Analysis) -> str:
    return f"{values.capital(found.metric.label)} by two factors at a time"


def pairs(found: Analysis) -> list[Pair]:
    """The pairs with a panel; of many pairs those with the largest interactions."""
    every = list(itertools.combinations(range(len(found.design.levels)), 2))
    if len(every) <= _MOST or found.effects is None:
        return every
    sizes = dict.fromkeys(every, 0.0)
    for one in found.effects.effects:
        if len(one.parts) == 2 and one.estimate is not None:
            pair = (one.parts[0][0], one.parts[1][0])
            sizes[pair] = max(sizes[pair], abs(one.estimate))
    return sorted(sorted(every, key=lambda pair: -sizes[pair])[:_MOST])


def _draw(found: Analysis) -> Figure:
    chosen = pairs(found)
    columns = min(_COLUMNS, len(chosen))
    rows = ceil(len(chosen) / columns)
    size = (max(4.8, _WIDTH * columns), _HEIGHT * rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, pair in zip(panels.flat, chosen, strict=False):
        _panel(axes, found, pair)
    for axes in list(panels.flat)[len(chosen) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(fitted(values.axis(found.metric), _HEIGHT))
    figure.suptitle(fitted(_title(found), size[0]), fontsize="medium")
    return figure


def _panel(axes: Axes, found: Analysis, pair: Pair) -> None:
    """Levels of the second factor as lines over the levels of the first one."""
    names = found.design.names
    across, lines = (found.design.levels[names[factor]] for factor in pair)
    entries = []
    for number, level in enumerate(lines):
        points = [_by_seed(found, pair, (place, number)) for place in range(len(across))]
        places = [place for place, own in enumerate(points) if own]
        means = [fmean(points[place]) for place in places]
        colour = COLOURS[number % len(COLOURS)]
        (line,) = axes.plot(places, means, marker="o", markersize=4, color=colour)
        entries.append((name_of(level), line))
        dots = [(place, value) for place, own in enumerate(points) for value in own]
        x, y = zip(*dots, strict=True)
        axes.scatter(x, y, s=8, alpha=0.5, color=colour, linewidths=0)
    axes.set_xticks(range(len(across)), list(map(name_of, across)))
    axes.margins(x=0.15)
    axes.set_xlabel(fitted(names[pair[0]], _WIDTH))
    head = fitted(names[pair[1]], _WIDTH / 2)
    beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}
    legend(axes, entries, title=head, fontsize="x-small", title_fontsize="x-small", **beside)


def _by_seed(found: Analysis, pair: Pair, levels: Pair) -> list[float]:
    """The mean of each seed over the combinations that have these two levels."""
    assert found.effects is not None
    own = [
        values
        for cell, values in found.values.items()
        if values and (cell[pair[0]], cell[pair[1]]) == levels
    ]
    return [fmean(values[seed] for values in own) for seed in found.effects.seeds] if own else []
