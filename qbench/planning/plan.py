"""The plan of a sweep: the rows of its table, each with its seeds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from qbench.base.errors import QbenchError
from qbench.config.experiment import SETTINGS as OF_RUNS
from qbench.config.experiment import Experiment, Variants, plain
from qbench.planning import designs
from qbench.planning.code import check_models
from qbench.planning.derived import DERIVED, DerivedRow
from qbench.planning.designs import Changes, Levels, Row
from qbench.planning.draws import DISJOINT
from qbench.planning.early_stopping import Decided, refuse_unused
from qbench.planning.factors import impossible
from qbench.planning.identity import GroupTexts, RowPhases, identity
from qbench.planning.segments import Phase
from qbench.planning.settings import SETTINGS, Settings
from qbench.planning.stats import check_stats
from qbench.planning.table_metrics import check_table
from qbench.storage.records import content_id

# Configuration groups that can be factors: a comma list gives their levels.
GROUPS = ("data", "model", "quant", "quant/scheme", "train", "train/optimizer", "train/schedule")
# Keys of the whole command, and keys at the top level of a run. They are not factors.
_SINGLE = {one.key.partition(".")[0] for one in SETTINGS} - {one.group for one in OF_RUNS}
_OF_COMMAND = {one.key for one in SETTINGS} - {one.key for one in OF_RUNS}

UNIT = 10**9
"""Stands for a number of steps that is not known yet, where a plan is worked out in fractions."""

Choices = tuple[str, ...]
"""Choices of groups, each in the form `model=resnet20`."""


@dataclass(frozen=True)
class Run:
    """One row of a plan with one seed.

    Attributes:
        row: the row's label.
        label: the name of the run for people.
        experiment: its configuration.
    """

    row: str
    label: str
    experiment: Experiment


@dataclass(frozen=True)
class Plan:
    """A design with all its configurations.

    Attributes:
        settings: the settings of the command.
        levels: the levels of every factor that varies, the default first.
        rows: the rows of the table, in order.
        decided: the number of steps that was `auto` before, if there is one.
    """

    settings: Settings
    levels: Levels
    rows: tuple[Row, ...]
    decided: Decided | None = None

    @property
    def networks(self) -> list[list[Any]]:
        """The different networks of the runs: see `network_entry`."""
        found: list[list[Any]] = []
        for run in self.runs:
            *network, preprocessings = network_entry(run.experiment)
            known = next((one for one in found if one[:-1] == network), None)
            if known is None:
                found.append([*network, preprocessings])
            else:
                known[-1] += [one for one in preprocessings if one not in known[-1]]
        return found

    @cached_property
    def runs(self) -> list[Run]:
        """Every applicable row, with each seed."""
        seeds = self.settings.seeds
        return [
            Run(
                row.label,
                row.label if len(seeds) == 1 else f"{row.label} seed {seed}",
                _with_seed(row.experiment, seed),
            )
            for row in self.rows
            if row.reason is None
            for seed in seeds
        ]

    @property
    def deployed(self) -> list[int]:
        """The numbers of the runs that a sweep converts; see `Settings.deployed_seeds`."""
        seeds = set(self.settings.deployed_seeds)
        return [number for number, run in enumerate(self.runs) if run.experiment.seed in seeds]

    def phases(self, run: Run, common: Any) -> tuple[Phase, ...]:
        """The phases of one of the runs; see `qbench.planning.identity.phases`."""
        return self._row_phases[run.row].of(run.experiment.seed, common)

    @cached_property
    def _row_phases(self) -> dict[str, RowPhases]:
        texts = GroupTexts()
        applicable = (row for row in self.rows if row.reason is None)
        return {row.label: RowPhases(row.experiment, texts) for row in applicable}

    @cached_property
    def derived(self) -> list[DerivedRow]:
        """The rows that are computed from the runs of other rows; they follow `rows`."""
        rows = [row for row in self.rows if row.reason is None]
        return [
            derived
            for name in DERIVED.names()
            for derived in DERIVED[name].rows(rows, self.settings)
            if derived.runs
        ]

    def with_seeds(self, seeds: Collection[int]) -> Plan:
        """The plan with only some of its seeds, in its own order; at least one.

        It converts the runs of those among them that the whole plan converts.
        """
        settings, deploy = self.settings, self.settings.deploy
        kept = tuple(seed for seed in settings.seeds if seed in seeds)
        if deploy.enabled and deploy.seeds is not None:
            count = sum(seed in settings.deployed_seeds for seed in kept)
            deploy = replace(deploy, enabled=count > 0, seeds=count or None)
        return replace(self, settings=replace(settings, seeds=kept, deploy=deploy))

    @property
    def design(self) -> dict[str, Any]:
        """The design as manifests store it; only a fraction has a resolution."""
        design = self.settings.design
        found = {"name": design.name, "levels": self.levels}
        return found if design.resolution is None else found | {"resolution": design.resolution}

    @property
    def name(self) -> str:
        """The folder name of the sweep: its design and a hash of its rows and seeds.

        It stays the same when the number of steps is decided.
        """
        waited = set(self.decided.rows if self.decided else ())
        waited |= {row.label for row in self.rows if row.experiment.train.is_undecided}
        content = [[_content(row, row.label in waited), row.reason] for row in self.rows]
        derived = [row.label for row in self.derived]
        draws = self.settings.design.ensemble_draws
        if derived and draws != DISJOINT:  # names of sweeps without the setting stay
            derived.append(draws)
        parts: list[Any] = [content, self.settings.seeds, *([derived] if derived else [])]
        parts += [self.settings.auto.as_config()] if waited else []
        return f"{self.settings.design.name}-{content_id(parts)[:8]}"


def _with_seed(experiment: Experiment, seed: int) -> Experiment:
    """An experiment with a seed; the same one if it has this seed."""
    return experiment if experiment.seed == seed else replace(experiment, seed=seed)


@dataclass(frozen=True)
class Outline:
    """A design with its levels, before Hydra has composed its configurations.

    Attributes:
        settings: the settings of the command, composed without the comma lists.
        fixed: the keys that were set to one value.
        levels: the levels of every factor that varies, the default first.
        table: the changes of each row.
    """

    settings: Settings
    fixed: tuple[str, ...]
    levels: Levels
    table: tuple[Changes, ...]

    @cached_property
    def first(self) -> Changes:
        """The default: the first level of every factor."""
        return {key: values[0] for key, values in self.levels.items()}

    @property
    def choices(self) -> list[Choices]:
        """All combinations of group choices in the table; each has its own default experiment."""
        of_rows = (choices_in(self.first | changes) for changes in self.table)
        return [one for one in dict.fromkeys((choices_in(self.first), *of_rows)) if one]


def _content(row: Row, is_auto: bool) -> Any:
    """What tells one row of a sweep from the others; `is_auto`: its number of steps was `auto`."""
    experiment = row.experiment
    if is_auto:
        experiment = experiment.with_values({"train.steps": UNIT})
    arguments = dict(experiment.data.arguments)
    return [identity(experiment), arguments] if arguments else identity(experiment)


def network_entry(experiment: Experiment) -> list[Any]:
    """What a network is checked with, as plain data.

    The group `model`, the settings that choose the data set, and a list of preprocessings.
    """
    data = experiment.data
    chosen = [data.name, data.dir, data.resolution, dict(data.arguments), data.slim_image_size]
    return [plain(experiment.model), chosen, [data.preprocessing]]


def choices_in(values: Mapping[str, Any]) -> Choices:
    """The choices of groups among these values, such as `model=resnet20`."""
    return tuple(f"{key}={value}" for key, value in values.items() if key in GROUPS)


def outline(settings: Settings, given: Levels, fixed: Sequence[str]) -> Outline:
    """The outline of a sweep: its design with its levels.

    Args:
        settings: the settings, composed without the comma lists.
        given: the levels from comma lists, by key.
        fixed: the keys that were set to one value. For these keys and for the keys of `given`,
            `design.levels` has no effect. Without `seeds` among them a budget opens the seeds.

    Raises:
        QbenchError: a key cannot be a factor, there is nothing to vary, or there are too few seeds
            for `stop_when`.
    """
    seeds = settings.stopping.seeds("seeds" in fixed, settings.seeds)
    settings = replace(settings, seeds=seeds)
    design = settings.design
    for name in DERIVED.names():
        DERIVED[name].check(settings)
    configured = {key: given.get(key, design.levels[key]) for key in design.levels}
    given = {key: values for key, values in configured.items() if key not in fixed} | dict(given)
    of_rows = [key for row in design.rows for key in row]
    for key in (*given, *of_rows):
        if key.split(".")[0] in _SINGLE or key in _OF_COMMAND:
            raise QbenchError(f"{key}: takes one value; it is not a factor.")
    levels = designs.levels_of(settings.base, design.factors, given, design.name == "ofat")
    if not settings.base.quant.enabled and "quant.enabled" not in given and "quant" not in given:
        raise QbenchError(
            "quant.enabled=false: nothing is left for a sweep to vary; use qbench train."
        )
    table = designs.changes_of(design.name, levels, design.baseline, design.resolution)
    table += [row for row in design.rows if row not in table]
    return Outline(settings, tuple(fixed), levels, tuple(table))


def make_plan(outline: Outline, composed: Mapping[Choices, Experiment] | None = None) -> Plan:
    """The plan of a sweep.

    Args:
        outline: the outline of the sweep.
        composed: the default experiment for each combination in `outline.choices`.

    Raises:
        QbenchError: a level is not allowed, the default configuration cannot be run, the function
            of a model does not take its arguments, the metrics of the data sets do not fit into
            one table, `stats` asks for a comparison that the table does not allow, or `stop_when`
            has no rows to compare.
    """
    settings = outline.settings
    bases = {(): settings.base, **(composed or {})}
    variants = Variants()

    def at_levels(values: Mapping[str, Any]) -> Experiment:
        rest = {key: value for key, value in values.items() if key not in GROUPS}
        return variants.of(bases[choices_in(values)], rest)

    default = at_levels(outline.first)

    def at_changes(changes: Changes) -> Experiment:
        if any(key in GROUPS for key in changes):
            return at_levels(outline.first | changes)
        return variants.of(default, changes)

    rows = designs.rows(outline.table, at_changes)
    reason = impossible(default, outline.fixed)
    if reason:
        raise QbenchError(reason)
    undecided = any(row.experiment.train.is_undecided for row in rows)
    refuse_unused(settings.auto, outline.fixed, undecided)
    check_models(row.experiment for row in rows if row.reason is None)
    check_table(row.experiment.data for row in rows if row.reason is None)
    check_stats(settings.stats, [row.label for row in rows if row.reason is None], settings.seeds)
    plan = Plan(settings, outline.levels, tuple(rows))
    compared = sum(row.reason is None for row in rows) + len(plan.derived)
    if settings.stopping.stop_when and compared < 2:
        raise QbenchError(
            f"stop_when={settings.stopping.stop_when} is not allowed with one row: expected rows to"
            " compare, since it ends a sweep when no row is undecided."
        )
    return plan
