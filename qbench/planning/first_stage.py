"""The first stage of a sweep with `train.steps=auto`: which float trainings decide for which rows.

A configuration whose number of steps is not known is decided by its float network: float training
with the first seed, at most `train.auto_most` steps. All configurations with the same float
training share the decision. Once it is known they are configurations with this number of steps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qbench.base import environment
from qbench.config.experiment import Experiment, Variants
from qbench.config.inputs import FileInput
from qbench.config.quant import Quant
from qbench.config.train import AUTO
from qbench.planning.early_stopping import Decided, EarlyStopping
from qbench.planning.identity import phases
from qbench.planning.plan import Plan
from qbench.storage.decisions import all_decisions
from qbench.storage.records import content_id

_FLOAT = Quant(enabled=False)


@dataclass(frozen=True)
class Trial:
    """A float training that decides the number of steps of some rows.

    Attributes:
        id: the id of its decision.
        experiment: its configuration, with the most steps.
        rows: the labels of the rows.
    """

    id: str
    experiment: Experiment
    rows: tuple[str, ...]

    @property
    def label(self) -> str:
        """Its name for people."""
        more = f" and {len(self.rows) - 1} more" if len(self.rows) > 1 else ""
        return f"steps of {self.rows[0]}{more}"


def is_undecided(plan: Plan) -> bool:
    """Whether a row of a plan waits for its number of steps."""
    return any(row.reason is None and row.experiment.train.is_undecided for row in plan.rows)


def trials(plan: Plan, commons: Mapping[str, Any]) -> list[Trial]:
    """The float trainings that decide the undecided rows of a plan, in the order of its rows.

    Args:
        plan: the plan.
        commons: by the label of a row, what its steps depend on besides its settings; see
            `qbench.planning.identity.phases`.
    """
    found: dict[str, Trial] = {}
    for row, experiment in _experiments(plan).items():
        name = content_id(_content(experiment, plan.settings.auto, commons[row]))
        known = found.setdefault(name, Trial(name, experiment, ()))
        found[name] = replace(known, rows=(*known.rows, row))
    return list(found.values())


def planned_key(experiment: Experiment, rule: EarlyStopping) -> str:
    """What a plan knows of a decision without its data and its device, as an id.

    Args:
        experiment: the experiment of a `Trial`.
        rule: the settings of the early stopping.
    """
    data = experiment.data
    content = _content(experiment, rule, environment.numerics())
    return content_id([content, data.dir, dict(data.arguments)])


def with_decisions(plan: Plan, found: Collection[Decided]) -> Plan:
    """The plan with these numbers of steps in place of `auto`."""
    steps = {row: one.steps for one in found for row in one.rows}
    decided = (*plan.decided, *found)
    return replace(_with_steps(plan, steps), decided=decided)


def at_steps(plan: Plan, steps: int) -> Plan:
    """The plan with one number of steps for all of its undecided rows."""
    return _with_steps(plan, dict.fromkeys(_experiments(plan), steps))


def with_known(plan: Plan) -> Plan:
    """The plan with the decisions in its folder, as far as they are there; reads only.

    A decision is found by the settings, without reading the data. Where decisions for different
    data or devices differ, the rows stay undecided.
    """
    records = all_decisions(plan.settings.root) if is_undecided(plan) else []
    device = plan.settings.engine.device.upper()
    if device != "AUTO":
        records = [one for one in records if one["device"]["kind"] == device]
    numbers: dict[str, dict[int, tuple[str, str]]] = {}
    for one in records:
        if one["steps"] is not None:
            told = one["decision"], one["ended"]
            numbers.setdefault(one["planned"], {}).setdefault(one["steps"], told)
    found: dict[str, Decided] = {}
    for row, experiment in _experiments(plan).items():
        known = numbers.get(planned_key(experiment, plan.settings.auto), {})
        if len(known) == 1:
            ((steps, (name, ended)),) = known.items()
            rows = found[name].rows if name in found else ()
            found[name] = Decided(name, steps, (*rows, row), experiment.seed, ended)
    return with_decisions(plan, list(found.values()))


def _experiments(plan: Plan) -> dict[str, Experiment]:
    """By the label of each undecided row, the experiment of the float training that decides it."""
    most, seed = plan.settings.auto.auto_most, plan.settings.seeds[0]
    return {
        row.label: replace(
            row.experiment.with_values({"train.steps": most}),
            quant=_FLOAT,
            deploy=FileInput(),
            seed=seed,
        )
        for row in plan.rows
        if row.reason is None and row.experiment.train.is_undecided
    }


def _content(experiment: Experiment, rule: EarlyStopping, common: Any) -> list[Any]:
    """Everything that a decision depends on, as plain data."""
    (training,) = phases(experiment, common)
    return [AUTO, training.content, experiment.eval.batch_size, rule.as_config()]


def _with_steps(plan: Plan, steps: Mapping[str, int]) -> Plan:
    variants = Variants()  # rows that share their settings go on to share them
    rows = (
        replace(
            row,
            experiment=variants.of(row.experiment, {"train.steps": steps[row.label]}),
        )
        if row.label in steps
        else row
        for row in plan.rows
    )
    return replace(plan, rows=tuple(rows))
