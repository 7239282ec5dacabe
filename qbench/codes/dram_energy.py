"""Bits of weights and the energy to read them from DRAM (Khaliq and Hafiz, equations 11 and 12)."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.base import checks

FULL_BITS = 32
WORD_BITS = 32
PICOJOULES = 640.0
"""Energy of 32 bits from DRAM in pJ, at 45 nm (Horowitz 2014)."""

PAPER_PICOJOULES = 6400.0
"""The paper's number, ten times the published one; a share that is saved is the same with both."""


@dataclass(frozen=True)
class Stored:
    """Weights of a layer as they are read.

    Attributes:
        weights: number of weights.
        bits: bits of a weight.
        scales: number of scales, of 32 bits each; 0 for weights that are not coded.
    """

    weights: int
    bits: int
    scales: int = 0

    def __post_init__(self) -> None:
        """Check that the numbers are possible."""
        checks.whole("weights", self.weights, 1)
        checks.whole("bits", self.bits, 1)
        checks.whole("scales", self.scales, 0)

    @property
    def total_bits(self) -> int:
        """Bits of weights and scales."""
        return self.weights * self.bits + self.scales * FULL_BITS


def picojoules(bits: float, of_a_word: float = PICOJOULES) -> float:
    """Energy in pJ to read bits from DRAM, with this energy for 32 of them."""
    return bits / WORD_BITS * of_a_word


def saved(layers: tuple[Stored, ...]) -> float:
    """The share of energy that layers save against 32 bits for each of their weights.

    It may be negative: one scale for each weight costs more than the weight.
    """
    full = sum(layer.weights for layer in layers) * FULL_BITS
    return 1 - sum(layer.total_bits for layer in layers) / full


def with_shared_scales(height: int, width: int, channels: int, filters: int, bits: int) -> Stored:
    """A convolution as in equation 12: all filters share the scale of a place and channel."""
    places = height * width * channels
    return Stored(places * filters, bits, places)
