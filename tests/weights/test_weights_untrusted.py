"""Files from strangers: refused in a sentence, in a moment, and nothing in them is executed."""

from __future__ import annotations

import io
import json
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from weights_files import SHAPE, from_file, saved

from qbench.base.errors import QbenchError
from qbench.base.outside import given_file
from qbench.models.saved import read
from qbench.models.saved.bounds import check_computed

Edit = Callable[[dict[str, Any]], Any]


class _Bomb:
    """Unpickling makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("good"), "good.keras")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("good"), "good.h5")


def _entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _written(path: Path, entries: dict[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def _edited(good: Path, path: Path, edit: Edit) -> Path:
    """A copy of an archive with another description of its network."""
    entries = _entries(good)
    config = json.loads(entries["config.json"])
    config = edit(config) or config
    return _written(path, entries | {"config.json": json.dumps(config).encode()})


def _refusal(path: Path) -> str:
    begun = time.monotonic()
    with pytest.raises(QbenchError) as error:
        from_file(path)
    assert time.monotonic() - begun < 60  # a bomb would take far longer, or all memory
    said = str(error.value)
    assert "\n" not in said
    assert said.count(f"model.file={path}") == 1
    return said


def test_the_good_file_is_accepted(good: Path, old: Path) -> None:
    assert from_file(good).output.shape == from_file(old).output.shape == (None, 10)


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_a_pickle_is_not_loaded(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    (tmp_path / name).write_bytes(pickle.dumps(_Bomb(marker)))
    assert "neither a .keras archive nor an HDF5 file" in _refusal(tmp_path / name)
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
    said = _refusal(saved(tmp_path, name, model))
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
    assert says in _refusal(_edited(good, tmp_path / "a.keras", edit))
    assert not (tmp_path / "MARKER").exists()


def _changed(at: int, **arguments: Any) -> Edit:
    """An edit of the arguments of a layer."""
    return lambda config: config["config"]["layers"][at]["config"].update(arguments)


def _built_on(config: Any) -> None:
    config["config"]["layers"][1]["build_config"]["input_shape"] = [None, 8, 8, 10**6]


def _reads_numbers(config: Any) -> None:
    config["config"]["layers"][3]["inbound_nodes"] = [{"args": [[1.0, 2.0]], "kwargs": {}}]


# Numbers that do no harm where nothing refuses them, so that these tests can fail.
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (_changed(1, kernel_size=[2000, 2000]), "(stem) with an array of 16,000,000 values; all"),
        (_changed(1, filters=10**6), "(stem) with an array of 9,000,000 values; all the weights"),
        (_changed(4, kernel_size=[8, 8], depth_multiplier=10**5), "(depth) with an array of"),
        (_changed(-1, units=10**6), "(logits) with an array of 4,000,000 values; all the weights"),
        (_built_on, "(stem) with an array of 36,000,000 values; all the weights in the file are 1"),
        (_changed(0, batch_shape=[None, 10**5, 10**5, 1]), "0,000 values of one image up to"),
        (_changed(3, unroll=True), "a layer (ReLU) with unroll=True, which is not for images"),
        (_reads_numbers, "a layer (ReLU) that reads no tensor of another"),
    ],
)
def test_a_network_is_not_larger_than_its_file(
    tmp_path: Path, good: Path, edit: Edit, says: str
) -> None:
    assert says in _refusal(_edited(good, tmp_path / "a.keras", edit))


def test_many_layers_that_are_large_together(tmp_path: Path, good: Path) -> None:
    """Each of them has fewer values than are allowed beside the file's."""

    def edit(config: Any) -> None:
        for layer in config["config"]["layers"]:
            layer.pop("build_config", None)
        _changed(1, filters=3000)(config)

    assert "values; all the weights in the file are 142" in _refusal(
        _edited(good, tmp_path / "a.keras", edit)
    )


