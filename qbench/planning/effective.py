"""The settings of one group that have an effect, as plain data in a canonical form.

What a group adds to an identity follows from this group alone, so that a plan can work it out once
for all rows with the same group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from qbench.base.setting import EVALUATION, FIRST_STEP, QUANTIZED, UNSET, Effect, Group
from qbench.config.experiment import SETTINGS, Experiment, plain
from qbench.config.groups import Data
from qbench.config.inputs import FileInput
from qbench.config.model import Model
from qbench.config.quant import Quant
from qbench.config.train import Train
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES
from qbench.planning.code import code_in, files_of, marked
from qbench.planning.factors import effects, takes_effect
from qbench.quantize import settings as of_quant
from qbench.schemes import SCHEMES
from qbench.schemes.phases import FLOAT

Settings = dict[str, Any]
"""The settings of a group by name, as plain data."""

# Settings that are newer than the first records: group, name, neutral value. The neutral value
# gives the old behaviour. It is left out of identities, so that old records keep their ids. The
# arguments of qbench's models are not in SETTINGS, because the builders declare them.
_NEUTRAL: tuple[tuple[str, str, Any], ...] = (
    *((s.group, s.name, plain(s.neutral)) for s in SETTINGS if s.neutral is not UNSET),
    ("model", "activation", "relu"),
    ("model", "stem_stride", 1),
)

# Computations that have changed since the first records: the statistics of folded layers, symmetric
# kernels with one range for each channel, and the tensors that `deploy` quantizes, which the table
# of kinds decides. These texts in an identity distinguish new results from old ones.
_STATISTICS = "statistics in one pass"
_UNITS = "in units"
_DEPLOYED = {"deploy": "deploy, by kinds"}


def effective(group: Group) -> Settings:
    """The settings with an effect, with the content of code and files in place of their names.

    Bits, optimizer, schedule and scheme are written out with their defaults. `quant` always has
    `ema_decay`, because float steps gather ranges, also in float runs. The group of an `Experiment`
    has only the settings outside the other groups.
    """
    outside = code_in(group)
    settings = marked(group.prefix, _written_out(group), outside)
    if not isinstance(group, Model):
        return settings
    if outside:
        settings |= group.arguments  # its `activation` may have another default
    for key, (_, sha256) in files_of(group).items():
        settings[key.removeprefix("model.")] = {"sha256": sha256}
    return settings


def in_phase(group: Group, settings: Settings, phase: str) -> Settings:
    """The settings that count in a phase of a run, or in a phase before it.

    Args:
        group: the group.
        settings: its effective settings.
        phase: the name of the phase.
    """
    if phase == FLOAT:
        return until(group, settings, (FIRST_STEP,))
    settings = until(group, settings, (FIRST_STEP, QUANTIZED))
    if isinstance(group, FileInput) and settings:
        return {"input": "pixels"}  # both forms of raw pixels are trained alike
    if not isinstance(group, Quant) or "scheme" not in settings:
        return settings
    scheme, choice = group.chosen_scheme, group.scheme
    assert scheme is not None  # without quantization no `scheme` is in the settings
    arguments = SCHEMES[choice.name].arguments_in(scheme, phase, choice.arguments)
    return settings | {"scheme": {"name": settings["scheme"]["name"], **arguments}}


def until(group: Group, settings: Mapping[str, Any], phases: tuple[Effect, ...]) -> Settings:
    """A copy with only the settings that take effect in one of these phases."""
    other = _outside(phases).get(group.prefix, ())
    return {name: value for name, value in settings.items() if name not in other}


@cache
def _outside(phases: tuple[Effect, ...]) -> Mapping[str, set[str]]:
    """By group, the names of the settings that take effect in none of these phases."""
    found: dict[str, set[str]] = defaultdict(set)
    for key, effect in effects().items():
        group, _, name = key.rpartition(".")
        if effect not in phases:
            found[group].add(name)
    return found


def plain_settings(group: Group) -> Settings:
    """All settings of a group; those of an `Experiment` are the settings outside other groups."""
    if isinstance(group, Experiment):
        return {name: plain(getattr(group, name)) for name in _top_level()}
    found: Settings = plain(group)
    return found


@cache
def _top_level() -> tuple[str, ...]:
    """The fields of an experiment that are no groups."""
    groups = {one.group for one in SETTINGS}
    return tuple(one.name for one in fields(Experiment) if one.name not in groups)


def _written_out(group: Group) -> Settings:
    """The settings with an effect, with names of code from outside."""
    settings = until(group, plain_settings(group), (FIRST_STEP, QUANTIZED, EVALUATION))
    for name, counts_as in _counted(group.prefix):
        settings[name] = plain(counts_as(group))
    if isinstance(group, Data):  # the hash of the data counts instead
        settings = {name: value for name, value in settings.items() if name not in group.arguments}
    for name, neutral in _neutral(group.prefix):
        if settings.get(name, UNSET) == neutral:
            del settings[name]
    if isinstance(group, Quant):
        return _quant_written_out(group, settings)
    if isinstance(group, Train):
        settings = _train_written_out(group, settings)
    return _with_effect(group, settings)


@cache
def _counted(prefix: str) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """The settings of a group of which several values count as one."""
    return tuple((s.name, s.counts_as) for s in SETTINGS if s.group == prefix and s.counts_as)


@cache
def _neutral(prefix: str) -> tuple[tuple[str, Any], ...]:
    """The newer settings of a group with their neutral values."""
    return tuple((name, value) for group, name, value in _NEUTRAL if group == prefix)


def _with_effect(group: Group, settings: Settings) -> Settings:
    return {name: value for name, value in settings.items() if takes_effect(group, name)}


def _train_written_out(train: Train, settings: Settings) -> Settings:
    """The settings of `train`; optimizer and schedule are written out with their defaults."""
    del settings["jit"]
    if train.compiles:  # XLA changes the last bits
        settings["jit"] = True
    for key, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        choice = getattr(train, key)
        arguments = table[choice.name].arguments(choice.arguments)
        settings[key] = {"name": choice.name, **arguments}
    return settings


def _quant_written_out(quant: Quant, settings: Settings) -> Settings:
    """The settings of `quant` with an effect; bits and the scheme's arguments are written out."""
    if not quant.enabled:
        return {"ema_decay": settings["ema_decay"]}
    if "scheme" in settings:
        chosen = quant.scheme
        arguments = SCHEMES[chosen.name].counted(chosen.arguments)
        settings["scheme"] = {"name": chosen.name, **arguments}
    settings["weight_bits"] = quant.bits_of_weights
    bits = of_quant.FLOAT if quant.float_activations else quant.bits_of_activations
    settings["activation_bits"] = bits
    for key in ("bits", "enabled", "delay"):
        del settings[key]
    settings = _with_effect(quant, settings)
    if settings.get("fold_batch_norm") and not settings.get("freeze_batch_norm"):
        settings["fold_batch_norm"] = _STATISTICS
    symmetric = settings.get("weight_range") == "symmetric_narrow"
    if symmetric and settings.get("granularity") == "channel":
        settings["granularity"] = f"channel, {_UNITS}"
    settings["placement"] = [_DEPLOYED.get(name, name) for name in settings["placement"]]
    return settings
