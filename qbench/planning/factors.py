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
from qbench.base.setting import FIRST_STEP, Effect, Setting
from qbench.config.experiment import SETTINGS, Experiment
from qbench.config.quant import Quant
from qbench.quantize.ops import OPS, Op
from qbench.quantize.quantizer import Quantizer
from qbench.quantize.scheme import scheme_of


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
    range belong only to some ops.
    """
    group, _, setting = key.partition(".")
    if group != "quant":
        return True
    if not experiment.quant.enabled:
        return False
    op = OPS[experiment.quant.op]
    return setting not in OPS_SETTINGS or setting in op.settings


OPS_SETTINGS = frozenset().union(*(OPS[name].settings for name in OPS.names()))


def cells(experiment: Experiment) -> dict[str, str]:
    """By column, the cell of a table row; empty if the setting has no effect in the experiment."""
    return {
        str(setting.column): setting.cell(_group_of(experiment, setting))
        if experiment.quant.enabled and has_setting(experiment, setting.key)
        else ""
        for setting in COLUMNS
    }


def _group_of(experiment: Experiment, setting: Setting) -> Any:
    return getattr(experiment, setting.group) if setting.group else experiment


def impossible(experiment: Experiment, explicit: Collection[str]) -> str | None:
    """The reason why this combination cannot be run, or None.

    Args:
        experiment: the combination.
        explicit: the keys that the user set. If an op lacks a setting, an inherited value is left
            out of the experiment's identity. A value that the user set is an error.
    """
    quant = experiment.quant
    if not quant.enabled:
        return None
    op = OPS[quant.op]
    for key in explicit:
        setting = key.rpartition(".")[2]
        if key.startswith("quant.") and not has_setting(experiment, key):
            value = show(getattr(quant, setting))
            why = f", {op.lacks[setting]}" if setting in op.lacks else ""
            return f"{key}={value}: {quant.op} has no such setting{why}."
    if op.roundings and quant.rounding not in op.roundings:
        allowed = " or ".join(op.roundings)
        return f"quant.rounding={quant.rounding}: {quant.op} takes {allowed}."
    if quant.weight_range != "op" and quant.bits_of_weights < 2:
        return f"quant.weight_range={quant.weight_range}: takes kernels of 2 bits or more."
    if quant.tie_inputs and op.measures_ranges(quant):
        return f"quant.tie_inputs=true: needs moving averages; set {_averaging(op)}."
    refused = op.refuses(quant)
    if refused:
        return refused
    return _impossible_bits(quant)


def _impossible_bits(quant: Quant) -> str | None:
    """The reason why an op does not support its number of bits, or None.

    The allowed numbers of bits depend on the sign of the codes, which the scheme decides.
    """
    scheme = scheme_of(quant)
    assert scheme is not None
    edge = "quant.first_last"
    every: list[tuple[str, Quantizer | None]] = [
        ("quant.weight_bits", scheme.kernel.applied),
        ("quant.activation_bits", scheme.activation),
        (edge, scheme.edge_kernel.applied if scheme.edge_kernel else None),
        (edge, scheme.edge),
    ]
    for key, one in every:
        if one is None:
            continue
        low, high = OPS[one.op].bits_allowed(one.signed)
        if not low <= one.bits <= high:
            name = "quant.bits" if key != edge and one.bits == quant.bits else key
            return f"{name}={one.bits}: {one.op} takes {low} to {high} bits."
    return None


def _averaging(op: Op) -> str:
    """The settings that give moving averages in place of ranges that the op measures."""
    given = ["quant.range_given=true"] if "range_given" in op.settings else []
    others = [f"quant.op={name}" for name in OPS.names() if not OPS[name].own_range]
    return " or ".join(given + others)
