"""Files from strangers: refused in a sentence, in a moment, and nothing in them is executed."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from untrusted_files import Edit, edited, entries_of, refusal, written
from weights_files import SHAPE, from_file, saved

from qbench.base.errors import QbenchError
from qbench.base.outside import given_file
from qbench.models.saved import read


class _Bomb:
    """Unpickling makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def test_the_good_file_is_accepted(good: Path, old: Path) -> None:
    assert from_file(good).output.shape == from_file(old).output.shape == (None, 10)


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_a_pickle_is_not_loaded(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    (tmp_path / name).write_bytes(pickle.dumps(_Bomb(marker)))
    assert "neither a .keras archive nor an HDF5 file" in refusal(tmp_path / name)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_a_lambda_is_not_called(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Lambda(eval(f"lambda x: x if __import__('os').mkdir({str(marker)!r}) else x")),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    marker.rmdir()  # Keras called the function to build the model
    said = refusal(saved(tmp_path, name, model))
    assert "its network holds code (" in said
    assert "Lambda" in said
    assert not marker.exists()


_SYSTEM = {"module": "os", "class_name": "system", "registered_name": None}


def _with_layer(config: Any, layer: Any) -> None:
    config["config"]["layers"][1] |= layer


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda config: _with_layer(config, {**_SYSTEM, "config": {"command": "mkdir MARKER"}}),
            "its network names os.system, which is no layer of Keras",
        ),
        (
            lambda config: {**_SYSTEM, "config": "mkdir MARKER"},
            "it holds a system, not a functional or sequential model",
        ),
        (
            lambda config: config["config"]["layers"][1]["config"].update(
                kernel_initializer={
                    "class_name": "function",
                    "module": "os",
                    "config": "system",
                    "registered_name": "system",
                }
            ),
            "its network holds code (os.function)",
        ),
        (
            lambda config: _with_layer(config, {"registered_name": "mine>Conv2D"}),
            "its network names keras.layers.Conv2D, which is no layer of Keras",
        ),
        (
            lambda config: _with_layer(
                config, {"module": "keras.src.utils.file_utils", "class_name": "get_file"}
            ),
            "names keras.src.utils.file_utils.get_file, which is no layer",
        ),
        (
            lambda config: _with_layer(config, {"class_name": "Mine", "module": None}),
            "its network names Mine, which is no layer",
        ),
        (
            lambda config: _with_layer(config, {"class_name": ["Conv2D"]}),
            "which is no layer of Keras",
        ),
        (
            lambda config: _with_layer(config, {"class_name": "StringLookup"}),
            "a layer (StringLookup) that is not for images",
        ),
        (
            lambda config: _with_layer(config, {"class_name": "RandAugment"}),
            "a layer (RandAugment) that qbench does not read from a file",
        ),
        (
            lambda config: _with_layer(config, {"class_name": "SpectralNormalization"}),
            "a layer (SpectralNormalization) that qbench does not read from a file",
        ),
        (lambda config: config["config"].update(layers=7), "Keras cannot build its network"),
        (lambda config: {"a": 1}, "it holds a None, not a functional or sequential model"),
        (lambda config: [config], "describes no network"),
    ],
)
def test_a_description_names_nothing_but_layers(
    tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch, edit: Edit, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refusal(edited(good, tmp_path / "a.keras", edit))
    assert not (tmp_path / "MARKER").exists()


def test_how_a_network_was_trained_is_not_read(tmp_path: Path, good: Path) -> None:
    """The optimizer and the loss of others may be anything; nobody asks for them."""
    call = {**_SYSTEM, "config": {"command": f"mkdir {tmp_path / 'MARKER'}"}}
    path = edited(good, tmp_path / "a.keras", lambda config: config | {"compile_config": call})
    assert from_file(path).output.shape == (None, 10)
    assert not (tmp_path / "MARKER").exists()


def test_a_description_without_end_is_refused(tmp_path: Path, good: Path) -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    path = written(tmp_path / "a.keras", entries_of(good) | {"config.json": deep})
    assert "nested too deeply" in refusal(path)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("../evil.py", "the archive holds '../evil.py', which no network of layers needs"),
        ("/evil.py", "the archive holds '/evil.py'"),
        ("assets/words.txt", "the archive holds 'assets/words.txt'"),
    ],
)
def test_an_archive_holds_what_keras_writes(
    tmp_path: Path, good: Path, extra: str, says: str
) -> None:
    path = written(tmp_path / "inner.keras", entries_of(good) | {extra: b"evil"})
    assert says in refusal(path)
    assert [one.name for one in tmp_path.iterdir()] == ["inner.keras"]


def test_an_archive_has_each_file_once(tmp_path: Path, good: Path) -> None:
    path = written(tmp_path / "a.keras", entries_of(good))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    assert "holds config.json twice" in refusal(path)
    path = written(tmp_path / "b.keras", {"config.json": b"{}"})
    assert "the archive has no model.weights.h5" in refusal(path)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, good: Path) -> None:
    bomb = entries_of(good) | {"model.weights.h5": bytes(1 << 28)}
    path = written(tmp_path / "a.keras", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    assert "declares 268," in refusal(path)
    # Each entry says how long it is; one that is longer is damaged.
    content = bytearray(path.read_bytes())
    for size in (b"\0\0\0\x10",):
        while size in content:
            at = content.index(size)
            content[at : at + 4] = b"\0\0\x10\0"
    path.write_bytes(content)
    assert "the archive is damaged" in refusal(path)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_half_a_file_is_refused(
    tmp_path: Path, good: Path, old: Path, kind: str, part: float
) -> None:
    content = (good if kind == "keras" else old).read_bytes()
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content[: int(part * len(content))])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_flipped_bytes_end_in_a_sentence(tmp_path: Path, good: Path, old: Path, kind: str) -> None:
    """Whatever they hit, the answer is a network or a sentence."""
    content = (good if kind == "keras" else old).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / f"a.{kind}"
    for _ in range(40):
        flipped = bytearray(content)
        for place in random.integers(0, len(content), 20):
            flipped[place] ^= int(random.integers(1, 256))
        path.write_bytes(flipped)
        try:
            read(given_file("model.file", str(path)))
        except QbenchError as error:
            assert "\n" not in str(error)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.keras").write_bytes(b"")
    assert "neither" in refusal(tmp_path / "empty.keras")
    assert "no such file" in refusal(tmp_path / "missing.keras")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.zeros(3)
    assert "holds no weights as Keras writes them" in refusal(tmp_path / "data.h5")
    with h5py.File(tmp_path / "older.h5", "w") as file:
        file["_layer_checkpoint_dependencies/dense/vars/0"] = np.zeros((2, 2))
    assert "as Keras 2 (TensorFlow 2.12 and 2.13) writes" in refusal(tmp_path / "older.h5")
    weights = saved(tmp_path, "a.weights.h5")
    assert "the file has weights alone, no network" in refusal(weights)
    nothing = io.BytesIO()
    with zipfile.ZipFile(nothing, "w"):
        pass
    (tmp_path / "nothing.keras").write_bytes(nothing.getvalue())
    assert "the archive has no config.json" in refusal(tmp_path / "nothing.keras")