def test_the_older_format_has_the_bound_too(tmp_path: Path, old: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(old.read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        _changed(1, kernel_size=[2000, 2000])(config)
        file.attrs["model_config"] = json.dumps(config)
    assert "(stem) with an array of 16,000,000 values" in _refusal(path)


def test_layers_without_weights_cannot_grow_an_image_without_end(tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    x = layers.Dense(10)(layers.Flatten()(layers.MaxPooling2D(8)(layers.UpSampling2D(8)(image))))
    path = saved(tmp_path, "b.keras", keras.Model(image, x))

    def edit(config: Any) -> None:
        for at in (1, 2):
            given = config["config"]["layers"][at]["config"]
            given |= {k: [3000, 3000] for k in ("size", "pool_size", "strides") if k in given}

    assert from_file(path).output.shape == (None, 10)
    said = _refusal(_edited(path, tmp_path / "a.keras", edit))
    assert "its network computes 576,000,064 values of one image up to up_sampling2d" in said


def _repeated(x: Any, times: int) -> Any:
    return keras.ops.mean(keras.ops.repeat(x, times, axis=0), axis=0)


def _broadcast(x: Any, times: int) -> Any:
    mean = keras.ops.mean(x, axis=0)
    return keras.ops.mean(keras.ops.broadcast_to(mean, (times, *mean.shape)), axis=0)


def _patches(x: Any, side: int) -> Any:
    return keras.ops.image.extract_patches(x, side)


@pytest.mark.parametrize(
    ("operation", "few", "many", "says"),
    [
        (_repeated, 2, 10**7, "values of one image up to repeat"),
        (_broadcast, 2, 10**7, "values of one image up to broadcast_to"),
        (_patches, 8, 160, "values of one image up to extract_patches"),
    ],
)
def test_operations_on_a_batch_are_bounded_too(
    operation: Callable[[Any, int], Any], few: int, many: int, says: str
) -> None:
    """Where a batch is made larger, and where Keras makes a table that is no output."""

    def bounded(side: int, number: int) -> None:
        image = keras.Input((side, side, 1))
        check_computed(keras.Model(image, operation(image, number)), (side, side, 1))

    bounded(max(few, 8), few)
    with pytest.raises(QbenchError, match=says):
        bounded(max(8, min(many, 160)), many)


def test_a_size_that_only_computing_shows_is_refused() -> None:
    image = keras.Input(SHAPE)
    counts = keras.ops.bincount(keras.ops.cast(layers.Flatten()(image), "int32"), minlength=10)
    with pytest.raises(QbenchError, match=r"layer \(bincount\w*\) whose output has a size that is"):
        check_computed(keras.Model(image, counts), SHAPE)


def test_a_network_has_some_thousand_layers_at_most(tmp_path: Path, good: Path) -> None:
    def edit(config: Any) -> None:
        inner = config["config"]["layers"]
        inner += [inner[3]] * 5000

    assert "its network has 5,0" in _refusal(_edited(good, tmp_path / "a.keras", edit))


def test_keras_is_as_before_after_a_refusal(tmp_path: Path, good: Path) -> None:
    original = keras.Layer.add_weight
    _refusal(_edited(good, tmp_path / "a.keras", _changed(1, filters=10**6)))
    assert keras.Layer.add_weight is original


def test_how_a_network_was_trained_is_not_read(tmp_path: Path, good: Path) -> None:
    """The optimizer and the loss of others may be anything; nobody asks for them."""
    call = {**_SYSTEM, "config": {"command": f"mkdir {tmp_path / 'MARKER'}"}}
    path = _edited(good, tmp_path / "a.keras", lambda config: config | {"compile_config": call})
    assert from_file(path).output.shape == (None, 10)
    assert not (tmp_path / "MARKER").exists()


def test_a_description_without_end_is_refused(tmp_path: Path, good: Path) -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    path = _written(tmp_path / "a.keras", _entries(good) | {"config.json": deep})
    assert "nested too deeply" in _refusal(path)


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
    path = _written(tmp_path / "inner.keras", _entries(good) | {extra: b"evil"})
    assert says in _refusal(path)
    assert [one.name for one in tmp_path.iterdir()] == ["inner.keras"]


def test_an_archive_has_each_file_once(tmp_path: Path, good: Path) -> None:
    path = _written(tmp_path / "a.keras", _entries(good))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    assert "holds config.json twice" in _refusal(path)
    path = _written(tmp_path / "b.keras", {"config.json": b"{}"})
    assert "the archive has no model.weights.h5" in _refusal(path)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, good: Path) -> None:
    bomb = _entries(good) | {"model.weights.h5": bytes(1 << 28)}
    path = _written(tmp_path / "a.keras", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    assert "declares 268," in _refusal(path)
    # Each entry says how long it is; one that is longer is damaged.
    content = bytearray(path.read_bytes())
    for size in (b"\0\0\0\x10",):
        while size in content:
            at = content.index(size)
            content[at : at + 4] = b"\0\0\x10\0"
    path.write_bytes(content)
    assert "the archive is damaged" in _refusal(path)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_half_a_file_is_refused(
    tmp_path: Path, good: Path, old: Path, kind: str, part: float
) -> None:
    content = (good if kind == "keras" else old).read_bytes()
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content[: int(part * len(content))])
    assert "damaged" in _refusal(path)


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


def _hdf5(path: Path, fill: Callable[[Any], None]) -> Path:
    with h5py.File(path, "w") as file:
        fill(file.create_group("layers/conv2d/vars"))
    return path


def _outside(path: Path) -> Callable[[Any], None]:
    return lambda group: group.create_dataset(
        "0", (4,), "f4", external=[(str(path), 0, h5py.h5f.UNLIMITED)]
    )


def test_hdf5_leads_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(100))
    path = _hdf5(tmp_path / "a.h5", _outside(secret))
    assert "layers/conv2d/vars/0 are in another file" in _refusal(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)

    def link(group: Any) -> None:
        group["0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")

    said = "has a link at layers/conv2d/vars/0, which leads elsewhere"
    assert said in _refusal(_hdf5(tmp_path / "b.h5", link))

    def loop(group: Any) -> None:
        group["again"] = group

    assert "has /layers/conv2d/vars/again in two places" in _refusal(_hdf5(tmp_path / "c.h5", loop))


def test_hdf5_that_would_be_read_without_end_is_refused(tmp_path: Path) -> None:
    """Groups that double at each level, and an array that is named thousands of times."""

    def doubled(group: Any) -> None:
        for _ in range(25):
            below = group.create_group("a")
            group["b"] = below
            group = below

    assert "in two places, as Keras writes none" in _refusal(_hdf5(tmp_path / "a.h5", doubled))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.attrs["layer_names"] = ["l"]
        file["l/k"] = np.zeros(3, np.float32)
        file["l"].attrs["weight_names"] = ["k"] * 100
    assert "names weights of l twice" in _refusal(tmp_path / "b.h5")


def test_hdf5_declares_no_more_than_it_may_hold(tmp_path: Path) -> None:
    def huge(group: Any) -> None:
        group.create_dataset("0", (1 << 40,), "f4", chunks=(1 << 20,), compression="gzip")

    assert "declares 4,398,046,511,104 bytes" in _refusal(_hdf5(tmp_path / "a.h5", huge))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.array([1.0, np.nan], np.float32), "the weights of conv2d are not finite"),
        (np.array([b"text"]), "holds no numbers"),
    ],
)
def test_weights_are_numbers(tmp_path: Path, value: Any, says: str) -> None:
    def fill(group: Any) -> None:
        group.attrs["name"] = "conv2d"
        group["0"] = value

    assert says in _refusal(_hdf5(tmp_path / "a.h5", fill))


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.keras").write_bytes(b"")
    assert "neither" in _refusal(tmp_path / "empty.keras")
    assert "no such file" in _refusal(tmp_path / "missing.keras")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.zeros(3)
    assert "holds no weights as Keras writes them" in _refusal(tmp_path / "data.h5")
    with h5py.File(tmp_path / "older.h5", "w") as file:
        file["_layer_checkpoint_dependencies/dense/vars/0"] = np.zeros((2, 2))
    assert "as Keras 2 (TensorFlow 2.12 and 2.13) writes" in _refusal(tmp_path / "older.h5")
    weights = saved(tmp_path, "a.weights.h5")
    assert "the file has weights alone, no network" in _refusal(weights)
    nothing = io.BytesIO()
    with zipfile.ZipFile(nothing, "w"):
        pass
    (tmp_path / "nothing.keras").write_bytes(nothing.getvalue())
    assert "the archive has no config.json" in _refusal(tmp_path / "nothing.keras")
