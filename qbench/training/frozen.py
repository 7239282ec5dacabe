"""Keeps the values of weights that a step must not change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class Frozen:
    """The weights of one step that are not trained, or only in part.

    The gradient of a frozen value is 0. Momentum would still move it, so the update is undone.
    """

    def __init__(self, masks: Sequence[tuple[Any, Any]]) -> None:
        """`masks` are pairs of a weight and a bool tensor, true for the values that are trained."""
        # One explicit read of each weight, before the update.
        self._held = [(kernel, mask, tf.identity(kernel.value)) for kernel, mask in masks]

    def masked(self, gradients: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
        """The gradients of the variables, with zeros for frozen values."""
        masks = {id(kernel): mask for kernel, mask, _ in self._held}
        return [
            tf.where(masks[id(variable)], gradient, tf.zeros_like(gradient))
            if id(variable) in masks
            else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]

    def keep(self) -> None:
        """Undo the update of the frozen values."""
        for kernel, mask, before in self._held:
            kernel.assign(tf.where(mask, kernel.value, before))
