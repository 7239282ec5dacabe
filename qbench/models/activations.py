"""The activations that a network of this package can have."""

from __future__ import annotations

from typing import Any

from keras import layers

from qbench.base import checks

# The largest output; MobileNets and table 4.3 of Jacob et al. 2018 use relu6.
LARGEST = {"relu": None, "relu6": 6.0}


def activate(x: Any, activation: str, name: str) -> Any:
    """Apply a ReLU layer with this name: max(x, 0), or min(max(x, 0), 6) for `relu6`.

    Raises:
        QbenchError: the activation is neither `relu` nor `relu6`.
    """
    checks.one_of("model.activation", activation, LARGEST)
    return layers.ReLU(max_value=LARGEST[activation], name=name)(x)
