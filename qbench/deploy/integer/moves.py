"""Operators that only move codes: transposition, slices, nearest resizing, the largest value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qbench.deploy.integer.arithmetic import Int8
from qbench.deploy.integer.node import Node, Step


def transpose(node: Node) -> Step:
    """TRANSPOSE: the batch stays first."""
    tensor = node.computed()
    node.same_grid(tensor)
    order = tuple(int(axis) for axis in node.constant(1, "int32", "int64").ravel())
    if sorted(order) != list(range(len(tensor.shape))) or order[0]:
        raise node.error(f"orders the axes of {tensor.shape} as {order}; the batch stays first")
    shape = tuple(tensor.shape[axis] for axis in order)
    return Step(shape, lambda x: np.transpose(x, order))


def strided_slice(node: Node) -> Step:
    """STRIDED_SLICE with constant ends and steps above 0; the whole batch is read."""
    tensor = node.computed()
    node.same_grid(tensor)
    begin, end, steps = (node.constant(k, "int32").ravel() for k in (1, 2, 3))
    masks = {name: node.option(f"{name}Mask") for name in ("Begin", "End", "ShrinkAxis")}
    others = node.option("EllipsisMask") or node.option("NewAxisMask")
    rank = len(tensor.shape)
    if others or not len(begin) == len(end) == len(steps) == rank or (steps < 1).any():
        raise node.error(f"reads {begin.tolist()} to {end.tolist()} by {steps.tolist()}")
    parts: list[slice | int] = []
    for k in range(rank):
        first = None if masks["Begin"] >> k & 1 else int(begin[k])
        last = None if masks["End"] >> k & 1 else int(end[k])
        whole = slice(first, last, int(steps[k]))
        parts.append(int(begin[k]) if masks["ShrinkAxis"] >> k & 1 else whole)
    kept = parts[0]
    if not isinstance(kept, slice) or kept.indices(1) != (0, 1, 1):
        raise node.error("reads a part of the batch")
    parts[0] = slice(None)
    try:
        shape = np.empty(tensor.shape, np.int8)[tuple(parts)].shape
    except IndexError:
        raise node.error(f"reads outside of {tensor.shape}") from None
    return Step(shape, lambda x: x[tuple(parts)])


def reduce_max(node: Node) -> Step:
    """REDUCE_MAX over any axes except the batch: the largest code."""
    tensor = node.computed()
    node.same_grid(tensor)
    rank = len(tensor.shape)
    given = [int(axis) for axis in node.constant(1, "int32").ravel()]
    axes = tuple(sorted({axis % rank for axis in given if -rank <= axis < rank}))
    if not axes or axes[0] == 0 or len(axes) != len(given):
        raise node.error(f"takes the largest value over the axes {given} of {tensor.shape}")
    keep = bool(node.option("KeepDims"))
    shape = tuple(
        1 if k in axes else size for k, size in enumerate(tensor.shape) if keep or k not in axes
    )

    def apply(x: Int8) -> Int8:
        made: Int8 = np.max(x, axis=axes, keepdims=keep)
        return made

    return Step(shape, apply)


def nearest(node: Node) -> Step:
    """RESIZE_NEAREST_NEIGHBOR: each new pixel is the code of an old one."""
    tensor = node.images()
    node.same_grid(tensor)
    size = node.constant(1, "int32").ravel()
    if size.shape != (2,) or (size < 1).any() or node.option("AlignCorners"):
        raise node.error(f"resizes to {size.tolist()}, corners aligned or not")
    half = bool(node.option("HalfPixelCenters"))
    rows, columns = (
        _sources(int(new), old, half) for new, old in zip(size, tensor.shape[1:3], strict=True)
    )
    shape = (1, int(size[0]), int(size[1]), tensor.shape[3])
    return Step(shape, lambda x: x[:, rows][:, :, columns])


def _sources(new: int, old: int, half: bool) -> NDArray[np.int64]:
    """The old pixel that each new pixel takes, computed in float32 as the runtime does."""
    places = np.arange(new, dtype=np.float32) + np.float32(0.5 if half else 0)
    sources = np.floor(places * (np.float32(old) / np.float32(new))).astype(np.int64)
    limited: NDArray[np.int64] = np.minimum(sources, old - 1)
    return limited
