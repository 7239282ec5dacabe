"""The values of a network that are neither kernels nor biases: most of them stay float."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from qbench.base.authored import own_name
from qbench.quantize.analysis import analyse
from qbench.quantize.folding import foldable
from qbench.quantize.insertion_plan import InsertionPlan, QuantizedSlopes
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.traits import has_slopes, is_convolution, kernels


@dataclass(frozen=True)
class KeptFloat:
    """A variable that stays float32 in every configuration, or the slopes of a ReLU.

    Attributes:
        layer: the name of its layer.
        kind: the layer's class.
        name: the name of the variable, after the names of the parts of the layer that hold it.
        shape: the shape of the variable.
    """

    layer: str
    kind: str
    name: str
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """The number of its values."""
        return math.prod(self.shape)

    @property
    def is_kernel(self) -> bool:
        """Whether it has two axes or more, as a kernel has."""
        return sum(size > 1 for size in self.shape) > 1

    def __str__(self) -> str:
        return f"{self.layer} {self.name} {self.shape}"


def kept_float(model: Any) -> list[KeptFloat]:
    """The float variables except kernels, biases and folded variables, slopes among them.

    Args:
        model: functional Keras model.
    """
    folded = {norm.name for norm in foldable(model).values()}
    found: dict[int, KeptFloat] = {}
    for layer in model.layers:
        if layer.name in folded:
            continue
        for weight in layer.weights if not is_convolution(layer) else beside_kernels(layer):
            if "float" in str(weight.dtype):
                name = weight.path.partition(f"{own_name(layer)}/")[2] or weight.name
                one = KeptFloat(layer.name, type(layer).__name__, name, tuple(weight.shape))
                found.setdefault(id(weight), one)
    return list(found.values())


def slopes_on_grids(plan: InsertionPlan) -> set[str]:
    """The layers whose trained slopes a plan quantizes."""
    return {call.op.name for call in plan.calls if isinstance(call.stand_in, QuantizedSlopes)}


def slope_values(model: Any, scheme: QuantizationScheme | None) -> int:
    """The number of trained slopes of ReLUs that a scheme quantizes; `model` is functional."""
    if not any(has_slopes(op) for op in model.operations):
        return 0
    on_grids = slopes_on_grids(analyse(model, scheme))
    return sum(kept.values for kept in kept_float(model) if kept.layer in on_grids)


def beside_kernels(layer: Any) -> list[Any]:
    """The variables of a convolution or dense layer that are neither kernel nor bias."""
    known = {id(weight) for weight in (*kernels(layer), getattr(layer, "bias", None))}
    return [weight for weight in layer.weights if id(weight) not in known]


def warnings(model: Any) -> list[str]:
    """One sentence for each layer with kernels that stay float; `model` is functional."""
    kernels: dict[str, list[KeptFloat]] = {}
    for kept in kept_float(model):
        if kept.is_kernel and kept.kind != "PReLU":  # slopes, not a kernel
            kernels.setdefault(kept.layer, []).append(kept)
    return [_warning(layer, held) for layer, held in kernels.items()]


def _warning(layer: str, held: list[KeptFloat]) -> str:
    named = ", ".join(f"{kept.name} {kept.shape}" for kept in held)
    return (
        f"{layer} ({held[0].kind}): {named} stays float in every row; qbench quantizes the kernels"
        " of Keras' convolution and dense layers."
    )
