"""The activations that a network of this package can have."""

from __future__ import annotations

from typing import Any

from keras import layers

from qbench.base import checks

# The largest output; relu6 is that of MobileNets and of table 4.3 in Jacob et al. 2018.
LARGEST = {"relu": None, "relu6": 6.0}


def activate(x: Any, activation: str, name: str) -> Any:
    """A layer called `name` that computes max(x, 0), for `relu6` min(max(x, 0), 6).

    Raises:
        QbenchError: an activation of another name.
    """
    checks.one_of("model.activation", activation, LARGEST)
    return layers.ReLU(max_value=LARGEST[activation], name=name)(x)
