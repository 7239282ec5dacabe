"""Keeps networks between the jobs of one process, by the description of their graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qbench.config.experiment import Experiment
from qbench.data import Dataset
from qbench.data.rows import on_disk
from qbench.planning.code import hashes_of
from qbench.planning.identity import graph_settings
from qbench.tasks.task import Task

# Settings that change neither the variables nor the compiled steps of a network.
# The views over a network know whether it reads raw pixels (`deploy.input`).
# Of `quant` only `ema_decay` counts: a network makes its quantized views when they are needed.
_NO_PART = ("eval", "deploy", "threads", "deterministic", "seed")


@dataclass(frozen=True)
class NetworkDescription:
    """All inputs of a network's graph; equal descriptions give the same network.

    Attributes:
        settings: canonical text of all settings that the graph depends on.
        builder: the function of the model; its name may stand for another function later.
        data_hash: the hash of the data, which are constants of the graph.
        image_shape: (height, width, channels) of the data's images.
        task: the task, which defines loss and outputs.
        flip: see `qbench.data.dataset.Source`.
        code: the hashes of code from outside, as canonical text.
        on_disk: whether a step gets its images from disk.
    """

    settings: str
    builder: Callable[..., Any]
    data_hash: str
    image_shape: tuple[int, ...]
    task: Task
    flip: bool
    code: str = "{}"
    on_disk: bool = False

    @staticmethod
    def of(experiment: Experiment, data: Dataset) -> NetworkDescription:
        """The description of the network that an experiment trains on its data."""
        from qbench.models import MODELS  # Keras, which a process that trains nothing goes without

        config = graph_settings(experiment)
        for key in _NO_PART:
            config.pop(key, None)
        config["quant"] = {"ema_decay": experiment.quant.ema_decay}
        return NetworkDescription(
            settings=json.dumps(config, sort_keys=True, default=list),
            builder=MODELS[experiment.model.name],
            data_hash=data.hash,
            image_shape=tuple(data.train_images.shape[1:]),
            task=data.task,
            flip=data.flip,
            code=json.dumps(hashes_of(experiment), sort_keys=True),
            on_disk=on_disk(data.train_images),
        )


class NetworkCache:
    """The networks that were used last."""

    def __init__(self, size: int) -> None:
        """Keeps at most `size` networks; the size can be changed."""
        self.size = size
        self._kept: dict[NetworkDescription, Any] = {}  # in the order of their last use

    def get(self, description: NetworkDescription, build: Callable[[], Any]) -> Any:
        """The network with this description; if it is not kept, make room and build it."""
        network = self._kept.pop(description, None)
        if network is None:
            while len(self._kept) >= self.size:
                del self._kept[next(iter(self._kept))]
            network = build()
        self._kept[description] = network
        return network

    def clear(self) -> None:
        """Remove all networks."""
        self._kept.clear()


NETWORKS = NetworkCache(2)


def network_for(experiment: Experiment, data: Dataset) -> Any:
    """A `Network` for this experiment; the network of an earlier job if its graph is the same."""
    from qbench.training.network import Network

    description = NetworkDescription.of(experiment, data)
    return NETWORKS.get(description, lambda: Network(experiment, data))
