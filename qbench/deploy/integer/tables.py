"""Operators that are functions of one value: a table of 256 codes, made when a file is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.deploy.integer.arithmetic import Int8, Multiplier, doubling_high_multiply
from qbench.deploy.integer.node import Node, Step

Floats = NDArray[np.float32]
_CODES = np.arange(-128, 128)
_HALF, _THIRD = np.float32(1 / 128), np.float32(3 / 32768)


def logistic(node: Node) -> Step:
    """LOGISTIC: 1 / (1 + exp(-x))."""
    return _of_floats(node, lambda x: 1 / (1 + np.exp(-x)))


def tanh(node: Node) -> Step:
    """TANH."""
    return _of_floats(node, np.tanh)


def hard_swish(node: Node) -> Step:
    """HARD_SWISH: x relu6(x + 3) / 6, in 16 bits.

    The input is shifted by 7 bits. On the scale 3 / 2**15 it saturates where relu6 ends; one half
    of it plus 2**14 is relu6(x + 3) / 6 in units of 2**-15. The product with the input on the scale
    of the output is truncated, and then rounded by the shift of the output's multiplier.
    """
    tensor, output = node.computed(), node.output
    fine = _HALF * np.float32(tensor.scales[0])
    last, last_shift = _short(float(fine / np.float32(output.scales[0])))
    gate, gate_shift = _short(float(fine / _THIRD))
    x = (_CODES - tensor.zero_points[0]) << 7
    y = gate_of(x, gate, gate_shift)
    product = np.trunc(y * _high(x, last) / 2**15).astype(np.int64)
    return _step(node, _shifted(product, -last_shift) + output.zero_points[0])


def gate_of(x: Any, multiplier: int, shift: int) -> Any:
    """The factor of x in HARD_SWISH, in units of 2**-15, from the shifted codes x."""
    y = _saturated(x << (shift - 1)) if shift > 0 else x
    y = _high(y, multiplier)
    y = _saturated(y << 1) if shift > 0 else _shifted(y, -shift)
    return (y + 2**15) >> 1


def _short(real: float) -> tuple[int, int]:
    """A multiplier of 16 bits and its shift."""
    whole = Multiplier.of([real])
    value = int(whole.value[0])
    short = 32767 if value >= 2**31 - 2**15 else (value + 2**15) >> 16
    return short, int(whole.shift[0])


def _high(a: Any, b: int) -> Any:
    """The nearest integers to a b / 2**15, a tie goes up."""
    wide = doubling_high_multiply(np.asarray(a, np.int32), np.int32(b << 16))  # type: ignore[arg-type]
    return wide.astype(np.int64)


def _saturated(x: Any) -> Any:
    return np.clip(x, -(2**15), 2**15 - 1)


def _shifted(x: Any, exponent: int) -> Any:
    """The nearest integers to x / 2**exponent; a tie goes away from zero."""
    half = (1 << exponent) >> 1
    return (x + half - ((x < 0) & (exponent > 0))) >> exponent


def _of_floats(node: Node, function: Callable[[Floats], Any]) -> Step:
    """A table of a function that the runtime computes in float32."""
    tensor, output = node.computed(), node.output
    x = np.float32(tensor.scales[0]) * (_CODES - tensor.zero_points[0]).astype(np.float32)
    with np.errstate(over="ignore"):
        y = function(x).astype(np.float32) * (np.float32(1) / np.float32(output.scales[0]))
    rounded = [math.copysign(math.floor(abs(value) + 0.5), value) for value in y.tolist()]
    return _step(node, np.array(rounded).astype(np.int64) + output.zero_points[0])


def _step(node: Node, codes: Any) -> Step:
    table = np.clip(codes, -128, 127).astype(np.int8)

    def apply(x: Int8) -> Int8:
        places = x.reshape(-1).astype(np.int64) + 128
        made: Int8 = np.take_along_axis(table, places, axis=0)
        return made.reshape(x.shape)

    return Step(node.computed().shape, apply)
