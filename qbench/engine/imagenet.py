"""The content of ImageNet's weights, which Keras downloads and keeps in its own cache.

What a run begins with is in its id. The name `imagenet` is not enough: the file behind it may
change, and Keras checks only some of these files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from qbench.base.errors import QbenchError
from qbench.base.model_names import IMAGENET, WEIGHTS_KEY
from qbench.config.experiment import Experiment
from qbench.config.groups import named
from qbench.config.model import Model
from qbench.engine.asking import Listener, Worker, WorkerDied
from qbench.planning import code
from qbench.planning.plan import network_entry

KEY = f"{WEIGHTS_KEY}={IMAGENET}"
"""The key of the hash in records, beside the keys of code and files."""

Hashes = Callable[[Sequence[Any]], list[str]]
"""Gives the hash of the values that each of these networks begins with; see `network_entry`."""

# What this process has computed, by network.
_FOUND: dict[str, str] = {}


def here(networks: Sequence[Any]) -> list[str]:
    """The hashes, from networks that are built in this process.

    Raises:
        QbenchError: Keras cannot have the weights.
    """
    return [_hash(network) for network in networks]


def of_worker(worker: Callable[[], Worker]) -> Hashes:
    """A function that lets a worker compute the hashes; without networks no worker is needed."""

    def ask(networks: Sequence[Any]) -> list[str]:
        found: list[str] = []
        if not networks:
            return found
        try:
            failure = worker().ask("imagenet", Listener(say=found.append), networks=networks)
        except WorkerDied as error:
            raise QbenchError(f"{KEY}: the worker process that read it ended {error}.") from error
        if failure:
            raise QbenchError(failure.message)
        return found

    return ask


def contents(experiments: Iterable[Experiment], hashes: Hashes) -> list[dict[str, str]]:
    """For each experiment the hash by KEY; empty if it does not begin with ImageNet's weights."""
    every = list(experiments)
    keys = [_key(network_entry(one)) if one.model.weights == IMAGENET else "" for one in every]
    wanted = [key for key in dict.fromkeys(keys) if key]
    found = dict(zip(wanted, hashes([json.loads(key) for key in wanted]), strict=True))
    return [{KEY: found[key]} if key else {} for key in keys]


def hashes_of(experiments: Sequence[Experiment]) -> dict[str, str]:
    """The hashes of everything from outside qbench that runs use, as it is in this process.

    Code and files have the keys of `qbench.planning.code.hashes_of`, ImageNet's weights have KEY.
    """
    found = [code.hashes_of(one) for one in experiments] + contents(experiments, here)
    return {key: value for one in found for key, value in one.items()}


def _key(network: Any) -> str:
    plain, data, _ = network
    return json.dumps([plain, data, []], sort_keys=True, default=list)


def _hash(network: Any) -> str:
    """SHA-256 over the values of all layers except the last, which begins with new weights."""
    key = _key(network)
    if key not in _FOUND:
        from qbench.data import DataChoice, source_of
        from qbench.data.preprocessing import input_shape, side_of
        from qbench.models import build_model

        chosen: Model = named(Model, "model", network[0])
        choice = DataChoice(*network[1])
        source = source_of(choice)
        shape = input_shape(source.shape, side_of(choice))
        task = source.make_task()
        model = build_model(chosen.name, chosen.arguments, shape, task, **chosen.settings)
        digest = hashlib.sha256()
        for layer in model.layers[:-1]:
            for values in layer.get_weights():
                digest.update(f"{layer.name} {values.dtype} {values.shape}\n".encode())
                digest.update(np.ascontiguousarray(values).tobytes())
        _FOUND[key] = digest.hexdigest()
    return _FOUND[key]
