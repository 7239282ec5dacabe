"""What a sweep runs: the rows of its table, each with its seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qbench.base.errors import QbenchError
from qbench.config.experiment import SETTINGS as OF_RUNS
from qbench.config.experiment import Experiment
from qbench.planning import designs
from qbench.planning.designs import Levels, Row
from qbench.planning.factors import impossible
from qbench.planning.identity import identity
from qbench.planning.settings import SETTINGS, Settings
from qbench.storage.records import content_id

# Configuration groups that a comma list may go over, as a factor of its own.
GROUPS = ("data", "model", "quant", "train", "train/optimizer", "train/schedule")
# What is of the whole command, or at the top of every run: no factor.
_SINGLE = {one.key.partition(".")[0] for one in SETTINGS} - {one.group for one in OF_RUNS}

Compose = Callable[[Mapping[str, Any]], Experiment]


@dataclass(frozen=True)
class Run:
    """One row of a plan with one seed.

    Attributes:
        row: the row's label.
        label: names the run for people.
        experiment: its configuration.
    """

    row: str
    label: str
    experiment: Experiment


@dataclass(frozen=True)
class Plan:
    """A design made concrete.

    Attributes:
        settings: of the command.
        levels: of every factor that varies, the default first.
        rows: of the table, in its order.
    """

    settings: Settings
    levels: Levels
    rows: tuple[Row, ...]

    @property
    def networks(self) -> list[list[Any]]:
        """Every different network of its runs: model's name, arguments, data set, resolution."""
        found: list[list[Any]] = []
        for run in self.runs:
            model, data = run.experiment.model, run.experiment.data
            entry = [model.name, dict(model.arguments), data.name, data.resolution]
            if entry not in found:
                found.append(entry)
        return found

    @cached_property
    def runs(self) -> list[Run]:
        """Every applicable row with each seed."""
        seeds = self.settings.seeds
        return [
            Run(
                row.label,
                row.label if len(seeds) == 1 else f"{row.label} seed {seed}",
                row.experiment.with_values({"seed": seed}),
            )
            for row in self.rows
            if row.reason is None
            for seed in seeds
        ]

    @property
    def name(self) -> str:
        """Folder name of the sweep: its design and a hash of what it runs."""
        content = [[identity(row.experiment), row.reason] for row in self.rows]
        return f"{self.settings.design.name}-{content_id([content, self.settings.seeds])[:8]}"


def make_plan(settings: Settings, given: Levels, fixed: Sequence[str], compose: Compose) -> Plan:
    """The plan of a sweep.

    Args:
        settings: composed without the comma lists.
        given: the comma lists, by key.
        fixed: keys that were set to one value; what `design.levels` says of them is set aside,
            as it is for the comma lists.
        compose: the default experiment with these choices of groups instead.

    Raises:
        QbenchError: a level, a key or the default configuration that cannot be run.
    """
    design = settings.design
    configured = {key: given.get(key, design.levels[key]) for key in design.levels}
    given = {key: values for key, values in configured.items() if key not in fixed} | dict(given)
    for key in given:
        if key.split(".")[0] in _SINGLE:
            raise QbenchError(f"{key}: takes one value; it is not a factor.")
    levels = designs.levels_of(settings.base, design.factors, given, design.name == "ofat")
    if not settings.base.quant.enabled and "quant.enabled" not in given and "quant" not in given:
        raise QbenchError(
            "quant.enabled=false: nothing is left for a sweep to vary; use qbench train."
        )
    bases: dict[str, Experiment] = {}

    def at_levels(values: Mapping[str, Any]) -> Experiment:
        groups = {key: value for key, value in values.items() if key in GROUPS}
        name = repr(groups)
        if name not in bases:
            bases[name] = compose(groups) if groups else settings.base
        rest = {key: value for key, value in values.items() if key not in GROUPS}
        return bases[name].with_values(rest)

    default = at_levels({key: values[0] for key, values in levels.items()})

    def at_changes(changes: Mapping[str, Any]) -> Experiment:
        if not any(key in GROUPS for key in changes):
            return default.with_values(changes)
        return at_levels({key: values[0] for key, values in levels.items()} | dict(changes))

    rows = designs.rows(design.name, levels, at_changes, design.baseline)
    reason = impossible(default, fixed)
    if reason:
        raise QbenchError(reason)
    return Plan(settings, levels, tuple(rows))
