"""The first stage of a sweep with `train.steps=auto`: the float training that decides for its rows.

One float training decides for all rows whose number of steps is not known, so that they differ in
their factors alone: that of the first of these rows, with the first seed and at most
`train.auto_most` steps. The first row of a table changes no factor but the quantization. Once the
number is known the rows are configurations with this number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qbench.base import environment
from qbench.config.experiment import Experiment, Variants
from qbench.config.inputs import FileInput
from qbench.config.quant import Quant
from qbench.config.train import AUTO
from qbench.planning.designs import Row
from qbench.planning.early_stopping import Decided, EarlyStopping
from qbench.planning.identity import phases
from qbench.planning.plan import Plan
from qbench.storage.decisions import all_decisions
from qbench.storage.records import content_id

_FLOAT = Quant(enabled=False)


@dataclass(frozen=True)
class Trial:
    """The float training that decides the number of steps of the rows that wait for it.

    Attributes:
        id: the id of its decision.
        experiment: its configuration, with the most steps.
        rows: the labels of the rows, the one with this float training first.
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
    return any(_waits(row) for row in plan.rows)


def deciding_run(plan: Plan) -> int:
    """The number of the run whose float training decides; a plan with undecided rows has one."""
    runs = enumerate(plan.runs)
    return next(number for number, run in runs if run.experiment.train.is_undecided)


def trial_of(plan: Plan, common: Any) -> Trial:
    """The float training that decides the undecided rows of a plan; it has such rows.

    Args:
        plan: the plan.
        common: what the steps of the `deciding_run` depend on besides its settings; see
            `qbench.planning.identity.phases`.
    """
    experiment = _experiment(plan)
    name = content_id(_content(experiment, plan.settings.auto, common))
    return Trial(name, experiment, _waiting(plan))


def planned_key(experiment: Experiment, rule: EarlyStopping) -> str:
    """What a plan knows of a decision without its data and its device, as an id.

    Args:
        experiment: the experiment of a `Trial`.
        rule: the settings of the early stopping.
    """
    data = experiment.data
    content = _content(experiment, rule, environment.numerics())
    return content_id([content, data.dir, dict(data.arguments)])


def with_decision(plan: Plan, found: Decided) -> Plan:
    """The plan with this number of steps in place of `auto`."""
    return replace(at_steps(plan, found.steps), decided=found)


def at_steps(plan: Plan, steps: int) -> Plan:
    """The plan with a number of steps for its undecided rows."""
    variants = Variants()  # rows that share their settings go on to share them
    rows = (
        replace(row, experiment=variants.of(row.experiment, {"train.steps": steps}))
        if _waits(row)
        else row
        for row in plan.rows
    )
    return replace(plan, rows=tuple(rows))


def with_known(plan: Plan) -> Plan:
    """The plan with the decision in its folder, if it is there; reads only.

    A decision is found by the settings, without reading the data. If decisions for different data
    or devices differ, the rows stay undecided.
    """
    if not is_undecided(plan):
        return plan
    experiment = _experiment(plan)
    key, device = planned_key(experiment, plan.settings.auto), plan.settings.engine.device.upper()
    numbers = {
        one["steps"]: Decided(
            one["decision"], one["steps"], _waiting(plan), experiment.seed, one["ended"]
        )
        for one in all_decisions(plan.settings.root)
        if one["planned"] == key and one["steps"] is not None
        if device in ("AUTO", one["device"]["kind"])
    }
    return with_decision(plan, *numbers.values()) if len(numbers) == 1 else plan


def _waiting(plan: Plan) -> tuple[str, ...]:
    """The labels of the undecided rows."""
    return tuple(row.label for row in plan.rows if _waits(row))


def _waits(row: Row) -> bool:
    return row.reason is None and row.experiment.train.is_undecided


def _experiment(plan: Plan) -> Experiment:
    """The experiment of the float training that decides."""
    run = plan.runs[deciding_run(plan)].experiment
    most = run.with_values({"train.steps": plan.settings.auto.auto_most})
    return replace(most, quant=_FLOAT, deploy=FileInput())


def _content(experiment: Experiment, rule: EarlyStopping, common: Any) -> list[Any]:
    """Everything that a decision depends on, as plain data."""
    (training,) = phases(experiment, common)
    return [AUTO, training.content, experiment.eval.batch_size, rule.as_config()]
