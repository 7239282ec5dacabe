"""Everything that the result of a run, or of one of its phases, depends on, as plain data."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

from qbench.base.setting import EVALUATION, FIRST_STEP, QUANTIZED, UNSET, Effect
from qbench.config.experiment import SETTINGS, Experiment, plain
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES
from qbench.planning.code import code_of, marked
from qbench.planning.factors import effects, group_of, has_setting, without_effect
from qbench.planning.segments import Phase
from qbench.schemes import SCHEMES
from qbench.schemes.phases import spans

# Settings that are newer than the first records: group, name, neutral value. The neutral value
# gives the old behaviour. It is left out of identities, so that old records keep their ids. The
# arguments of qbench's models are not in SETTINGS, because the builders declare them.
_NEUTRAL: tuple[tuple[str, str, Any], ...] = (
    *((s.group, s.name, plain(s.neutral)) for s in SETTINGS if s.neutral is not UNSET),
    ("model", "activation", "relu"),
)

_COUNTED = tuple((s, s.counts_as) for s in SETTINGS if s.counts_as is not None)

# Groups that are newer than the first records. They are left out of identities if nothing of them
# counts.
_NEWER = ("deploy",)

# Computations that have changed since the first records, and now give other last bits: the
# statistics of folded layers, and symmetric kernels with one range for each channel. These texts in
# an identity distinguish new results from old ones.
_STATISTICS = "statistics in one pass"
_UNITS = "in units"
# At first XLA compiled training only; now it compiles evaluation too. This text is in the identity
# of runs, but not of phases: states of training have not changed.
_EVALUATED = "steps and evaluation"


def identity(experiment: Experiment) -> dict[str, Any]:
    """The settings that a result depends on besides the data, as plain data in a canonical form.

    The folder of the data, notes on the data, the interval of checkpoints, and settings without an
    effect in this experiment are left out.
    """
    config = _settings(experiment)
    if experiment.train.compiles:
        config["train"]["jit"] = _EVALUATED
    quant = config["quant"]
    if not experiment.quant.enabled:
        del config["quant"]
        return config
    scheme = experiment.scheme
    if scheme and not scheme.reads_averages:
        del quant["ema_decay"]
    quant["start"] = experiment.quantization_start
    return config


def phases(experiment: Experiment, common: Any) -> tuple[Phase, ...]:
    """The float phase and the quantized phases of a run, with everything that influences them.

    A quantized phase without steps is left out. Its content is part of the next phase's content,
    because both begin at the same step.

    Args:
        experiment: the experiment of the run.
        common: plain data for everything else that all steps depend on: the hash of the data, the
            machine.
    """
    config = _settings(experiment)
    if "deploy" in config:  # both forms of raw pixels are trained alike
        config["deploy"] = {"input": "pixels"}
    kept = _until(config, (FIRST_STEP, QUANTIZED))
    floats, *quantized = spans(experiment.phases)
    content = json.dumps([common, _until(config, (FIRST_STEP,))], sort_keys=True)
    result = [Phase(floats.name, content, floats.end)]
    before: list[Any] = []
    for one in quantized:
        mine = _in_phase(kept, experiment, one.name)
        if one.first == one.end:
            before.append([one.name, mine])
            continue
        content = json.dumps([common, mine, *before], sort_keys=True)
        result.append(Phase(one.name, content, one.end))
        before = []
    return tuple(result)


def _in_phase(config: dict[str, Any], experiment: Experiment, phase: str) -> dict[str, Any]:
    """The settings without the arguments of the scheme that only later phases depend on."""
    choice, scheme = experiment.quant.scheme, experiment.scheme
    if scheme is None or "scheme" not in config["quant"]:
        return config
    arguments = SCHEMES[choice.name].arguments_in(scheme, phase, choice.arguments)
    counting = {"name": config["quant"]["scheme"]["name"], **arguments}
    return config | {"quant": config["quant"] | {"scheme": counting}}


def _settings(experiment: Experiment) -> dict[str, Any]:
    """The settings with an effect, with the content of code from outside in place of its name."""
    config, outside = _written_out(experiment), code_of(experiment)
    if f"model.name={experiment.model.name}" in outside:
        config["model"] = plain(experiment.model)  # its `activation` may have another default
    marked(config, outside)
    return config


def _written_out(experiment: Experiment) -> dict[str, Any]:
    """The settings with an effect; bits, optimizer and schedule are written out with defaults.

    `quant` always has `ema_decay`, because float steps gather ranges, also in float runs.
    """
    config = _until(experiment.as_config(), (FIRST_STEP, QUANTIZED, EVALUATION))
    for setting, counts_as in _COUNTED:
        values: Any = config[setting.group] if setting.group else config
        values[setting.name] = plain(counts_as(group_of(experiment, setting)))
    for group, name, neutral in _NEUTRAL:
        values = config[group] if group else config
        if values.get(name, UNSET) == neutral:
            del values[name]
    for key in without_effect(experiment):
        group, _, name = key.rpartition(".")
        (config[group] if group else config).pop(name, None)
    for group in _NEWER:
        if not config[group]:
            del config[group]
    del config["train"]["jit"]
    if experiment.train.compiles:  # XLA changes the last bits
        config["train"]["jit"] = True
    for key, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        choice = getattr(experiment.train, key)
        arguments = table[choice.name].arguments(choice.arguments)
        config["train"][key] = {"name": choice.name, **arguments}
    config["quant"] = _quant_written_out(experiment, config["quant"])
    return config


def _quant_written_out(experiment: Experiment, quant: dict[str, Any]) -> dict[str, Any]:
    """The settings of `quant` with an effect; bits and the scheme's arguments are written out."""
    if not experiment.quant.enabled:
        return {"ema_decay": quant["ema_decay"]}
    if "scheme" in quant:
        chosen = experiment.quant.scheme
        arguments = SCHEMES[chosen.name].arguments(chosen.arguments)
        quant["scheme"] = {"name": chosen.name, **arguments}
    quant["weight_bits"] = experiment.quant.bits_of_weights
    quant["activation_bits"] = experiment.quant.bits_of_activations
    for key in ("bits", "enabled", "delay"):
        del quant[key]
    quant = {
        name: value for name, value in quant.items() if has_setting(experiment, f"quant.{name}")
    }
    if quant.get("fold_batch_norm") and not quant.get("freeze_batch_norm"):
        quant["fold_batch_norm"] = _STATISTICS
    if (quant.get("granularity"), quant.get("weight_range")) == ("channel", "symmetric_narrow"):
        quant["granularity"] = f"channel, {_UNITS}"
    return quant


def graph_settings(experiment: Experiment) -> dict[str, Any]:
    """The settings that the graph of a training step can depend on, as plain data.

    The settings that take effect in evaluation or never are left out.
    """
    return _until(experiment.as_config(), (FIRST_STEP, QUANTIZED))


def _until(config: dict[str, Any], phases: tuple[Effect, ...]) -> dict[str, Any]:
    """A copy with only the settings that take effect in one of these phases.

    All groups stay, except newer ones of which nothing is left.
    """
    other = _outside(phases)
    kept = {
        group: {name: value for name, value in values.items() if name not in other[group]}
        if isinstance(values, dict)
        else values
        for group, values in config.items()
        if group not in other[""]
    }
    return {group: values for group, values in kept.items() if values or group not in _NEWER}


@cache
def _outside(phases: tuple[Effect, ...]) -> Mapping[str, set[str]]:
    """By group, the names of the settings that take effect in none of these phases."""
    found: dict[str, set[str]] = defaultdict(set)
    for key, effect in effects().items():
        group, _, name = key.rpartition(".")
        if effect not in phases:
            found[group].add(name)
    return found
