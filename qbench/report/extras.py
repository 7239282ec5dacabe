"""What some designs bring beside the table of all rows, in every form of the report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qbench import records
from qbench.report import bits_grid, differences, texts
from qbench.report.collect import Sweep
from qbench.report.heatmap import draw_heatmap
from qbench.report.page import Section

_DECIMALS = 6


def write_extras(sweep: Sweep, folder: Path) -> list[Section]:
    """Write differences.* and bits_grid.* where the design asks for them.

    `differences` stands for several networks, each with a float row; `bits_grid` for bits of
    weights crossed with bits of activations. Each comes as CSV and Markdown, the matrix also as
    figures/bits_grid.png and .svg. Those of an earlier report are removed.

    Returns:
        The sections for the page and the terminal.
    """
    sections = []
    frame = differences.differences(sweep) if differences.has_networks(sweep) else None
    section = None
    if frame is not None:
        lines = [("", differences.as_lines(frame))]
        section = Section(differences.TITLE, differences.EXPLAINED, lines)
        sections.append(section)
    _write(folder, "differences", section, frame, sweep.remarks)

    grids = bits_grid.bits_grids(sweep)
    figures = draw_heatmap(grids, folder / "figures", sweep.remarks)
    section = None
    if grids:
        tables = [(bits_grid.heading(grid), bits_grid.as_lines(grid)) for grid in grids]
        section = Section(bits_grid.TITLE, bits_grid.EXPLAINED, tables, figures)
        sections.append(section)
    frame = bits_grid.csv_frame(grids) if grids else None
    _write(folder, "bits_grid", section, frame, sweep.remarks)
    return sections


def terminal(section: Section) -> str:
    """A section as text."""
    parts = [f"\n{section.title}"]
    for heading, lines in section.tables:
        parts += [heading] if heading else []
        parts.append(texts.aligned(lines))
    return "\n".join(parts)


def markdown(section: Section) -> list[str]:
    """What stands below the heading of a section, in Markdown: its paragraphs and tables."""
    parts = [section.explained]
    for heading, lines in section.tables:
        parts += [f"## {heading}"] if heading else []
        parts.append(texts.markdown(lines))
    return parts


def _write(
    folder: Path,
    name: str,
    section: Section | None,
    frame: pd.DataFrame | None,
    remarks: list[str],
) -> None:
    """Write a section's two files, with what must be said of the data, or remove them."""
    if section is None or frame is None:
        for kind in ("csv", "md"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)
        return
    csv = frame.round(_DECIMALS).to_csv(index=False, lineterminator="\n")
    parts = [f"# {section.title}", *markdown(section), *remarks]
    records.write_atomically(folder / f"{name}.csv", csv.encode())
    records.write_atomically(folder / f"{name}.md", ("\n\n".join(parts) + "\n").encode())
