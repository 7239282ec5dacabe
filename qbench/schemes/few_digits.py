"""Weights of few non-zero digits (Khaliq and Hafiz, section V.B), after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qbench.codes.signed_digits import BITS, FixedPoint, fixed_point, truncated
from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.settings import QuantSettings
from qbench.quantize.states import StateVariable
from qbench.schemes import weights
from qbench.schemes.qsq import lacks
from qbench.schemes.scheme import SCHEMES, Scheme, SchemeKind

if TYPE_CHECKING:
    from qbench.schemes.entry import Entry

NAME = "few_digits"
FRACTION = "fraction"


@dataclass(frozen=True)
class HeldKernel(KernelQuantizing):
    """Passes kernels on, which the scheme has set to their last values."""

    bits: int
    op: str = NAME
    source: str = "fixed point"
    symmetric: bool = False

    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        """The value itself."""
        import tensorflow as tf

        return tf.identity(value, name=name)


@dataclass(frozen=True)
class FewDigits(weights.Weights):
    """Kernels in fixed point, of which the highest non-zero signed digits are kept.

    Attributes:
        digits: the most digits of a weight.
    """

    digits: int = 2

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        """The bits below the point."""
        return (StateVariable(FRACTION, dtype="int32"),)

    def enter(self, phase: str, entry: Entry) -> None:
        """Set the kernels to numbers of few digits."""
        for kernel in entry.kernels:
            if not isinstance(kernel.quantizer, HeldKernel):
                continue  # the first or the last kernel, with uniform codes
            found = fixed_point(kernel.value, kernel.quantizer.bits)
            few = FixedPoint(truncated(found.integers, self.digits), found.fraction)
            kernel.set(few.values)
            kernel.state.set(FRACTION, few.fraction)

    def holds(self, phase: str, layer: Any) -> bool:
        """Nothing is trained any more."""
        return True

    def in_file(self) -> str | None:
        """No LiteRT kernel multiplies by digits."""
        return (
            f"quant.scheme.name={NAME}: LiteRT has no kernels that multiply by few digits;"
            " docs/quality-scalable.md says what such a multiplier saves."
        )


def build(quant: QuantSettings, digits: int, bits: int) -> Scheme:
    """The scheme of these settings; `quant.enabled` is true."""
    return FewDigits(weights.quantization_with(quant, HeldKernel(bits)), digits)


def refuses(quant: QuantSettings, **arguments: Any) -> str | None:
    """The reason why these settings cannot be combined, or None."""
    if quant.fold_batch_norm:
        return f"quant.fold_batch_norm=true: {NAME} reads the kernels themselves; set it to false."
    if quant.delay < 1:
        return f"quant.delay={quant.delay:g}: {NAME} trains no quantized step; set quant.delay=1."
    return weights.refuses(quant, NAME)


SCHEMES.add(
    NAME,
    SchemeKind(
        build,
        {"digits": 2, "bits": BITS},
        {"digits": (1, 32), "bits": (2, 24)},
        lacks=lacks,
        weight_bits=lambda bits, **others: bits,
        refuses=refuses,
    ),
)
