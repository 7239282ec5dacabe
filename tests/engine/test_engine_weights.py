"""Weights go through memory to the disk, and come back."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np

from qbench.storage.weights import weights_file


def _network() -> keras.Model:
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.PReLU(name="prelu")(x)
    return keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(x)))


def _filled(network: keras.Model) -> list[np.ndarray]:
    draws = np.random.default_rng(0)
    values = [draws.normal(size=weight.shape).astype("f") for weight in network.get_weights()]
    network.set_weights(values)
    return values


def test_the_content_is_what_keras_loads(tmp_path: Path) -> None:
    values = _filled(written := _network())
    path = tmp_path / "model.weights.h5"
    path.write_bytes(weights_file(written))
    read = _network()
    read.load_weights(path)
    for weight, value in zip(read.get_weights(), values, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_the_content_holds_what_save_weights_writes(tmp_path: Path) -> None:
    _filled(network := _network())
    (tmp_path / "a.weights.h5").write_bytes(weights_file(network))
    network.save_weights(tmp_path / "b.weights.h5")
    found: list[dict[str, bytes]] = []
    for name in ("a", "b"):
        members: dict[str, bytes] = {}
        with h5py.File(tmp_path / f"{name}.weights.h5") as file:
            file.visititems(
                lambda path, member, into=members: (
                    into.update({path: member[()].tobytes()})
                    if isinstance(member, h5py.Dataset)
                    else None
                )
            )
        found.append(members)
    assert found[0]
    assert found[0] == found[1]


def test_no_file_is_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights_file(_network())
    assert list(tmp_path.iterdir()) == []
