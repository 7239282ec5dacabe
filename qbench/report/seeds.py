"""The values of every seed, where there are so few that a reader should see them all."""

from __future__ import annotations

from math import nan

from qbench.report import values
from qbench.report.collect import Sweep
from qbench.report.comparison import Comparisons, cells, run_values
from qbench.report.section import Section
from qbench.report.texts import Lines
from qbench.statistics.compared import Comparison
from qbench.statistics.methods import FEW


def every_seed(sweep: Sweep, made: Comparisons) -> list[Section]:
    """A section with a column for each seed, if there are several seeds but fewer than 5."""
    tables = []
    for heading, one, deployed in (
        ("", made.simulated, False),
        ("converted files", made.deployed, True),
    ):
        if one is not None and (lines := _lines(sweep, one, deployed)):
            tables.append((heading, lines))
    if not tables:
        return []
    title = f"{values.capital(sweep.metric.label)} of every seed"
    unit = f"In {sweep.metric.unit}" if sweep.metric.unit else "Values"
    explained = (
        f"{unit}{values.direction(sweep.metric)}. With fewer than {FEW} seeds look at all of them:"
        " an interval then shows only large effects."
    )
    return [Section(title, explained, tables)]


def _lines(sweep: Sweep, made: Comparison, deployed: bool) -> Lines:
    """The table of one kind of values; empty if they are of one seed, or of 5 and more."""
    found = {row["label"]: run_values(sweep, row, deployed) for row in sweep.trained}
    seeds = [seed for seed in sweep.manifest["seeds"] if any(seed in own for own in found.values())]
    if not 1 < len(seeds) < FEW:
        return []
    head = ["configuration", *(f"seed {seed}" for seed in seeds), "difference", "95 % interval"]
    body = []
    for label, own in found.items():
        mine = [values.number(sweep.metric, own.get(seed, nan)) for seed in seeds]
        compared = cells(made, label)
        difference = values.difference(sweep.metric, compared["difference"])
        body.append([label, *mine, difference, compared["interval"] or "-"])
    return [head, *body]
