"""Builds every table and figure of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pandas import DataFrame

from qbench.base.plain import one_line
from qbench.report import (
    balance,
    deployed,
    ensembles,
    extras,
    figures,
    heatmap,
    interactions,
    latency,
    pareto,
    tables,
)
from qbench.report.collect import Sweep, collect, runs_frame, table_frame
from qbench.report.comparison import comparisons, sentences
from qbench.report.drawing import Drawing, draw, forget
from qbench.report.kernels import kernel_paths
from qbench.report.notes import (
    about_values,
    converted_seeds,
    decided_steps,
    mostly_zero,
    notes,
    validation,
)
from qbench.report.page.recommendation import Line
from qbench.report.page.render import render
from qbench.report.page.view import Said, missing_figure, view
from qbench.report.reference import reference
from qbench.report.section import Section
from qbench.report.seeds import every_seed
from qbench.report.tables import with_comparisons
from qbench.report.texts import counted, in_markdown
from qbench.report.troubles import troubles
from qbench.storage import aside, layout, records


@dataclass(frozen=True)
class Report:
    """The result of building a report.

    Attributes:
        text: the tables for a terminal, and the notes.
        undrawn: the titles of the figures that could not be drawn; everything else was built.
    """

    text: str
    undrawn: list[str]

    @property
    def incomplete(self) -> str | None:
        """One sentence about what is missing; None if nothing is."""
        if not self.undrawn:
            return None
        return (
            f"{counted(len(self.undrawn), 'figure')} could not be drawn"
            f" ({', '.join(self.undrawn)}); the tables stand, and the same command tries again."
        )


def build_report(
    folder: Path, stats: Mapping[str, Any] | None = None, line: Line | None = None
) -> Report:
    """Write runs.csv, table.csv, table.md, figures/ and report.html of a sweep.

    The tables come first. A figure that cannot be drawn does not stop the others. Figures of an
    earlier report are removed first, so the folder never holds them together with new tables.
    Some designs add further files, see `extras.write_extras`.

    Args:
        folder: the folder of the sweep.
        stats: values of the group `stats`, by name, in place of those of the sweep.
        line: gives the command line that trains a run, for the page.

    Raises:
        QbenchError: the folder holds no sweep, or its table does not allow the comparison.
    """
    sweep = collect(folder, stats)
    compared = comparisons(sweep)
    runs, table = runs_frame(sweep), with_comparisons(table_frame(sweep), compared)
    verdicts = sentences(compared)
    said, wrong = [*verdicts, *notes(sweep)], troubles(sweep)
    title = f"{sweep.manifest['study']}: {sweep.manifest['design']['name']}"
    # Only on the page and in Markdown: a terminal has no room for three lines per row.
    files = kernel_paths(sweep)
    seeds = every_seed(sweep, compared)
    texts = {
        layout.RUNS_TABLE: tables.csv_text(runs),
        layout.TABLE: tables.csv_text(tables.for_programs(table)),
        layout.TABLE_MARKDOWN: _markdown(
            title, tables.markdown(table, sweep.metrics), [*wrong, *said], [*seeds, *files]
        ),
    }
    _replace(folder, texts, _figures(sweep))
    sections = extras.write_extras(sweep, folder)
    drawn = draw(_drawings(sweep, runs, sections), layout.figures_folder(folder))
    of_others = Said(
        title,
        about_values(sweep),
        wrong,
        figures=drawn,
        sections=[*seeds, *sections],
        kernels=files,
        comparisons=compared,
        line=line,
    )
    seen, broken = view(sweep, table, of_others)
    records.write_atomically(folder / layout.PAGE, render(seen).encode())
    undrawn = [figure for figure in drawn if figure.error]
    shown = [tables.terminal(table, sweep.metrics)]
    shown += [extras.terminal(one) for one in [*seeds, *sections] if not one.wide]
    wrong += [*map(missing_figure, undrawn), *broken.values()]
    shown += [*map(one_line, verdicts), *_said(sweep, wrong)]
    return Report("\n".join(shown), [*(figure.title for figure in undrawn), *broken])


def _replace(folder: Path, texts: Mapping[str, str], figure_names: list[str]) -> None:
    """Write the tables, after the figures and the page of an earlier report are gone."""
    figures_folder = layout.figures_folder(folder)
    figures_folder.mkdir(exist_ok=True)
    aside.sweep_up([folder, figures_folder])
    forget(figures_folder, figure_names)
    (folder / layout.PAGE).unlink(missing_ok=True)
    for name, text in texts.items():
        records.write_atomically(folder / name, text.encode())


def _drawings(sweep: Sweep, runs: DataFrame, sections: list[Section]) -> list[Drawing]:
    """The figures of every report, and those of the sections."""
    own = figures.loss_figures(sweep) + latency.latency_figure(sweep)
    own += deployed.deployed_figure(runs, sweep.metric, sweep.remarks)
    return own + [drawing for section in sections for drawing in section.drawings]


def _figures(sweep: Sweep) -> list[str]:
    """The names of all figures that a report can have."""
    own = [deployed.NAME, heatmap.NAME, interactions.NAME, ensembles.NAME, *pareto.NAMES]
    return [*figures.NAMES, latency.name(sweep.metric), *own]


def _said(sweep: Sweep, wrong: list[str]) -> list[str]:
    """The lines below the tables on a terminal."""
    said = balance.sentences(sweep.manifest, sweep.left_out)
    said += [*validation(sweep), *decided_steps(sweep), *converted_seeds(sweep)]
    said += mostly_zero(sweep)
    said += [*reference(sweep), *sweep.remarks]
    return list(map(one_line, [*said, *(f"! {line}" for line in wrong)]))


def _markdown(title: str, table: str, lines: list[str], sections: list[Section]) -> str:
    listed = "\n".join(f"- {in_markdown(line)}" for line in lines)
    parts = [f"# {in_markdown(title)}", table, listed]
    for section in sections:
        parts += [f"## {in_markdown(section.title)}", *extras.markdown(section)]
    return "\n\n".join(parts) + "\n"
