"""`report.html`: one page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from qbench.base.plain import sentence
from qbench.report import texts
from qbench.report.drawing import Drawing, Drawn
from qbench.report.tables import for_reading, printable
from qbench.report.texts import Lines, html_cell, in_html
from qbench.tasks.metric import Metric

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
h3 { font-size: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; white-space: nowrap; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.top { background: #f3f6fa; font-weight: 600; }
tr.bad, p.bad { background: #fdf0ee; }
td div { white-space: normal; width: 24rem; max-height: 9rem; overflow-y: auto; }
li, p, h1, h2, h3, td div { overflow-wrap: anywhere; }
figure { margin: 1rem 0; display: inline-block; width: min(100%, 38rem); }
figure svg { width: 100%; height: auto; }
"""


@dataclass(frozen=True)
class Section:
    """A part of the page below the table of all rows.

    Attributes:
        title: its heading.
        explained: a sentence about the values in the tables.
        tables: the tables, each with its own heading, which may be empty.
        drawings: its figures.
    """

    title: str
    explained: str
    tables: list[tuple[str, Lines]]
    drawings: list[Drawing] = field(default_factory=list)


def page(
    title: str,
    table: pd.DataFrame,
    metrics: tuple[Metric, ...],
    notes: list[str],
    troubles: list[str],
    figures: Sequence[Drawn],
    sections: Sequence[Section] = (),
) -> str:
    """The page as HTML.

    Args:
        title: the title of the page.
        table: the result of `qbench.report.tables.with_comparisons`.
        metrics: the metrics of the sweep.
        notes: sentences below the table.
        troubles: runs without values, and the reasons.
        figures: the results of all figures, also those of sections; the page contains their SVG, or
            the reason why there is none.
        sections: the sections between the table and its notes.
    """
    parts = [f"<h1>{in_html(title)}</h1>", f'<div class="scroll">{_table(table, metrics)}</div>']
    if troubles:
        parts += ["<h2>Missing figures</h2>", _list(troubles)]
    by_title = {drawn.title: drawn for drawn in figures}
    for section in sections:
        own = [by_title.pop(drawing.title) for drawing in section.drawings]
        parts += _section(section, own)
    parts += ["<h2>Notes</h2>", _list(notes)]
    if by_title:
        parts.append("<h2>Figures</h2>")
        parts += map(_figure, by_title.values())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{in_html(title)}</title><style>{_STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _section(section: Section, figures: list[Drawn]) -> list[str]:
    parts = [f"<h2>{in_html(section.title)}</h2>", f"<p>{in_html(section.explained)}</p>"]
    for heading, lines in section.tables:
        parts += [f"<h3>{in_html(heading)}</h3>"] if heading else []
        parts.append(f'<div class="scroll">{texts.html(lines)}</div>')
    return [*parts, *map(_figure, figures)]


def _table(table: pd.DataFrame, metrics: tuple[Metric, ...]) -> str:
    shown = printable(table, metrics)
    head = "".join(f"<th>{in_html(name)}</th>" for name in shown.columns)
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in for_reading(table)]
    body = []
    for line, label, status in zip(
        shown.to_numpy().tolist(), table["configuration"], table["status"], strict=True
    ):
        kind = "top" if label in ("baseline", "default") else ""
        kind = kind if status == "ok" else "bad"
        cells = "".join(html_cell(text, n) for text, n in zip(line, numeric, strict=True))
        body.append(f'<tr class="{kind}">{cells}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{in_html(line)}</li>" for line in lines) + "</ul>"


def _figure(drawn: Drawn) -> str:
    if drawn.error:
        return f'<p class="bad">{in_html(missing(drawn))}</p>'
    svg = drawn.files[1].read_text(encoding="utf-8")
    return f'<figure aria-label="{in_html(drawn.title)}">{svg[svg.index("<svg") :]}</figure>'


def missing(drawn: Drawn) -> str:
    """One sentence that says which figure is missing, and why."""
    return sentence(f"The figure {drawn.title} could not be drawn. {drawn.error}")
