"""Layers that are not trained."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.patterns import check_each_matches


def freeze_layers(model: Any, patterns: Sequence[str], new: str = "") -> None:
    """Freeze the layers whose names match a pattern, as `layer.trainable = False` does.

    A frozen batch normalization uses its moving statistics in training and does not move them.

    Args:
        model: a functional network.
        patterns: names of layers, in which `*` stands for any text and `?` for one character.
        new: the name of a layer that begins with new weights while others begin with trained ones.
            It is trained although a pattern with `*` or `?` matches it.

    Raises:
        QbenchError: a pattern matches no layer with weights or is the name of the new layer, or no
            layer is left to train.
    """
    layers = [layer for layer in model.layers if layer.weights]
    names = [layer.name for layer in layers]
    for pattern in patterns:
        check_each_matches("model.freeze", [pattern], names, "layer with weights")
        found = [layer for layer in layers if fnmatchcase(layer.name, pattern)]
        if [layer.name for layer in found] == [new]:
            raise QbenchError(
                f"model.freeze={pattern} freezes a layer that begins with new weights; leave it"
                " out, so that the layer is trained."
            )
        for layer in found:
            layer.trainable = layer.trainable and layer.name == new
    if patterns and not model.trainable_variables:
        raise QbenchError(
            f"model.freeze=[{','.join(patterns)}] freezes every layer; leave one to train, such as"
            f" {layers[-1].name}."
        )


def spared(patterns: Sequence[str], new: str) -> list[str]:
    """A line for each pattern that matches the layer that begins with new weights."""
    return [
        f"model.freeze={pattern}: {new} begins with new weights and is trained all the same"
        for pattern in patterns
        if new and fnmatchcase(new, pattern)
    ]
