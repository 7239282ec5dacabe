"""A tiny network on the digits, trained for a few steps."""

from __future__ import annotations

from typing import Any

from qbench.base import device
from qbench.config.experiment import Experiment
from qbench.data import load
from qbench.data.dataset import Dataset
from qbench.engine.networks import NetworkDescription
from qbench.training.loop import train
from qbench.training.network import Network

CONFIG: dict[str, Any] = {
    "data": {"name": "digits", "augment": False},
    "model": {"name": "resnet_v1", "blocks": 1, "width": 4, "batch_norm_momentum": 0.9},
    "quant": {"delay": 0.5, "placement": ["conv", "activation"]},
    "train": {
        "steps": 10,
        "batch_size": 16,
        "learning_rate": 0.05,
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "cosine"},
        "weight_decay": 0.0005,
        "log_every": 1,
    },
    "eval": {"batch_size": 100},
    "threads": 2,
    "seed": 0,
}
_KEPT: dict[NetworkDescription, Network] = {}


def experiment(values: dict[str, Any] | None = None) -> Experiment:
    """The tiny experiment with some values changed."""
    return Experiment.from_config(CONFIG).with_values(values or {})


def digits() -> Dataset:
    device.start(2)
    return load("digits", None)


def fresh(chosen: Experiment) -> Network:
    """A new network, initialised with the experiment's seed."""
    network = Network(chosen, digits())
    network.initialise(chosen.seed)
    return network


def ready(chosen: Experiment) -> Network:
    """A network, initialised with the experiment's seed, that earlier tests may have trained.

    Its compiled steps are kept. Tests of what an earlier training leaves behind use `fresh`.
    """
    description = NetworkDescription.of(chosen, digits())
    if description not in _KEPT:
        _KEPT[description] = Network(chosen, digits())
    _KEPT[description].initialise(chosen.seed)
    return _KEPT[description]


def trained(network: Network, chosen: Experiment) -> list[dict[str, Any]]:
    """Trains an initialised network; returns the history."""
    return train(network, chosen, digits(), lambda new, loss: None)
