"""Which runs of one process share a network, and how many networks are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_examples import digits, experiment

from qbench.data import split
from qbench.engine.networks import NetworkCache, NetworkDescription, network_for
from qbench.tasks.classification import Classification

SAME: dict[str, Any] = {
    "seed": 3,
    "threads": 4,
    "deterministic": True,
    "eval.limit": 7,
    "eval.batch_size": 3,
    "train.log_every": 5,
    "train.checkpoint_every": 2,
    "data.dir": "elsewhere",
    "data.note": "a note",
    "quant.bits": 4,
    "quant.delay": 0.1,
    "quant.enabled": False,
}
OTHER: dict[str, Any] = {
    "model.width": 8,
    "data.preprocessing": "inception",
    "data.augment": True,
    "data.resolution": 12,
    "data.slim_image_size": 12,
    "data.validation": 0.1,
    "train.learning_rate": 0.1,
    "train.steps": 20,
    "train.weight_decay": 0.1,
    "train.jit": "on",
    "train.optimizer.momentum": 0.5,
    "quant.ema_decay": 0.5,
}


@pytest.mark.parametrize("key", [*SAME, *OTHER])
def test_what_a_network_is_made_from(key: str) -> None:
    data = digits()
    plain = NetworkDescription.of(experiment(), data)
    changed = NetworkDescription.of(experiment({key: (SAME | OTHER)[key]}), data)
    assert (changed == plain) == (key in SAME)
    assert len({changed, plain}) == 2 - (key in SAME)


@pytest.mark.parametrize(
    "change",
    [{"hash": "other"}, {"task": Classification(11)}, {"flip": True}],
    ids=lambda change: next(iter(change)),
)
def test_other_data_make_another_network(change: dict[str, Any]) -> None:
    data = digits()
    plain = NetworkDescription.of(experiment(), data)
    assert NetworkDescription.of(experiment(), replace(data, **change)) != plain


def test_images_on_disk_make_another_network(tmp_path: Path) -> None:
    """Its steps get images, not indices."""
    data = digits()
    np.save(tmp_path / "images.npy", data.train_images)
    mapped = replace(data, train_images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    found = {NetworkDescription.of(experiment(), one) for one in (data, mapped)}
    assert len(found) == 2


@pytest.mark.parametrize("values", [{"data.validation": 0.2}, {"data.validation_seed": 1}], ids=str)
def test_another_validation_part_makes_another_network(values: dict[str, Any]) -> None:
    """Training images are constants of a network's graph."""
    base = {"data.validation": 0.1}
    one, two = (experiment(base | more) for more in ({}, values))
    found = {NetworkDescription.of(each, split(digits(), each.data)) for each in (one, two)}
    assert len(found) == 2


def test_the_networks_used_last_are_kept() -> None:
    a, b, c = (NetworkDescription(name, len, "", (), 10, False) for name in "abc")
    cache, built = NetworkCache(2), []

    def get(description: NetworkDescription) -> Any:
        return cache.get(description, lambda: built.append(description.settings) or object())

    first = get(a)
    assert get(b) is not first
    assert get(a) is first
    get(c)  # in the place of b
    assert get(a) is first
    get(b)
    assert built == ["a", "b", "c", "b"]
    cache.clear()
    assert get(a) is not first


def test_runs_of_other_seeds_and_bits_get_the_same_network() -> None:
    data = digits()
    network = network_for(experiment(), data)
    assert network_for(experiment({"seed": 1, "quant.bits": 4}), data) is network
    assert network_for(experiment({"model.width": 8}), data) is not network
