"""Builds every table and figure of a sweep."""

from __future__ import annotations

from pathlib import Path

from qbench import records
from qbench.report import deployed, extras, tables
from qbench.report.collect import collect, runs_frame, table_frame
from qbench.report.figures import draw_figures
from qbench.report.kernels import kernel_paths
from qbench.report.latency import draw_latency
from qbench.report.notes import notes, troubles
from qbench.report.page import Section, page
from qbench.report.reference import reference

_DECIMALS = 6


def build_report(folder: Path) -> str:
    """Write runs.csv, table.csv, table.md, figures/ and report.html of a sweep.

    Some designs bring further files, see `extras.write_extras`.

    Returns:
        The tables for a terminal.

    Raises:
        QbenchError: the folder holds no sweep.
    """
    sweep = collect(folder)
    runs, table = runs_frame(sweep), table_frame(sweep)
    said, wrong = notes(sweep), troubles(sweep)
    title = f"{sweep.manifest['study']}: {sweep.manifest['design']['name']}"
    figures = draw_figures(sweep, folder / "figures") | draw_latency(sweep, folder / "figures")
    figures |= deployed.draw(runs, folder / "figures" / "deployed", sweep.remarks)
    sections = extras.write_extras(sweep, folder)
    # Three lines a row are too much for a terminal.
    files = kernel_paths(sweep)
    texts = {
        "runs.csv": runs.round(_DECIMALS).to_csv(index=False, lineterminator="\n"),
        "table.csv": table.round(_DECIMALS).to_csv(index=False, lineterminator="\n"),
        "table.md": _markdown(title, tables.markdown(table), [*wrong, *said], files),
        "report.html": page(title, table, said, wrong, figures, [*sections, *files]),
    }
    for name, text in texts.items():
        records.write_atomically(folder / name, text.encode())
    shown = [tables.terminal(table), *map(extras.terminal, sections)]
    said = [*reference(sweep.manifest["rows"], sweep.references), *sweep.remarks]
    return "\n".join([*shown, *said, *(f"! {line}" for line in wrong)])


def _markdown(title: str, table: str, lines: list[str], sections: list[Section]) -> str:
    parts = [f"# {title}", table, "\n".join(f"- {line}" for line in lines)]
    for section in sections:
        parts += [f"## {section.title}", *extras.markdown(section)]
    return "\n\n".join(parts) + "\n"
