"""Theoretical model size."""

from __future__ import annotations

from typing import Any

from qbench.quantize.traits import is_convolution, kernels

FLOAT_BITS = 32


def folded_values(model: Any) -> int:
    """Number of values after batch normalization is folded into the convolutions.

    The values are the kernels of all convolutions and dense layers, and one bias for each of their
    output channels. For ResNet-50 v1 with 10 classes the number is 23,501,962.
    """
    total = 0
    for layer in model.layers:
        if is_convolution(layer):
            total += sum(int(kernel.shape.num_elements()) for kernel in kernels(layer))
            total += int(layer.output.shape[-1])
    return total


def float_values(model: Any) -> int:
    """Number of values that stay float32 in every configuration; see `kept_float`."""
    from qbench.quantize.kept_float import kept_float  # imports Keras

    return sum(kept.values for kept in kept_float(model))


def megabytes(values: int, bits: int, floats: int = 0, more: int = 0) -> float:
    """Size in MB of 10^6 bytes.

    Args:
        values: number of values of `bits` bits.
        bits: bits of a value.
        floats: number of float32 values.
        more: further bits.
    """
    return (values * bits + floats * FLOAT_BITS + more) / 8 / 1e6
