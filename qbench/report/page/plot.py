"""The frame of a drawing with two axes."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from qbench.report.page import svg
from qbench.report.page.svg import Scale, element


@dataclass(frozen=True)
class Plot:
    """A drawing with its labels, which the page sets in type beside it.

    Attributes:
        title: what it shows, for readers of screens and as its heading.
        drawing: the SVG.
        along: the label of the axis along.
        across: the label of the axis across.
    """

    title: str
    drawing: Markup
    along: str
    across: str


@dataclass(frozen=True)
class Frame:
    """The axes of a drawing.

    Attributes:
        along: the scale along.
        across: the scale across, upwards.
        height: pixels of the drawing without the numbers along its axes.
    """

    along: Scale
    across: Scale
    height: int

    def point(self, x: float, y: float) -> svg.Point:
        """The place of a pair of values: a share of the width, a pixel of the height."""
        return self.along.at(x), self.height * (1 - self.across.at(y))

    def draw(self, title: str, *parts: Markup, numbered: bool = True) -> Markup:
        """The drawing: grid, numbers along both axes, then the parts.

        Args:
            title: what it shows, for readers of screens.
            parts: the elements inside the axes.
            numbered: whether the axis along has its numbers.
        """
        grid = []
        for at, words in self.across.ticks(5):
            height = self.height * (1 - at)
            grid.append(svg.line("grid", (0, 1), (height, height)))
            grid.append(svg.text(words, "-8", height + 4, "end", "tick"))
        for at, words in self.along.ticks():
            grid.append(svg.line("grid", (at, at), (0, self.height)))
            if numbered:
                grid.append(svg.text(words, svg.percent(at), self.height + 18, kind="tick"))
        return element(
            "svg",
            *grid,
            *parts,
            class_="plot",
            height=str(self.height),
            role="img",
            aria_label=title,
        )
