"""Keeps the values of weights that a step must not change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from qbench.base.keras_private import slots_of


class Frozen:
    """The weights of one step that are not trained, or only in part.

    The gradient of a frozen value is 0. Momentum would still move it, so the update is undone, in
    the kernel and in the variables that the optimizer keeps for it.
    """

    def __init__(self, masks: Sequence[tuple[Any, Any]], optimizer: Any) -> None:
        """Read what the step must keep.

        Args:
            masks: pairs of a weight and a bool tensor, true for the values that are trained.
            optimizer: the optimizer of the weights, built.
        """
        self._masks = {id(kernel): mask for kernel, mask in masks}
        kept = [(v, mask) for kernel, mask in masks for v in (kernel, *slots_of(optimizer, kernel))]
        # One explicit read of each variable, before the update.
        self._held = [(variable, mask, tf.identity(variable.value)) for variable, mask in kept]

    def masked(self, gradients: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
        """The gradients of the variables, with zeros for frozen values."""
        masks = self._masks
        return [
            tf.where(masks[id(variable)], gradient, tf.zeros_like(gradient))
            if id(variable) in masks
            else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]

    def keep(self) -> None:
        """Undo the update of the frozen values."""
        for variable, mask, before in self._held:
            variable.assign(tf.where(mask, variable.value, before))
