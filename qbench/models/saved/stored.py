"""What a file of a trained network holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""The arrays of one layer by name, in their order: `vars/0`, or names such as `kernel`."""


@dataclass(frozen=True)
class Stored:
    """The content of a file of a trained network.

    Attributes:
        layers: the arrays of every layer that has some, by the layer's name. The states of random
            generators and of the optimizer are left out.
        named: whether the keys of `layers` are names of layers. Without names they are Keras'
            places, such as `layers/conv2d_1`.
        legacy: whether the arrays have names, as in files of Keras 2; else they have numbers.
        config: the description of the network as plain data; None in a file of weights alone.
        inside: by the name of a model inside the model, the arrays of its layers, by their paths
            such as `base/block/conv`.
        joined: the layers of a file of Keras 2 with layers inside, whose arrays it does not keep
            apart.
    """

    layers: Mapping[str, Arrays]
    named: bool
    legacy: bool
    config: Mapping[str, Any] | None
    inside: Mapping[str, Mapping[str, Arrays]] = field(default_factory=dict)
    joined: frozenset[str] = frozenset()

    @property
    def values(self) -> int:
        """The number of values in all arrays."""
        return sum(array.size for arrays in self.layers.values() for array in arrays.values())
