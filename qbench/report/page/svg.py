"""Small drawings for the page: SVG elements, scales and ticks.

Positions along a drawing are percentages of its width and positions across it are pixels, so that
a drawing fills its place while its letters and marks keep their size. Colours are classes of the
page's style sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

from qbench.base.plain import one_line

MARKS = ("circle", "diamond", "square", "triangle")
"""The marks that every page defines once, for `mark`."""

_DIGITS = 4  # most decimal places on an axis
_WIDE = 1000  # units along the inner drawing that `lines` makes

Point = tuple[float, float]


def element(kind: str, *content: Markup | str, **attributes: object) -> Markup:
    """An SVG element.

    Args:
        kind: its name.
        content: elements, and texts, which are escaped.
        attributes: its attributes; `_` stands for `-`, an underscore at the end is dropped, and
            None leaves an attribute out. Numbers get at most two decimal places.
    """
    shown = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _attribute(value))
        for name, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(
        part if isinstance(part, Markup) else escape(one_line(part)) for part in content
    )
    return Markup("<{0}{1}>{2}</{0}>").format(kind, shown, inner)


def _attribute(value: object) -> Markup:
    return escape(number(value) if isinstance(value, float) else one_line(str(value)))


def number(value: float) -> str:
    """A coordinate with at most two decimal places."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def percent(share: float) -> str:
    """A position along the drawing, `0.5` is `50%`."""
    return f"{number(100 * share)}%"


def mark(shape: str, along: float, across: float, kind: str, title: str = "") -> Markup:
    """One of `MARKS`, with its centre at a share of the width and at a pixel of the height."""
    said = [element("title", title)] if title else []
    return element("use", *said, href=f"#{shape}", x=percent(along), y=float(across), class_=kind)


def dot(along: float, across: float, kind: str, radius: float = 1.6) -> Markup:
    """A small circle behind the marks, with its radius in pixels."""
    return element("circle", cx=percent(along), cy=float(across), r=radius, class_=kind)


def line(kind: str, along: tuple[float, float], across: tuple[float, float]) -> Markup:
    """A straight line between two shares of the width and two pixels of the height."""
    (left, right), (upper, lower) = along, across
    return element(
        "line",
        x1=percent(left),
        x2=percent(right),
        y1=float(upper),
        y2=float(lower),
        class_=kind,
    )


def text(
    words: str,
    along: str,
    across: float,
    anchor: str = "middle",
    kind: str = "",
    shift: int = 0,
) -> Markup:
    """A line of text at a position such as `50%` or `-8`, moved along by some pixels."""
    return element(
        "text",
        words,
        x=along,
        y=float(across),
        dx=shift or None,
        text_anchor=anchor,
        class_=kind or None,
    )


def lines(height: int, *paths: Markup) -> Markup:
    """A drawing inside another one, of its width, for `curve` and `band`."""
    return element(
        "svg",
        *paths,
        viewBox=f"0 0 {_WIDE} {height}",
        preserveAspectRatio="none",
        width="100%",
        height=str(height),
        x="0",
        y="0",
    )


def curve(points: Iterable[Point], kind: str) -> Markup:
    """A line through points (share of the width, pixel of the height), within `lines`."""
    return element("path", d=_path(points), class_=f"curve {kind}")


def band(upper: Sequence[Point], lower: Sequence[Point], kind: str) -> Markup:
    """The area between two lines, within `lines`."""
    return element("path", d=_path([*upper, *reversed(lower)]) + "z", class_=f"band {kind}")


def _path(points: Iterable[Point]) -> str:
    """The points as a path of whole units along and tenths of pixels across, relative ones."""
    parts, before = [], (0, 0)
    for along, across in points:
        here = (round(along * _WIDE), round(across * 10))
        step = (here[0] - before[0], (here[1] - before[1]) / 10)
        parts.append(f"{step[0]} {number(step[1])}")
        before = here
    first, *rest = parts
    return f"m{first}l{' '.join(rest)}" if rest else f"m{first}h1"


@dataclass(frozen=True)
class Scale:
    """Values along an axis.

    Attributes:
        low: the value at the start of the axis.
        high: the value at its end; more than `low`.
        logarithmic: whether equal ratios have equal lengths; then `low` is more than 0.
    """

    low: float
    high: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The share of the axis before a value."""
        if self.logarithmic:
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Round values on the axis, as their shares of it and their texts."""
        if self.logarithmic:
            return [(self.at(value), f"{value:g}") for value in self._powers()]
        step = _step((self.high - self.low) / most)
        digits = max(0, -floor(log10(step) + 1e-9))
        found = [k * step for k in range(ceil(self.low / step), floor(self.high / step) + 1)]
        return [(self.at(value), _tick(value, digits)) for value in found]

    def _powers(self) -> list[float]:
        """The powers of ten, with twice and five times each if there are few."""
        decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        few = log10(self.high) - log10(self.low) < 2.5
        found = [times * 10.0**k for k in decades for times in ((1, 2, 5) if few else (1,))]
        return [value for value in found if self.low <= value <= self.high]


def _tick(value: float, digits: int) -> str:
    """A value on an axis; a small one with an exponent."""
    shown = f"{value:.{digits}f}"
    if digits > _DIGITS:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        shown = f"{mantissa.removesuffix('.0')}e{int(exponent)}" if value else "0"
    return shown.replace("-", "\u2212")


def _step(least: float) -> float:
    """The smallest of 1, 2 or 5 times a power of ten that is not less."""
    power = 10.0 ** floor(log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))


def around(values: Iterable[float], least: float, share: float = 0.06) -> Scale:
    """A scale that holds all values, with some room on both sides.

    Args:
        values: at least one finite value.
        least: the least length of the axis.
        share: the room on each side, as a share of the length.
    """
    found = list(values)
    low, high = min(found), max(found)
    room = max((high - low) * share, (least - (high - low)) / 2)
    return Scale(low - room, high + room)
