"""The training that TensorFlow 1's contrib.quantize made of a graph (version 1.13.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.kernels import KernelQuantizer
from qbench.quantize.last_value import HIGH, LOW, VARIABLES, LastValueQuantizer
from qbench.quantize.scheme import scheme_of
from qbench.quantize.settings import QuantSettings
from qbench.quantize.states import StateVariable
from qbench.schemes import uniform
from qbench.schemes.scheme import SCHEMES, Scheme, SchemeKind

if TYPE_CHECKING:
    from qbench.schemes.entry import Entry

NAME = "contrib"


@dataclass(frozen=True)
class Contrib(uniform.Uniform):
    """Uniform quantization as contrib.quantize trained it.

    It differs from `uniform` in three ways. Evaluation quantizes a kernel over the range that the
    last training step stored. No gradient passes through the batch statistics of a folded layer.
    With a delay of d steps, the quantized steps begin with step d, counted from 1.
    """

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        """The stored range."""
        return VARIABLES

    def enter(self, phase: str, entry: Entry) -> None:
        """Store the ranges of the kernels as they are."""
        for kernel in entry.kernels:
            value = kernel.read
            kernel.state.set(LOW, min(float(value.min()), 0.0))
            kernel.state.set(HIGH, max(float(value.max()), 0.0))


def build(quant: QuantSettings) -> Scheme:
    """The scheme of these settings; `quant.enabled` is true."""
    quantization = scheme_of(quant)
    assert quantization is not None
    edge = quantization.edge_kernel
    return Contrib(
        replace(
            quantization,
            kernel=_stored(quantization.kernel),
            edge_kernel=edge and _stored(edge),
            constant_statistics=True,
        )
    )


def _stored(kernel: KernelQuantizing) -> LastValueQuantizer:
    assert isinstance(kernel, KernelQuantizer)
    return LastValueQuantizer(kernel.quantizer, narrow=kernel.narrow)


def refuses(quant: QuantSettings) -> str | None:
    """The reason why these settings cannot be combined, or None."""
    for key, value in (("op", "fake_quant"), ("weight_range", "narrow"), ("granularity", "tensor")):
        given = getattr(quant, key)
        if given != value:
            return (
                f"quant.{key}={given}: quant/scheme=contrib takes {value}, as TensorFlow 1's"
                " contrib.quantize; quant=contrib sets it."
            )
    return uniform.refuses(quant)


SCHEMES.add(NAME, SchemeKind(build, refuses=refuses, early_steps=1))
