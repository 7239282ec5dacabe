"""The additional tables of some designs, in every form of the report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qbench.base.plain import one_line
from qbench.report import bits_grid, differences, texts
from qbench.report.collect import Sweep
from qbench.report.heatmap import heatmap
from qbench.report.page import Section
from qbench.report.tables import csv_text
from qbench.storage import layout, records


def write_extras(sweep: Sweep, folder: Path) -> list[Section]:
    """Write differences.* and bits_grid.* if the design needs them.

    `differences` is for several networks, each with a float row; `bits_grid` is for all
    combinations of bits of weights and bits of activations. Both are written as CSV and Markdown;
    the matrix also has a figure. Files of an earlier report are removed.

    Returns:
        The sections for the page and the terminal.
    """
    sections, metric = [], sweep.metric
    frame = differences.differences(sweep) if differences.has_networks(sweep) else None
    section = None
    if frame is not None:
        lines = [("", differences.as_lines(frame, metric))]
        section = Section(differences.title(metric), differences.explained(metric), lines)
        sections.append(section)
    _write(folder, "differences", section, frame, sweep.remarks)

    grids = bits_grid.bits_grids(sweep)
    section = None
    if grids:
        tables = [(bits_grid.heading(grid), bits_grid.as_lines(grid)) for grid in grids]
        drawings = heatmap(grids, sweep.remarks)
        said = bits_grid.title(metric), bits_grid.explained(metric)
        section = Section(*said, tables, drawings)
        sections.append(section)
    frame = bits_grid.csv_frame(grids) if grids else None
    _write(folder, "bits_grid", section, frame, sweep.remarks)
    return sections


def terminal(section: Section) -> str:
    """A section as text."""
    parts = [f"\n{one_line(section.title)}"]
    for heading, lines in section.tables:
        parts += [one_line(heading)] if heading else []
        parts.append(texts.aligned(lines))
    return "\n".join(parts)


def markdown(section: Section) -> list[str]:
    """The contents of a section in Markdown, below its heading: paragraphs and tables."""
    parts = [texts.in_markdown(section.explained)]
    for heading, lines in section.tables:
        parts += [f"## {texts.in_markdown(heading)}"] if heading else []
        parts.append(texts.markdown(lines))
    return parts


def _write(
    folder: Path,
    name: str,
    section: Section | None,
    frame: pd.DataFrame | None,
    remarks: list[str],
) -> None:
    """Write a section's two files, with the notes on the data, or remove them."""
    if section is None or frame is None:
        for kind in ("csv", "md"):
            layout.report_file(folder, name, kind).unlink(missing_ok=True)
        return
    said = map(texts.in_markdown, remarks)
    parts = [f"# {texts.in_markdown(section.title)}", *markdown(section), *said]
    records.write_atomically(layout.report_file(folder, name, "csv"), csv_text(frame).encode())
    text = "\n\n".join(parts) + "\n"
    records.write_atomically(layout.report_file(folder, name, "md"), text.encode())
