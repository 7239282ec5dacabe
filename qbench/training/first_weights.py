"""The values of a network's variables when its training begins: trained ones, or new ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.model_names import IMAGENET
from qbench.config.model import Model
from qbench.models.start import Start, start_of
from qbench.training.kept import kept


class FirstWeights:
    """The first values of the variables of one network."""

    def __init__(
        self, chosen: Model, model: Any, build: Callable[[], Any], seed: int | None = None
    ) -> None:
        """Nothing is read yet.

        Args:
            chosen: the settings of the model.
            model: the network.
            build: builds the network once more.
            seed: the seed of the weights that the network has now, if its builder is known to build
                the same network each time; it is not built once more for this seed.
        """
        self._chosen = chosen
        self._model = model
        self._build = build
        self._drawn: dict[int, list[NDArray[Any]]] = {}  # of the last seed
        if seed is not None and not chosen.begins_trained:
            self._drawn[seed] = _values(model)

    @cached_property
    def start(self) -> Start | None:
        """The trained weights that training begins with; None if it begins with new ones."""
        return start_of(self._model, **self._chosen.start)

    def start_facts(self) -> dict[str, Any] | None:
        """What a record says about the trained weights that training began with, if it did."""
        weights = self._chosen.weights
        if weights == IMAGENET:
            return {"weights": weights, "new": [self._model.layers[-1].name]}
        return {"weights": self.start.file.shown, **self.start.as_record()} if self.start else None

    def of_seed(self, seed: int) -> list[NDArray[Any]]:
        """The first value of each variable that lasts, in their order.

        Args:
            seed: the seed of new weights.

        Raises:
            QbenchError: the function of the model builds a different network each time, or the file
                of the trained weights cannot be used.
        """
        if seed not in self._drawn:
            self._drawn = {seed: self._of_new_network(seed)}
        return self._drawn[seed]

    def _of_new_network(self, seed: int) -> list[NDArray[Any]]:
        """The values of all kept variables of a new network with this seed."""
        keras.utils.set_random_seed(seed)
        fresh = self._build()
        shapes, others = ([v.shape for v in kept(m)] for m in (self._model, fresh))
        if shapes != others:
            raise QbenchError(
                f"model={self._chosen.name}: its builder makes another network each time"
                " it is called; let its layers follow from its arguments alone."
            )
        if self.start:
            self.start.load_into(fresh)
        return _values(fresh)


def _values(model: Any) -> list[NDArray[Any]]:
    return [variable.numpy() for variable in kept(model)]
