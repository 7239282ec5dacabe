"""The factors of the benchmark, as the settings of a run declare them.

Everything else (designs, identities, tables, figures) loops over these tables and knows no factor
by name. A setting is declared at its field, in `qbench.config.experiment` or
`qbench.quantize.settings`. To add a setting, add this field and the code that uses it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from typing import Any

from qbench.base.checks import show
from qbench.base.setting import FIRST_STEP, Effect, Group, Setting
from qbench.config.experiment import SETTINGS, Experiment
from qbench.config.inputs import slim_refused
from qbench.config.quant import Quant
from qbench.config.train import AUTO
from qbench.data.preprocessing import PREPROCESSING
from qbench.optimizers.optimizers import SCHEDULES
from qbench.quantize.ops import OPS
from qbench.schemes import SCHEMES


def _place(setting: Setting) -> float:
    return math.inf if setting.place is None else setting.place


COLUMNS: tuple[Setting, ...] = tuple(sorted((s for s in SETTINGS if s.column), key=_place))
"""The settings that have a column in tables, in the order of the columns."""

FACTORS: tuple[Setting, ...] = tuple(setting for setting in COLUMNS if setting.levels)
"""The settings that the paper varies, in the order of the columns."""


@cache
def effects() -> dict[str, Effect]:
    """When each key takes effect; a key without an entry takes effect from the first step."""
    return {s.key: s.effect for s in SETTINGS if s.effect != FIRST_STEP}


def has_setting(experiment: Experiment, key: str) -> bool:
    """Whether the key has an effect in this experiment.

    Without quantization no key under `quant` has an effect. Rounding, signedness and the choice of
    range belong only to some ops, and a scheme may lack further settings. Other settings say it in
    their declaration.
    """
    group, dot, name = key.partition(".")
    return takes_effect(getattr(experiment, group), name) if dot else takes_effect(experiment, key)


def takes_effect(group: Group, name: str) -> bool:
    """Whether the setting of a group has an effect; see `has_setting`."""
    applies = _APPLIES.get((group.prefix, name))
    if applies is not None and not applies(group):
        return False
    if not isinstance(group, Quant):
        return True
    if not group.enabled or name in SCHEMES[group.scheme.name].lacking(group):
        return False
    return name not in OPS_SETTINGS or name in OPS[group.op].settings


OPS_SETTINGS = frozenset().union(*(OPS[name].settings for name in OPS.names()))
_APPLIES = {(s.group, s.name): s.applies for s in SETTINGS if s.applies is not None}


def cells(experiment: Experiment) -> dict[str, str]:
    """By column, the cell of a table row; empty if the setting has no effect in the experiment."""
    return {
        str(setting.column): setting.cell(group_of(experiment, setting))
        if experiment.quant.enabled and (setting.shown or has_setting(experiment, setting.key))
        else ""
        for setting in COLUMNS
    }


def group_of(experiment: Experiment, setting: Setting) -> Any:
    """The group of an experiment that holds a setting."""
    return getattr(experiment, setting.group) if setting.group else experiment


def impossible(experiment: Experiment, explicit: Collection[str]) -> str | None:
    """The reason why this combination cannot be run, or None.

    Args:
        experiment: the combination.
        explicit: the keys that the user set. If an op lacks a setting, an inherited value is left
            out of the experiment's identity. A value that the user set is an error.
    """
    quant, train = experiment.quant, experiment.train
    if experiment.deploy.takes_pixels and experiment.pixels is None:
        names = (name for name in PREPROCESSING.names() if PREPROCESSING[name].pixel)
        return (
            f"deploy.input={experiment.deploy.input}: data.preprocessing="
            f"{experiment.data.preprocessing} does not map raw pixels to codes with one scale and a"
            f" whole zero point; {' and '.join(names)} do."
        )
    if sized := slim_refused(experiment.data):
        return sized
    if train.balanced_batches and train.class_weights != "none":
        return (
            f"train.class_weights={train.class_weights}: train.balanced_batches=true balances the"
            " classes already; set one of the two."
        )
    if train.is_undecided and SCHEDULES[train.schedule.name].needs_steps:
        names = (name for name in SCHEDULES.names() if not SCHEDULES[name].needs_steps)
        return (
            f"train.steps={AUTO}: the rates of train/schedule={train.schedule.name} depend on the"
            f" number of steps from the first step on; {' and '.join(names)} do not."
        )
    if not quant.enabled:
        return None
    op, kind = OPS[quant.op], SCHEMES[quant.scheme.name]
    for key in explicit:
        setting = key.rpartition(".")[2]
        if key.startswith("quant.") and not has_setting(experiment, key):
            value = show(getattr(quant, setting))
            if setting in kind.lacking(quant):
                return f"{key}={value}: the scheme {quant.scheme.name} has no such setting."
            why = f", {op.lacks[setting]}" if setting in op.lacks else ""
            return f"{key}={value}: {quant.op} has no such setting{why}."
    return quant.refused
