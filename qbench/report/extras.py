"""The additional tables of some designs, in every form of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from qbench.base.plain import one_line
from qbench.report import (
    bits_grid,
    differences,
    effects,
    ensembles,
    published,
    texts,
    weight_codes,
)
from qbench.report.collect import Sweep
from qbench.report.heatmap import heatmap
from qbench.report.interactions import interaction_plot
from qbench.report.pareto import pareto_figures
from qbench.report.section import Section
from qbench.report.tables import csv_text, for_programs
from qbench.storage import layout, records

Extra = Callable[[Sweep], tuple[Section, pd.DataFrame] | None]
"""A section and its values for CSV; None if the sweep's design does not need it."""


def write_extras(sweep: Sweep, folder: Path) -> list[Section]:
    """Write the files of every additional table that the design needs, as CSV and Markdown.

    Files of an earlier report are removed.

    Returns:
        The sections for the page and the terminal.
    """
    made = {name: extra(sweep) for name, extra in EXTRAS.items()}
    for name, found in made.items():
        _write(folder, name, found, sweep.remarks)
    return [found[0] for found in made.values() if found]


def _differences(sweep: Sweep) -> tuple[Section, pd.DataFrame] | None:
    """For several networks, each with a float row."""
    if not differences.has_networks(sweep):
        return None
    frame, metric = differences.differences(sweep), sweep.metric
    lines = [("", differences.as_lines(frame, metric))]
    explained = " ".join([differences.explained(metric), *frame.attrs[differences.NOTES]])
    return Section(differences.title(metric), explained, lines), frame


def _bits_grid(sweep: Sweep) -> tuple[Section, pd.DataFrame] | None:
    """For all combinations of bits of weights and bits of activations; with a figure."""
    grids, metric = bits_grid.bits_grids(sweep), sweep.metric
    if not grids:
        return None
    tables = [(bits_grid.heading(grid), bits_grid.as_lines(grid)) for grid in grids]
    drawings = heatmap(grids, sweep.remarks)
    # The intervals are those of the differences, whose lines the matrices hold.
    of_intervals = differences.differences(sweep).attrs[differences.NOTES]
    explained = " ".join([bits_grid.explained(metric), *of_intervals])
    return Section(bits_grid.title(metric), explained, tables, drawings), bits_grid.csv_frame(grids)


def _effects(sweep: Sweep) -> tuple[Section, pd.DataFrame] | None:
    """For designs that cross factors; with a figure."""
    found = effects.analyse(sweep)
    if found is None:
        return None
    drawings = interaction_plot(found, sweep.remarks)
    said = effects.title(sweep.metric), effects.explained(found)
    return Section(*said, effects.tables(found), drawings), effects.frame(found)


def _published(sweep: Sweep) -> tuple[Section, pd.DataFrame] | None:
    """For studies that repeat the rows of a paper."""
    paper = published.repeated(sweep)
    if paper is None or not published.shared_metrics(sweep, paper):
        return None
    frame = published.published_frame(sweep, paper)
    lines = published.as_lines(frame, published.shared_metrics(sweep, paper))
    title, explained = f"Beside {paper.title}", published.explained(sweep, paper)
    several = len(sweep.manifest["seeds"]) > 1  # then there are deviations and intervals
    return Section(title, explained, [("", lines)], wide=several), frame


def _ensembles(sweep: Sweep) -> tuple[Section, pd.DataFrame] | None:
    """For sweeps with ensembles; with a figure."""
    found, metric = ensembles.points(sweep), sweep.metric
    if not found:
        return None
    frame = ensembles.frame(sweep, found)
    said = ensembles.title(metric), ensembles.explained(frame)
    drawings = ensembles.figure(found, metric, sweep.remarks)
    lines = ensembles.as_lines(frame, metric)
    return Section(*said, [("", lines)], drawings, wide=True), frame


def _weight_codes(sweep: Sweep) -> tuple[Section, pd.DataFrame] | None:
    """For sweeps in which weights are shifts or signs; with a figure."""
    if not weight_codes.has_codes(sweep):
        return None
    frame, metric = weight_codes.codes_frame(sweep), sweep.metric
    lines = [("", weight_codes.as_lines(frame, metric))]
    drawings = pareto_figures(frame, metric, sweep.remarks)
    explained = weight_codes.explained(frame, metric)
    section = Section(weight_codes.TITLE, explained, lines, drawings, wide=True)
    return section, frame.drop(columns=[weight_codes.SIZE])


EXTRAS: dict[str, Extra] = {
    "weight_codes": _weight_codes,
    "published": _published,
    "differences": _differences,
    "bits_grid": _bits_grid,
    "effects": _effects,
    "ensembles": _ensembles,
}
"""The additional tables by the name of their files, in the order of the page."""


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
    folder: Path, name: str, found: tuple[Section, pd.DataFrame] | None, remarks: list[str]
) -> None:
    """Write a section's two files, with the notes on the data, or remove them."""
    if found is None:
        for kind in ("csv", "md"):
            layout.report_file(folder, name, kind).unlink(missing_ok=True)
        return
    section, frame = found
    said = map(texts.in_markdown, remarks)
    parts = [f"# {texts.in_markdown(section.title)}", *markdown(section), *said]
    records.write_atomically(
        layout.report_file(folder, name, "csv"), csv_text(for_programs(frame)).encode()
    )
    text = "\n\n".join(parts) + "\n"
    records.write_atomically(layout.report_file(folder, name, "md"), text.encode())
