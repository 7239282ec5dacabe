"""What is known of a kind of layers and operations: the columns of the table of kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# What a kind does to the grid of its input.
PASSES = "passes on"  # every output value is an input value or 0
KEEPS = "keeps"  # new values, which the kernel rounds to the grid of the input
OWN = "own"  # new values with a range of their own
FIXED = "fixed"  # new values on a grid that the kernel prescribes

# What an integer kernel needs of its inputs.
ANY = "any"  # the operator before it may compute straight onto the grid of the output
GRIDS = "grids"  # each one is on a grid of its own
ONE_GRID = "one grid"  # all are on the grid of the output

XNNPACK, BUILTIN, REFERENCE = "xnnpack", "builtin", "reference"
EVERY = (XNNPACK, BUILTIN, REFERENCE)


def always(op: Any, arguments: Mapping[str, Any]) -> bool:
    """The condition of kinds without one."""
    return True


@dataclass(frozen=True)
class Kind:
    """A kind of layer or operation.

    Attributes:
        name: what it is called in docs and messages.
        grid: PASSES, KEEPS, OWN or FIXED.
        layers: the names of its classes in keras.layers; subclasses count too.
        operations: the names of the classes of its operations.
        functions: the names of its functions in keras.activations.
        inputs: ANY, GRIDS or ONE_GRID.
        file: the LiteRT operators that it becomes in an int8 file, if all is on grids; empty if it
            is computed in float there.
        paths: the kernel paths of the runtime that run these operators in int8.
        ends: the smallest and the largest value of the grid that the kernel prescribes.
        kernel: whether it multiplies by a kernel, which is quantized.
        activates: whether it counts as an activation for placements.
        takes_relu: whether a ReLU behind it needs no grid before it: the converter makes the ReLU a
            part of it, or puts the ReLU before it.
        idle: whether it does something only in training, so that a file does not contain it.
        applies: a function (op, keyword arguments of the call) -> whether this one is of this kind.
    """

    name: str
    grid: str
    layers: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    inputs: str = ANY
    file: tuple[str, ...] = ()
    paths: tuple[str, ...] = EVERY
    ends: tuple[float, float] | None = None
    kernel: bool = False
    activates: bool = False
    takes_relu: bool = True
    idle: bool = False
    applies: Callable[[Any, Mapping[str, Any]], bool] = always


def has(**values: Any) -> Callable[[Any, Mapping[str, Any]], bool]:
    """A condition: each attribute of an op has one of these values, or the op lacks it."""

    def applies(op: Any, arguments: Mapping[str, Any]) -> bool:
        missing = object()
        found = ((getattr(op, name, missing), allowed) for name, allowed in values.items())
        return all(value is missing or value in allowed for value, allowed in found)

    return applies


def fills_with_0(op: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether no other number than 0 pads a tensor, or is compared with it."""
    padded = arguments.get("constant_values", getattr(op, "constant_values", None))
    return padded in (None, 0) and getattr(op, "initial", None) in (None, 0)


def leaks(op: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a ReLU has a slope below 0, and neither a maximum nor a threshold."""
    return bool(getattr(op, "negative_slope", 1)) and has(max_value=(None,), threshold=(0,))(
        op, arguments
    )


def divides_along_the_last_axis(op: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a softmax is over the last axis, and no mask leaves values out."""
    return has(axis=(-1,))(op, arguments) and arguments.get("mask") is None


def resizes_plainly(interpolation: str) -> Callable[[Any, Mapping[str, Any]], bool]:
    """A condition: an op resizes whole images by this interpolation alone."""
    return has(
        interpolation=(interpolation,),
        antialias=(False,),
        crop_to_aspect_ratio=(False,),
        pad_to_aspect_ratio=(False,),
    )
