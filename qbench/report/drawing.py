"""How figures are written."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from qbench import records


def save_figure(figure: Figure, stem: Path, remarks: list[str]) -> list[Path]:
    """Write PNG and SVG, without dates or random ids: the same data give the same files.

    Args:
        figure: what is drawn.
        stem: path without a suffix.
        remarks: what must be said of the data, below the axes.
    """
    if remarks:
        text = "\n".join(textwrap.fill(line, 110) for line in remarks)
        figure.supxlabel(text, fontsize="x-small")
    with matplotlib.rc_context({"svg.hashsalt": "qbench", "svg.fonttype": "none"}):
        for kind, metadata in (
            ("png", {"Software": None}),
            ("svg", {"Date": None, "Creator": None}),
        ):
            drawn = io.BytesIO()
            figure.savefig(drawn, format=kind, dpi=130, metadata=metadata)
            records.write_atomically(stem.with_suffix(f".{kind}"), drawn.getvalue())
    return [stem.with_suffix(".png"), stem.with_suffix(".svg")]
