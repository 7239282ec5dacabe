"""The file kind of a configuration, and how closely the file follows the simulation."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.base.errors import NotConvertible
from qbench.config.quant import Quant
from qbench.deploy.grids import FILE_BITS
from qbench.quantize.interface import LEARNED
from qbench.quantize.quantizer import MOVING
from qbench.quantize.scheme import QuantizationScheme
from qbench.storage import layout


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: `int8`, `16x8` or `float`.
        export: how closely the file follows the simulation, as tables print it.
        note: the differences from the simulation, except tensors that are float in the simulation.
    """

    name: str
    export: str
    note: str

    @property
    def file(self) -> str:
        """The file's name in the run's folder."""
        return layout.converted(self.name)


POST_TRAINING = FileKind("int8", "post-training", "ranges calibrated on training images")


def check_file(quant: Quant) -> None:
    """Check that files can hold the scheme of a configuration.

    Raises:
        NotConvertible: no file can.
    """
    scheme = quant.chosen_scheme
    reason = scheme.in_file() if scheme else None
    if reason:
        raise NotConvertible(reason)


def kind_of(quant: Quant) -> FileKind:
    """The file kind for a configuration.

    LiteRT has kernels for 8-bit weights with 8-bit or 16-bit activations, and for float32. Other
    numbers of bits use the next grid that LiteRT supports.
    """
    scheme = quant.quantization
    if scheme is None:
        return FileKind("float", "float", "")
    weights, activations = scheme.weight_bits, scheme.activation_bits
    if scheme.activation is None:
        return FileKind("float", "float", _weights_only(scheme))
    if activations > 16:
        return FileKind("float", "float", f"no kernels for {activations} bits; float32")
    if activations > 8:
        note = f"weights of {weights} bits on 8; ranges calibrated on training images"
        return FileKind("16x8", "approximate", note)
    if _is_exact(scheme):
        return FileKind("int8", "exact", "")
    notes = []
    if min(weights, activations) < 8:
        notes.append(f"values of {_bits(weights, activations)} bits in an int8 file")
    if activations < 8:
        notes.append("not cut at the trained range, since the file has codes beyond it")
    if weights > 8:
        notes.append(f"weights of {weights} bits on 8")
    return FileKind("int8", "approximate", "; ".join(notes))


def _weights_only(scheme: QuantizationScheme) -> str:
    """What a file holds of a network whose kernels alone are quantized."""
    kernel = scheme.kernel
    return (
        f"float32 kernels and values of the simulation; LiteRT computes nothing with {kernel.op}"
        f" weights of {kernel.bits} bits and float activations"
    )


def _is_exact(scheme: QuantizationScheme) -> bool:
    """Whether the simulation used the grids of the file for every tensor."""
    kernels = (scheme.kernel, scheme.edge_kernel)
    tensors = (scheme.activation, scheme.edge)
    return (
        scheme.placement == ("deploy",)
        and scheme.fold
        and all(one is not None and one.symmetric for one in kernels)
        and all(one is not None and one.source in (MOVING, LEARNED) for one in tensors)
        and all(one.has_grid and one.bits == FILE_BITS for one in scheme.quantizers)
    )


def _bits(weights: int, activations: int) -> str:
    return str(weights) if weights == activations else f"{weights} (weights) and {activations}"
