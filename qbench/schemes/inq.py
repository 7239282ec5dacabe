"""Incremental network quantization: more and more weights become powers of two, the rest retrains.

Zhou et al. 2017 ("Incremental Network Quantization"), as Chen et al. 2021 use it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks
from qbench.base.allowed import Allowed, one_of
from qbench.quantize.powers import (
    FEWEST_BITS,
    FROZEN,
    MOST_BITS,
    TOP,
    PowersQuantizer,
    to_powers,
    top_exponent,
)
from qbench.quantize.settings import QuantSettings
from qbench.quantize.states import StateVariable
from qbench.schemes import weights
from qbench.schemes.phases import PhaseEnd
from qbench.schemes.scheme import SCHEMES, Scheme, SchemeKind

if TYPE_CHECKING:
    from qbench.schemes.entry import Entry

NAME = "inq"
MAGNITUDE, RANDOM = "magnitude", "random"
PORTIONS = (0.5, 0.75, 0.875, 1.0)
_LARGEST = 1e38  # the largest `max_weight`, whose code float32 holds


@dataclass(frozen=True)
class Incremental(weights.Weights):
    """Weights of a kernel become codes in steps and stay; the other weights retrain.

    Attributes:
        bits: bits of a code.
        portions: the share of a kernel's weights that are codes in each phase.
        partition: MAGNITUDE quantizes the largest weights first, RANDOM any.
        max_weight: the magnitude that sets the exponents; None for that of each kernel.
    """

    bits: int = 5
    portions: tuple[float, ...] = PORTIONS
    partition: str = MAGNITUDE
    max_weight: float | None = None

    def phases(self, start: int, end: int) -> tuple[PhaseEnd, ...]:
        """A phase for each portion; phase k of n ends at start + floor(k (end - start) / n)."""
        count = len(self.portions)
        return tuple(
            PhaseEnd(f"inq_{100 * portion:.12g}", start + number * (end - start) // count)
            for number, portion in enumerate(self.portions, 1)
        )

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        """Its largest exponent, and which of its weights are codes."""
        return (
            StateVariable(TOP, dtype="int32"),
            StateVariable(FROZEN, tuple(kernel.shape), dtype="bool"),
        )

    def enter(self, phase: str, entry: Entry) -> None:
        """Turn the next weights of each kernel into codes."""
        number = self.names.index(phase)
        for kernel in entry.kernels:
            if not isinstance(kernel.quantizer, PowersQuantizer):
                continue  # the first or the last kernel, with uniform codes
            value = kernel.value
            if number == 0:
                largest = float(np.abs(value).max(initial=0.0))
                kernel.state.set(TOP, top_exponent(self.max_weight or largest))
            state = kernel.state.arrays()
            random = _generator(entry.seed, kernel.name, number)
            frozen = self._frozen(state[FROZEN], value, self.portions[number], random)
            codes = to_powers(value, int(state[TOP]), self.bits)
            kernel.set(np.where(frozen & ~state[FROZEN], codes, value))
            kernel.state.set(FROZEN, frozen)

    def _frozen(
        self,
        before: NDArray[np.bool_],
        value: Any,
        portion: float,
        random: np.random.Generator,
    ) -> NDArray[np.bool_]:
        """Which weights are codes once this portion is: those before, and the next ones."""
        order = random.random(value.shape) if self.partition == RANDOM else np.abs(value)
        first = np.argsort(np.where(before, np.inf, order), axis=None, kind="stable")[::-1]
        found = np.zeros(value.size, bool)
        found[first[: round(portion * value.size)]] = True
        return found.reshape(value.shape) | before

    def trains(self, phase: str, state: Mapping[str, Any]) -> Any:
        """The weights that are not codes yet."""
        import tensorflow as tf

        return tf.logical_not(state[FROZEN])


def _generator(seed: int, kernel: str, number: int) -> np.random.Generator:
    """Random numbers that follow from the seed, the kernel's name and the number of the phase."""
    return np.random.default_rng([seed, zlib.crc32(kernel.encode()), number])


def build(quant: QuantSettings, **arguments: Any) -> Scheme:
    """The scheme of these settings; `quant.enabled` is true."""
    bits = quant.bits_of_weights
    quantization = weights.quantization_with(quant, PowersQuantizer(bits))
    return Incremental(quantization, bits=bits, **arguments)


def refuses(quant: QuantSettings, **arguments: Any) -> str | None:
    """The reason why these settings cannot be combined, or None."""
    bits = quant.bits_of_weights
    if not FEWEST_BITS <= bits <= MOST_BITS:
        key = "quant.bits" if quant.weight_bits is None else "quant.weight_bits"
        return f"{key}={bits}: quant/scheme={NAME} takes {FEWEST_BITS} to {MOST_BITS} bits."
    if quant.fold_batch_norm:
        return (
            f"quant.fold_batch_norm=true: quant/scheme={NAME} freezes the weights of kernels, which"
            " folding would multiply in every step; take false."
        )
    return weights.refuses(quant, NAME)


def _lacks(quant: QuantSettings) -> frozenset[str]:
    return weights.lacks(quant, weights.OF_KERNELS | {"granularity"})


def _portions() -> Allowed:
    """Shares that rise and end at 1."""

    def read(key: str, value: Any) -> tuple[float, ...]:
        fits = isinstance(value, list | tuple) and bool(value)
        fits = fits and all(isinstance(one, int | float) and one is not True for one in value)
        rising = fits and all(a < b for a, b in zip((0, *value), value, strict=False))
        if not rising or value[-1] != 1:
            raise checks.wrong(
                key, value, "a list of rising shares above 0 that ends at 1, such as [0.5,0.75,1]"
            )
        return tuple(map(float, value))

    return Allowed(read, lambda: "rising shares that end at 1", "list")


def _above_zero() -> Allowed:
    def read(key: str, value: Any) -> float:
        checks.number(key, value, 0, _LARGEST)
        if value == 0:
            raise checks.wrong(key, value, f"a number above 0, up to {_LARGEST:g}")
        return float(value)

    return Allowed(read, lambda: f"numbers above 0, up to {_LARGEST:g}")


SCHEMES.add(
    NAME,
    SchemeKind(
        build,
        {"portions": PORTIONS, "partition": MAGNITUDE, "max_weight": None},
        checks={
            "portions": _portions(),
            "partition": one_of((MAGNITUDE, RANDOM)),
            "max_weight": _above_zero().or_null,
        },
        lacks=_lacks,
        refuses=refuses,
    ),
)
