"""Strips: one small drawing for each line of a table, all with the same scale."""

from __future__ import annotations

from markupsafe import Markup

from qbench.report.page import svg
from qbench.report.page.svg import Scale, element

AXIS_HEIGHT = 22


def strip(height: int, *parts: Markup) -> Markup:
    """The drawing of a line; readers of screens get the texts beside it instead."""
    return element("svg", *parts, class_="strip", height=str(height), aria_hidden="true")


def backdrop(scale: Scale, height: int) -> Markup:
    """The grid lines behind a strip."""
    lines = (svg.line("grid", (at, at), (0, height)) for at, _ in scale.ticks())
    return Markup("").join(lines)


def axis(scale: Scale) -> Markup:
    """The numbers of the scale, below the last strip."""
    parts = []
    for at, words in scale.ticks():
        parts.append(svg.line("grid", (at, at), (0, 4)))
        anchor = "start" if at < 0.03 else "end" if at > 0.97 else "middle"
        parts.append(svg.text(words, svg.percent(at), 17, anchor, "tick"))
    return strip(AXIS_HEIGHT, *parts)
