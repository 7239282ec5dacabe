"""Uniform quantization: grids of equal steps over ranges that are measured, in one phase."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.quantize.interface import KernelQuantizing, TensorQuantizing
from qbench.quantize.ops import OPS, Op
from qbench.quantize.placement import names_kernels
from qbench.quantize.quantizer import OWN
from qbench.quantize.scheme import QuantizationScheme, scheme_of
from qbench.quantize.settings import FLOAT, QuantSettings
from qbench.schemes.scheme import SCHEMES, Scheme, SchemeKind

NAME = "uniform"


@dataclass(frozen=True)
class Uniform(Scheme):
    """The quantization that `quant` describes, from the first quantized step on."""

    @property
    def reads_averages(self) -> bool:
        """Whether the op does not measure ranges itself."""
        return self.quantization.kernel.source != OWN


def build(quant: QuantSettings) -> Scheme:
    """The scheme of these settings; `quant.enabled` is true."""
    quantization = scheme_of(quant)
    assert quantization is not None
    return Uniform(quantization)


def refuses(quant: QuantSettings) -> str | None:
    """The reason why these settings cannot be combined, or None."""
    if quant.float_activations and not names_kernels(quant.placement):
        listed = ",".join(quant.placement)
        return (
            f"quant.activation_bits={FLOAT}: quant.placement=[{listed}] names no kernels, so"
            " nothing would be quantized; add conv."
        )
    op = OPS[quant.op]
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
    return impossible_bits(quant, build(quant).quantization)


def impossible_bits(quant: QuantSettings, quantization: QuantizationScheme) -> str | None:
    """The reason why a quantizer does not support its number of bits, or None.

    The allowed numbers of bits depend on the sign of the codes, which the quantization decides.
    """
    edge = "quant.first_last"
    every: list[tuple[str, KernelQuantizing | TensorQuantizing | None]] = [
        ("quant.weight_bits", quantization.kernel),
        ("quant.activation_bits", quantization.activation),
        (edge, quantization.edge_kernel),
        (edge, quantization.edge),
    ]
    for key, one in every:
        if one is None:
            continue
        low, high = one.bits_allowed
        if not low <= one.bits <= high:
            name = "quant.bits" if key != edge and one.bits == quant.bits else key
            return f"{name}={one.bits}: {one.op} takes {low} to {high} bits."
    return None


def _averaging(op: Op) -> str:
    """The settings that give moving averages in place of ranges that the op measures."""
    given = ["quant.range_given=true"] if "range_given" in op.settings else []
    others = [f"quant.op={name}" for name in OPS.names() if not OPS[name].own_range]
    return " or ".join(given + others)


def _lacks(quant: QuantSettings) -> frozenset[str]:
    """If only kernels are quantized, there are no ranges of other tensors to tie."""
    return frozenset({"tie_inputs"} if quant.float_activations else ())


SCHEMES.add(NAME, SchemeKind(build, lacks=_lacks, refuses=refuses))
