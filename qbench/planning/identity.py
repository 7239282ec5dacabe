"""What a result depends on, as plain data: of a whole run, and of each of its phases."""

from __future__ import annotations

import json
from typing import Any

from qbench.config.experiment import Experiment
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES
from qbench.planning.factors import effects, has_setting
from qbench.planning.segments import Phase
from qbench.quantize.ops import OPS

# Settings that came after the first records. A value that does what was done before them is left
# out, so that a record keeps its id when qbench learns something new.
_NEUTRAL: dict[str, dict[str, Any]] = {
    "data": {"resolution": None},
    "model": {"activation": "relu"},  # so means every builder whose activation is not given
    "quant": {
        "weight_range": "op",
        "granularity": "tensor",
        "first_last": "same",
        "fold_batch_norm": False,
        "freeze_batch_norm": False,
        "tie_inputs": False,
    },
}

# What computes the same in another way since the first records, and gives other last bits: the
# statistics of folded layers, and symmetric kernels with a range for each channel.
_STATISTICS = "statistics in one pass"
_UNITS = "in units"
# XLA did not compile evaluation at first; it always compiled training, whose states stay the same.
_EVALUATED = "steps and evaluation"

# Keys that never influence a result.
_IDLE = {"data": ("dir", "note"), "train": ("checkpoint_every",)}


def identity(experiment: Experiment) -> dict[str, Any]:
    """All of the experiment that its result depends on, given the data; plain and canonical.

    Left out is where the data lie, remarks on them, how often checkpoints are written, and every
    setting that means nothing here.
    """
    config = _settings(experiment)
    if experiment.train.compiles:
        config["train"]["jit"] = _EVALUATED
    quant = config["quant"]
    if not experiment.quant.enabled:
        del config["quant"]
        return config
    if OPS[experiment.quant.op].own_range and not experiment.quant.range_given:
        del quant["ema_decay"]
    quant["start"] = experiment.quantization_start
    return config


def phases(experiment: Experiment, common: Any) -> tuple[Phase, ...]:
    """The float and the quantized steps of a run, and what influences them.

    Args:
        experiment: the run.
        common: what all steps depend on beside the experiment: the data's hash, the machine.
    """
    config = _settings(experiment)
    start, end = experiment.quantization_start, experiment.train.steps
    floats = json.dumps([common, _until(config, ("from the first step",))], sort_keys=True)
    result = [Phase("float", floats, start)]
    if start < end:
        kept = _until(config, ("from the first step", "quantized phase"))
        result.append(Phase("quantized", json.dumps([common, kept], sort_keys=True), end))
    return tuple(result)


def _settings(experiment: Experiment) -> dict[str, Any]:
    """The settings that mean something, with bit widths, optimizer and schedule spelled out.

    `quant` always holds `ema_decay`: float steps gather ranges, in a float run too.
    """
    config = experiment.as_config()
    for group, keys in _IDLE.items():
        for key in keys:
            del config[group][key]
    for group, neutral in _NEUTRAL.items():
        config[group] = {
            key: value
            for key, value in config[group].items()
            if key not in neutral or neutral[key] != value
        }
    del config["train"]["jit"]
    if experiment.train.compiles:  # changes last bits, whoever chose it
        config["train"]["jit"] = True
    for key, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        choice = getattr(experiment.train, key)
        arguments = table[choice.name].arguments(choice.arguments)
        config["train"][key] = {"name": choice.name, **arguments}
    quant = config["quant"]
    if not experiment.quant.enabled:
        config["quant"] = {"ema_decay": quant["ema_decay"]}
        return config
    quant["weight_bits"] = experiment.quant.bits_of_weights
    quant["activation_bits"] = experiment.quant.bits_of_activations
    for key in ("bits", "enabled", "delay"):
        del quant[key]
    config["quant"] = {
        name: value for name, value in quant.items() if has_setting(experiment, f"quant.{name}")
    }
    if quant.get("fold_batch_norm") and not quant.get("freeze_batch_norm"):
        config["quant"]["fold_batch_norm"] = _STATISTICS
    if (quant.get("granularity"), quant.get("weight_range")) == ("channel", "symmetric_narrow"):
        config["quant"]["granularity"] = f"channel, {_UNITS}"
    return config


def _until(config: dict[str, Any], phases: tuple[str, ...]) -> dict[str, Any]:
    """The settings that have taken effect in one of these phases."""
    when = effects()
    return {
        group: {
            name: value
            for name, value in values.items()
            if when.get(f"{group}.{name}", "from the first step") in phases
        }
        if isinstance(values, dict)
        else values
        for group, values in config.items()
    }
