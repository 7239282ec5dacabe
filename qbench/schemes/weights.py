"""What schemes for weights share: settings without effect, the first and the last kernel."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.placement import names_kernels
from qbench.quantize.scheme import EDGE_BITS, QuantizationScheme, scheme_of
from qbench.quantize.settings import QuantSettings
from qbench.schemes import uniform
from qbench.schemes.scheme import Scheme

OF_KERNELS = frozenset({"weight_range"})
"""The settings of `quant` that choose the grids of uniform kernels, and nothing else."""
_INTEGERS = 16  # the most bits of an activation in an integer file
_OF_OPS = frozenset({"op", "rounding", "signed", "range_given", "tie_inputs"})


@dataclass(frozen=True)
class Weights(Scheme):
    """A quantization of kernels, with or without that of other tensors."""

    @property
    def reads_averages(self) -> bool:
        """Whether any tensor is quantized besides kernels."""
        return bool(self.quantization.activation or self.quantization.edge)

    def in_file(self) -> str | None:
        """No file beside quantized activations; else a float32 file holds the weights."""
        bits, kernel = self.quantization.activation_bits, self.quantization.kernel
        if bits > _INTEGERS:
            return None
        return (
            f"quant.activation_bits={bits}: LiteRT has no kernels that multiply integers by"
            f" {kernel.op} weights; with quant.activation_bits=float a float32 file holds these"
            " weights."
        )


def uses_ops(quant: QuantSettings) -> bool:
    """Whether anything is quantized by an op: activations, or the first and the last kernel."""
    return quant.first_last == "8" or not quant.float_activations


def lacks(quant: QuantSettings, of_kernels: frozenset[str] = OF_KERNELS) -> frozenset[str]:
    """The settings of `quant` without effect beside these settings.

    Args:
        quant: the settings.
        of_kernels: the settings that choose only the grids of uniform kernels.
    """
    found = frozenset() if quant.first_last == "8" else of_kernels
    return found if uses_ops(quant) else found | _OF_OPS


def lacks_bits(quant: QuantSettings) -> frozenset[str]:
    """Like `lacks`, for a scheme whose codes have a fixed number of bits."""
    unused = {"weight_bits"} | ({"bits"} if quant.activation_bits is not None else set())
    return lacks(quant) | unused


def quantization_with(quant: QuantSettings, kernel: KernelQuantizing) -> QuantizationScheme:
    """The quantization that `quant` describes, with another quantizer of kernels.

    With `quant.first_last=8` the first and the last kernel are uniform, as in every scheme.
    """
    found = scheme_of(quant)
    assert found is not None
    edge = kernel if quant.first_last == "same" else found.edge_kernel
    return replace(found, kernel=kernel, edge_kernel=edge)


def refuses(quant: QuantSettings, name: str) -> str | None:
    """The reason why a scheme for weights cannot be used with these settings, or None.

    Args:
        quant: the settings.
        name: the name of the scheme.
    """
    if not names_kernels(quant.placement):
        listed = ",".join(quant.placement)
        return f"quant.placement=[{listed}]: quant/scheme={name} quantizes kernels; add conv."
    if uses_ops(quant):
        return uniform.refuses(_with_uniform_kernels(quant))
    return None


def _with_uniform_kernels(quant: QuantSettings) -> QuantSettings:
    """The same settings without a scheme, for kernels that any op can quantize."""
    given = {one.name: getattr(quant, one.name) for one in fields(QuantSettings)}
    return QuantSettings(**{**given, "weight_bits": EDGE_BITS})
