"""Batches of images on disk: read by a thread that passes on errors and does not survive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from training_examples import digits, experiment

from qbench.data import Dataset
from qbench.data.batches import Batches
from qbench.data.rows import subset
from qbench.data.statistics import statistics
from qbench.training import feeding
from qbench.training.feeding import batch_reader, batch_signature, feed
from qbench.training.loop import train_phase
from qbench.training.network import Network


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The digits, with training images that are mapped from a file."""
    data = digits()
    file = tmp_path_factory.mktemp("digits") / "train.npy"
    np.save(file, data.train_images)
    return replace(data, train_images=np.load(file, mmap_mode="r"))


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("batches")}


def test_a_step_gets_the_images_of_its_indices(on_disk: Dataset) -> None:
    expected = Batches(1198, 16, 5)
    with feed(on_disk, Batches(1198, 16, 5), range(70, 80)) as fed:
        found = list(fed)
    assert len(found) == 10
    for number, (images, targets) in zip(range(70, 80), found, strict=True):
        indices = expected.indices(number)
        np.testing.assert_array_equal(images, digits().train_images[indices])
        np.testing.assert_array_equal(targets, digits().train_labels[indices])
        for array, spec in zip((images, targets), batch_signature(on_disk), strict=True):
            assert spec.is_compatible_with(array)
    assert _threads() == set()


def test_weights_come_with_their_images(on_disk: Dataset) -> None:
    weights = np.random.default_rng(0).random(1198).astype(np.float32)
    found = []
    for data in (on_disk, digits()):
        read = batch_reader(data, weights)
        with feed(data, Batches(1198, 16, 5), range(3), weights) as fed:
            for batch in fed:
                for array, spec in zip(batch, batch_signature(data, True), strict=True):
                    assert spec.is_compatible_with(tf.convert_to_tensor(array))
                found.append([np.asarray(array) for array in read(*batch)])
    assert [array.shape for array in found[0]] == [(16, 8, 8, 1), (16,), (16,)]
    for one, other in zip(found[:3], found[3:], strict=True):
        for array, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, same)


def test_statistics_of_images_on_disk(on_disk: Dataset) -> None:
    part = subset(on_disk.train_images, np.arange(1198) % 3 == 0)
    assert statistics(part) == statistics(digits().train_images[::3])


def test_images_in_memory_need_no_thread() -> None:
    with feed(digits(), Batches(1198, 16, 0), range(3)) as fed:
        assert [indices.shape for (indices,) in fed] == [(16,)] * 3
        assert _threads() == set()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The fourth batch cannot be read; lists the batches that were asked for."""
    asked: list[int] = []

    def gathered(images: Any, indices: Any) -> Any:
        asked.append(len(asked))
        if len(asked) == 4:
            raise OSError("the disk is gone")
        return images[indices]

    monkeypatch.setattr(feeding, "gathered", gathered)
    yield asked


def test_an_error_comes_where_the_batch_would(on_disk: Dataset, broken: list[int]) -> None:
    given = 0
    with (
        pytest.raises(OSError, match="the disk is gone"),
        feed(on_disk, Batches(1198, 16, 0), range(100)) as fed,
    ):
        for _ in fed:
            given += 1
            assert _threads()
    assert given == 3
    assert len(broken) <= given + 3  # no more are read than a few ahead
    assert _threads() == set()


def test_no_thread_survives_training_that_ends_with_an_error(
    on_disk: Dataset, broken: list[int]
) -> None:
    chosen = experiment({"train.steps": 6})
    network = Network(chosen, on_disk)
    network.initialise(0)
    losses: list[float] = []
    reported: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        train_phase(
            network,
            chosen,
            on_disk,
            "float",
            (0, 3),
            losses,
            lambda new, loss: reported.append(new),
        )
        train_phase(network, chosen, on_disk, "float", (3, 6), losses, lambda new, loss: None)
    assert reported == [3]
    assert _threads() == set()


def test_a_user_who_stops_waits_for_no_batch(on_disk: Dataset) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        feed(on_disk, Batches(1198, 16, 0), range(10**9)) as fed,
    ):
        next(fed)
        raise KeyboardInterrupt
    assert _threads() == set()
