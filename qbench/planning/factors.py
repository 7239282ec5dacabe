"""The factors of the benchmark as one table.

Everything else (designs, identities, tables, figures) goes over this table and knows no factor by
name. Adding a factor means a row here, a field in `qbench.config.experiment` and the code that
obeys it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from qbench.base.checks import show
from qbench.config.experiment import Experiment
from qbench.quantize.ops import OPS, Op

Effect = Literal["from the first step", "quantized phase", "evaluation"]


@dataclass(frozen=True)
class Factor:
    """One parameter that the benchmark varies.

    Attributes:
        key: dotted configuration key.
        column: its column in tables.
        levels: the paper's levels, the default first.
        effect: from when on it can change a run; sharing of training steps follows from it.
        show: a level as tables print it, from the experiment.
        figure: file name and title of its loss figure, if the paper has one.
    """

    key: str
    column: str
    levels: tuple[Any, ...]
    effect: Effect
    show: Callable[[Experiment], str]
    figure: tuple[str, str] | None = None

    @property
    def setting(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]


def _bits(experiment: Experiment) -> str:
    weights = experiment.quant.bits_of_weights
    activations = experiment.quant.bits_of_activations
    return str(weights) if weights == activations else f"w{weights}/a{activations}"


def _percent(experiment: Experiment) -> str:
    return f"{100 * experiment.quant.delay:g}"


FACTORS: tuple[Factor, ...] = (
    Factor(
        "quant.op",
        "op",
        ("qdq_v2", "fake_quant"),
        "quantized phase",
        lambda e: OPS[e.quant.op].label,
        ("fig3_op", "fake-quantization op"),
    ),
    Factor(
        "quant.rounding",
        "rounding",
        ("half_to_even", "half_up"),
        "quantized phase",
        lambda e: e.quant.rounding,
    ),
    Factor("quant.bits", "bits", (8, 4, 16, 32), "quantized phase", _bits),
    Factor(
        "data.preprocessing",
        "preprocessing",
        ("vgg", "inception"),
        "from the first step",
        lambda e: e.data.preprocessing,
    ),
    Factor(
        "quant.signed",
        "signedness",
        (True, False),
        "quantized phase",
        lambda e: "signed" if e.quant.signed else "unsigned",
    ),
    Factor(
        "quant.placement",
        "placement",
        (("conv", "activation"), ("conv", "activation", "add")),
        "quantized phase",
        lambda e: "+".join(e.quant.placement),
        ("fig5_placement", "placement of fake quantization"),
    ),
    Factor(
        "quant.range_given",
        "range_given",
        (False, True),
        "quantized phase",
        lambda e: "yes" if e.quant.range_given else "no",
        ("fig4_range", "choice of the minimum and maximum"),
    ),
    Factor(
        "quant.delay",
        "delay_pct",
        (0.8, 0.4, 0.5, 0.6, 0.7, 0.9),
        "quantized phase",
        _percent,
        ("fig2_delay", "quantization delay"),
    ),
)


# Settings outside the table that take effect later than the first step.
_LATE_SETTINGS: dict[str, Effect] = {
    "quant.weight_bits": "quantized phase",
    "quant.activation_bits": "quantized phase",
    "quant.weight_range": "quantized phase",
    "quant.granularity": "quantized phase",
    "quant.first_last": "quantized phase",
    "quant.fold_batch_norm": "quantized phase",
    "quant.freeze_batch_norm": "quantized phase",
    "quant.tie_inputs": "quantized phase",
    "train.log_every": "evaluation",
    "eval.batch_size": "evaluation",
    "eval.limit": "evaluation",
}


def effects() -> dict[str, Effect]:
    """When each key takes effect; a key that is not in it does so from the first step."""
    return _LATE_SETTINGS | {factor.key: factor.effect for factor in FACTORS}


def has_setting(experiment: Experiment, key: str) -> bool:
    """Whether the key means anything for this experiment.

    Nothing under `quant` does without quantization; rounding, signedness and the choice of range
    belong to some ops alone.
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
    """A table row's factor columns; an empty text where the factor does not apply."""
    return {
        factor.column: factor.show(experiment)
        if experiment.quant.enabled and has_setting(experiment, factor.key)
        else ""
        for factor in FACTORS
    }


def impossible(experiment: Experiment, explicit: Collection[str]) -> str | None:
    """Why this combination cannot be run, or None.

    Args:
        experiment: the combination.
        explicit: the keys that were set on purpose. What an op does not have is left out of the
            experiment's identity when it was inherited, and is a mistake when it was asked for.
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
    if quant.tie_inputs and op.own_range and not quant.range_given:
        return f"quant.tie_inputs=true: needs moving averages; set {_averaging(op)}."
    refused = op.refuses(quant)
    if refused:
        return refused
    low, high = op.bits_allowed(quant.signed)
    for key, bits in (
        ("quant.weight_bits", quant.bits_of_weights),
        ("quant.activation_bits", quant.bits_of_activations),
    ):
        if not low <= bits <= high:
            name = "quant.bits" if bits == quant.bits else key
            return f"{name}={bits}: {quant.op} takes {low} to {high} bits."
    return None


def _averaging(op: Op) -> str:
    """Settings that put moving averages in the place of what an op measures."""
    given = ["quant.range_given=true"] if "range_given" in op.settings else []
    others = [f"quant.op={name}" for name in OPS.names() if not OPS[name].own_range]
    return " or ".join(given + others)
