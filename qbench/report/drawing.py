"""Draws and writes each figure separately, so that a figure that fails does not stop the others."""

from __future__ import annotations

import errno
import io
import math
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter, LogLocator, NullFormatter

from qbench.base.plain import one_line, visible
from qbench.report.texts import columns, short
from qbench.storage import layout, records

KINDS = ("png", "svg")

_NAME = 60  # most columns of a name in a figure
_REASON = 200  # most columns of the reason why a figure is missing
_WIDTH, _INCHES = 110, 7.2  # columns of a note below a figure, and the width of this figure
_MOST_LINES, _FREE_LINES = 30, 2
_LINE_INCHES = 0.12
# Up to so many decades a logarithmic axis has these numbers in each.
_STEPS = ((1.3, (1, 2, 5)), (2.3, (1, 3)), (math.inf, (1,)))
_LETTERS = 135.0  # letters per inch, for letters of one point


@dataclass(frozen=True)
class Drawing:
    """A figure that belongs to a report.

    Attributes:
        title: its title; titles within a report differ.
        name: the name of its files, without a suffix.
        make: returns the figure.
        remarks: the notes on the data, below the axes.
    """

    title: str
    name: str
    make: Callable[[], Figure]
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Drawn:
    """The result of drawing a figure.

    Attributes:
        title: its title.
        files: PNG and SVG; none if it could not be drawn.
        error: why it could not be drawn; empty if it could.
    """

    title: str
    files: tuple[Path, ...]
    error: str = ""


def name_of(text: str) -> str:
    """The name of a row, a level or a network in a figure."""
    return short(text, _NAME)


def fitted(text: str, inches: float, points: float = 10.0) -> str:
    """Wrap a title or a label into lines that fit.

    Args:
        text: the title or label.
        inches: the available length of a line.
        points: the size of the letters.
    """
    return textwrap.fill(one_line(text), int(inches * _LETTERS / points))


def logarithmic(axis: Axis, values: Iterable[float]) -> None:
    """Number a logarithmic axis, the more sparsely the more decades the values above 0 span."""
    found = [value for value in values if value > 0]
    decades = math.log10(max(found) / min(found)) if found else 0.0
    steps = next(subs for most, subs in _STEPS if decades <= most)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def legend(owner: Any, entries: Iterable[tuple[str, Artist]], **options: Any) -> None:
    """Add a legend that also has names with an underscore at the start; matplotlib omits these.

    Args:
        owner: an Axes or a Figure.
        entries: (name, artist) for each entry; the artist has the line or marker of the entry.
        options: the options of matplotlib's `legend`.
    """
    named = list(entries)
    made = owner.legend([artist for _, artist in named], ["-"] * len(named), **options)
    for text, (name, _) in zip(made.get_texts(), named, strict=True):
        text.set_text(name_of(name))


def draw(drawings: Iterable[Drawing], folder: Path) -> list[Drawn]:
    """Draw each figure into the folder, as PNG and SVG.

    Raises:
        OSError: the disk is full.
    """
    return [_draw(drawing, folder) for drawing in drawings]


def _draw(drawing: Drawing, folder: Path) -> Drawn:
    stem = folder / drawing.name
    try:
        # Without the user's own settings of matplotlib, such as LaTeX for every text.
        with style.context("default"):
            files = save_figure(drawing.make(), stem, drawing.remarks)
    except Exception as error:  # no error of one figure may stop the others
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        forget(folder, [drawing.name])
        return Drawn(drawing.title, (), short(f"{type(error).__name__}: {error}", _REASON))
    return Drawn(drawing.title, tuple(files))


def forget(folder: Path, names: Iterable[str]) -> None:
    """Remove the files of figures, so that no old figure stands beside new tables."""
    for name in names:
        for kind in KINDS:
            path = layout.report_file(folder, name, kind)
            if path.is_symlink() or path.is_file():
                path.unlink(missing_ok=True)


def save_figure(figure: Figure, stem: Path, remarks: Sequence[str]) -> list[Path]:
    """Write PNG and SVG, without dates or random ids: equal data give equal files.

    All text except the numbers along axes is drawn unchanged, never as formulas.

    Args:
        figure: the figure.
        stem: the path without a suffix.
        remarks: the notes on the data, below the axes; a long note is cut.
    """
    if remarks:
        fitting = int(_WIDTH * min(1, figure.get_figwidth() / _INCHES))
        lines = [part for remark in remarks for part in _wrapped(remark, fitting)]
        figure.supxlabel("\n".join(lines), fontsize="x-small")
        more = max(len(lines) - _FREE_LINES, 0)
        figure.set_figheight(figure.get_figheight() + more * _LINE_INCHES)
    for text in _texts(figure):
        text.set_parse_math(False)
        text.set_text(visible(text.get_text()))
    with (
        matplotlib.rc_context({"svg.hashsalt": "qbench", "svg.fonttype": "none"}),
        warnings.catch_warnings(),
    ):
        # A letter that the font lacks is a box in the PNG; in the SVG the reader's fonts draw it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        for kind, metadata in zip(
            KINDS, ({"Software": None}, {"Date": None, "Creator": None}), strict=True
        ):
            drawn = io.BytesIO()
            figure.savefig(drawn, format=kind, dpi=130, metadata=metadata)
            records.write_atomically(stem.with_name(f"{stem.name}.{kind}"), drawn.getvalue())
    return [stem.with_name(f"{stem.name}.{kind}") for kind in KINDS]


def _wrapped(remark: str, width: int) -> list[str]:
    """A note in lines of at most this number of columns."""
    text = one_line(remark)
    if columns(text) > len(text):  # some letters take two columns
        width //= 2
    return textwrap.wrap(text, width, max_lines=_MOST_LINES, placeholder=" ...")


def _texts(artist: Artist) -> Iterator[Text]:
    """All texts of a figure, except the numbers that matplotlib writes along an axis.

    These numbers are formulas, such as 10^0 on a logarithmic axis.
    """
    for child in artist.get_children():
        if isinstance(child, Text):
            yield child
        elif isinstance(child, Axis):
            yield child.label
            if isinstance(child.get_major_formatter(), FixedFormatter | FuncFormatter):
                yield from child.get_ticklabels()
        else:
            yield from _texts(child)
