"""Finds the layers that the converter means when it refuses a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from qbench.base.errors import NotConvertible
from qbench.base.names import first_names
from qbench.base.reasons import reason
from qbench.deploy.on_grid import OnGrid
from qbench.quantize.kinds import kind_of

_GRID = re.compile(r"!quant\.uniform<i8:f32, ([0-9.eE+-]+)(?::(-?\d+))?>")
_OPERATOR = re.compile(r"\bop: '([A-Z0-9_]+)'")
_CLOSE = 1e-5  # relative difference of two scales; the converter stores them as float32


def refusal(error: Exception, model: Any) -> NotConvertible:
    """What to say about an exception of the converter, with the layers if they can be found.

    Arguments as for `layers_meant`.
    """
    why = reason(error)
    names = layers_meant(why, model)
    where = f"{first_names(names)}: " if names else ""
    return NotConvertible(f"{where}the converter refuses this model: {why}")


def layers_meant(sentence: str, model: Any) -> list[str]:
    """The layers of a network that a sentence of the converter is about.

    The converter forgets names. It says the scale and the zero point of tensors, or the operator.

    Args:
        sentence: the reason of the refusal; the whole message has the program with all grids too.
        model: the network that was to be converted, with the grids of tensors as layers.

    Returns:
        The layers' names in the order of the network; empty if the sentence has nothing to find
        them by.
    """
    return list(dict.fromkeys([*_by_grids(sentence, model), *_by_operator(sentence, model)]))


def _by_grids(sentence: str, model: Any) -> Iterator[str]:
    grids = [(float(scale), int(zero or 0)) for scale, zero in _GRID.findall(sentence)]
    for layer in model.layers:
        if isinstance(layer, OnGrid) and any(
            np.isclose(layer.grid.scale, scale, rtol=_CLOSE, atol=0)
            and layer.grid.zero_point == zero
            for scale, zero in grids
        ):
            yield layer.name.partition(".grid")[0]


def _by_operator(sentence: str, model: Any) -> Iterator[str]:
    operators = set(_OPERATOR.findall(sentence))
    for layer in model.layers:
        kind = kind_of(getattr(layer, "operation", layer))
        if kind is not None and operators & set(kind.file):
            yield layer.name
