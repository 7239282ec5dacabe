"""The group `quant` of an experiment."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.quantize.settings import QuantSettings


@dataclass(frozen=True, kw_only=True)
class Quant(QuantSettings, prefix="quant"):
    """`quant`: simulated quantization."""
