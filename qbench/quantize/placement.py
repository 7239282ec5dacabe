"""Named rules that say which tensors of a functional Keras model are quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from qbench.base.registry import Registry
from qbench.quantize.traits import is_activation, reads_to_add, reads_to_multiply


def _never(*_: Any) -> bool:
    return False


def _none(_: Any) -> frozenset[str]:
    return frozenset()


def _as_contrib_quantize(graph: Any) -> frozenset[str]:
    from qbench.quantize.contrib import contrib_tensors

    return contrib_tensors(graph)


@dataclass(frozen=True)
class Placement:
    """A rule that says which tensors are quantized.

    Attributes:
        inputs_of: a function (op, number of tensors that it reads) -> whether the inputs of the op
            are quantized.
        outputs_of: a function (op) -> whether the outputs of the op are quantized, for every
            reader.
        shortcuts_of: a function (op, number of tensors that it reads) -> whether the shortcut
            inputs of the op are quantized. These are all inputs with fewer convolutions before them
            than the deepest input.
        kernels: whether the kernels of convolutions and dense layers are quantized.
        gathered: whether every tensor whose range is gathered is quantized, for every reader: the
            image, the output, and every tensor that another placement could quantize.
        tensors_of: a function (`qbench.quantize.tensors.Graph`) -> the names of the tensors that
            are quantized for every reader, for a rule that needs more than one op to decide.
    """

    inputs_of: Callable[[Any, int], bool] = _never
    outputs_of: Callable[[Any], bool] = _never
    shortcuts_of: Callable[[Any, int], bool] = _never
    kernels: bool = False
    gathered: bool = False
    tensors_of: Callable[[Any], frozenset[str]] = _none


PLACEMENTS: Registry[Placement] = Registry("quant.placement", outside=False)
PLACEMENTS.add("conv", Placement(inputs_of=reads_to_multiply, kernels=True))
PLACEMENTS.add("activation", Placement(outputs_of=is_activation))
PLACEMENTS.add("add", Placement(inputs_of=reads_to_add))
PLACEMENTS.add("shortcut", Placement(shortcuts_of=reads_to_add))
PLACEMENTS.add("deploy", Placement(kernels=True, gathered=True))
PLACEMENTS.add("contrib", Placement(kernels=True, tensors_of=_as_contrib_quantize))


def names_kernels(placement: Iterable[str]) -> bool:
    """Whether one of these placements quantizes the kernels of convolutions and dense layers."""
    return any(PLACEMENTS[name].kernels for name in placement)
