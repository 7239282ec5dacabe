"""Everything that the page shows, as data for its templates."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import pandas as pd
from markupsafe import Markup

from qbench.base.plain import sentence
from qbench.report.collect import Sweep
from qbench.report.comparison import Comparisons
from qbench.report.drawing import Drawn
from qbench.report.page.answer import Answer, answer, new_sentences
from qbench.report.page.classes import Classes, classes
from qbench.report.page.ladder import Ladder, ladder
from qbench.report.page.losses import Losses, losses
from qbench.report.page.provenance import Facts, provenance
from qbench.report.page.recommendation import Advice, Line, advice
from qbench.report.page.table import Table, table
from qbench.report.page.tradeoff import TradeOff, trade_off
from qbench.report.section import Section
from qbench.report.texts import counted, short
from qbench.tasks.metric import Metric

Part = TypeVar("Part")

_REASON = 200  # most columns of the reason why a part is missing


@dataclass(frozen=True)
class Tables:
    """A section with small tables, and its figures.

    Attributes:
        section: its texts and tables.
        figures: (title, SVG) of its figures.
    """

    section: Section
    figures: list[tuple[str, Markup]]


@dataclass(frozen=True)
class Page:
    """The page; None for sections whose data are missing.

    Attributes:
        title: its title.
        metric: the metric of all figures.
        size: how many rows and seeds there are.
        remarks: notes on the data, which stand with every value.
        answers: the verdict and the forest plot: of the simulation, and of the files if they have
            intervals.
        compared: notes on the comparisons.
        recommendation: which row to take.
        trade_off: files against their size or latency.
        table: all rows.
        tables: further tables that the design needs.
        losses: the loss curves.
        ladder: float, simulated, each kernel path.
        kernels: the table of all kernel paths.
        classes: classes and images that changed.
        failures: rows and figures without values, with their reasons.
        notes: notes on columns.
        provenance: where the values come from.
    """

    title: str
    metric: Metric
    size: str
    remarks: list[str]
    answers: list[Answer]
    compared: list[str]
    recommendation: Advice | None
    trade_off: TradeOff | None
    table: Table
    tables: list[Tables]
    losses: Losses | None
    ladder: Ladder | None
    kernels: list[Section]
    classes: Classes | None
    failures: list[str]
    notes: list[str]
    provenance: Facts

    @property
    def contents(self) -> list[tuple[str, str]]:
        """(id, short title) of the sections that the page has."""
        parts = [
            ("verdict", "Verdict", self.answers),
            ("forest", "Differences", any(one.rows for one in self.answers)),
            ("recommendation", "Recommendation", self.recommendation),
            ("trade-off", "Files", self.trade_off),
            ("table", "Table", True),
            ("losses", "Losses", self.losses),
            ("paths", "Kernel paths", self.ladder or self.kernels),
            ("classes", "Classes", self.classes),
            ("failures", "Missing", self.failures),
            ("notes", "Notes", True),
            ("provenance", "Provenance", True),
        ]
        return [(anchor, title) for anchor, title, found in parts if found]


@dataclass(frozen=True)
class Said:
    """The texts and results that other forms of the report have too.

    Attributes:
        title: the title.
        notes: notes on data, runs and columns.
        troubles: runs without values, and the reasons.
        figures: the results of all figures, also those of sections.
        sections: the tables that the design needs.
        kernels: the table of all kernel paths, if a file was measured.
        comparisons: all rows against the reference; None if they were not compared.
        line: gives the command line that trains a run; None if nothing does.
    """

    title: str
    notes: list[str]
    troubles: list[str]
    figures: Sequence[Drawn] = ()
    sections: Sequence[Section] = ()
    kernels: Sequence[Section] = ()
    comparisons: Comparisons | None = None
    line: Line | None = None


def view(sweep: Sweep, frame: pd.DataFrame, said: Said) -> tuple[Page, dict[str, str]]:
    """The page of a sweep.

    Args:
        sweep: the sweep.
        frame: the result of `qbench.report.tables.with_comparisons`.
        said: what other parts of the report found.

    Returns:
        The page, and the sections that could not be made: a sentence with the reason, by title.

    Raises:
        OSError: the disk is full.
    """
    broken: dict[str, str] = {}

    def part(title: str, make: Callable[[], Part | None]) -> Part | None:
        try:
            return make()
        except Exception as error:  # no error of one section may stop the others
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            why = short(f"{type(error).__name__}: {error}", _REASON)
            broken[title] = sentence(f"The section {title} could not be made. {why}")
            return None

    answers = _answers(said.comparisons, sweep.metric)
    reference = {"reference": answers[0].reference} if answers else {}
    known = [note for one in answers for note in one.notes]
    of_advice = part("Recommendation", lambda: advice(sweep, known, said.line))
    of_losses = part("Loss curves", lambda: losses(sweep))
    of_files = part("Files by size and latency", lambda: trade_off(sweep))
    of_paths = part("Kernel paths", lambda: ladder(sweep))
    of_classes = part("Classes and images", lambda: classes(sweep, **reference))
    missing = [missing_figure(drawn) for drawn in said.figures if drawn.error]
    missing += list(broken.values())
    page = Page(
        title=said.title,
        metric=sweep.metric,
        size=f"{counted(len(frame), 'row')}, {counted(len(sweep.manifest['seeds']), 'seed')}",
        remarks=sweep.remarks,
        answers=answers,
        compared=list(said.comparisons.notes) if said.comparisons else [],
        recommendation=of_advice,
        trade_off=of_files,
        table=table(frame, sweep.metrics),
        tables=[Tables(section, _figures(section, said.figures)) for section in said.sections],
        losses=of_losses,
        ladder=of_paths,
        kernels=list(said.kernels),
        classes=of_classes,
        failures=[*said.troubles, *missing],
        notes=said.notes,
        provenance=provenance(sweep),
    )
    return page, broken


def _answers(made: Comparisons | None, metric: Metric) -> list[Answer]:
    """The answers to show; files of one seed only repeat what the table says."""
    if made is None:
        return []
    found = [answer("", made.simulated, metric)] if made.simulated else []
    if made.deployed and made.deployed.family:
        files = answer("Converted files", made.deployed, metric)
        if made.simulated:
            notes = [note for note in files.notes if note not in found[0].notes]
            said = new_sentences(made.deployed, made.simulated, metric)
            files = replace(files, notes=notes, sentences=said)
        found.append(files)
    return [one for one in found if one.sentences]


def missing_figure(drawn: Drawn) -> str:
    """One sentence that says which figure is missing, and why."""
    return sentence(f"The figure {drawn.title} could not be drawn. {drawn.error}")


def _figures(section: Section, drawn: Sequence[Drawn]) -> list[tuple[str, Markup]]:
    """The drawn figures of a section, as the SVG of their files."""
    titles = {drawing.title for drawing in section.drawings}
    found = []
    for one in drawn:
        if one.title in titles and not one.error:
            text = one.files[1].read_text(encoding="utf-8")
            found.append((one.title, Markup(text[text.index("<svg") :])))
    return found
