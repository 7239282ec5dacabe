"""Builds every table and figure of a sweep."""

from __future__ import annotations

from pathlib import Path

from qbench import records
from qbench.report import deployed, tables
from qbench.report.collect import collect, runs_frame, table_frame
from qbench.report.extras import terminal, write_extras
from qbench.report.figures import draw_figures
from qbench.report.latency import draw_latency
from qbench.report.notes import notes, troubles
from qbench.report.page import page

_DECIMALS = 6


def build_report(folder: Path) -> str:
    """Write runs.csv, table.csv, table.md, figures/ and report.html of a sweep.

    Some designs bring further files, see `write_extras`.

    Returns:
        The tables for a terminal.

    Raises:
        QbenchError: the folder holds no sweep.
    """
    sweep = collect(folder)
    table = table_frame(sweep)
    said, wrong = notes(sweep), troubles(sweep)
    title = f"{sweep.manifest['study']}: {sweep.manifest['design']['name']}"
    figures = draw_figures(sweep, folder / "figures") | draw_latency(sweep, folder / "figures")
    sections = write_extras(sweep, folder)
    if sweep.exports:
        figures |= deployed.draw(table, folder / "figures" / "deployed", sweep.remarks)
    texts = {
        "runs.csv": runs_frame(sweep).round(_DECIMALS).to_csv(index=False, lineterminator="\n"),
        "table.csv": table.round(_DECIMALS).to_csv(index=False, lineterminator="\n"),
        "table.md": _markdown(title, tables.markdown(table), [*wrong, *said]),
        "report.html": page(title, table, said, wrong, figures, sections),
    }
    for name, text in texts.items():
        records.write_atomically(folder / name, text.encode())
    shown = [tables.terminal(table), *map(terminal, sections)]
    said = [*deployed.reference(sweep.references), *sweep.remarks]
    return "\n".join([*shown, *said, *(f"! {line}" for line in wrong)])


def _markdown(title: str, table: str, lines: list[str]) -> str:
    return "\n".join([f"# {title}", "", table, "", *(f"- {line}" for line in lines), ""])
