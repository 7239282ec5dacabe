"""Trained weights and saved networks with models inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import nested_networks as nested
import numpy as np
import pytest
from keras import layers
from weights_files import SHAPE, equal, from_file, saved, stirred

from qbench.base.errors import QbenchError
from qbench.base.outside import given_file
from qbench.models import MODELS, build_model
from qbench.models.saved import read
from qbench.models.start import Start, compare, start_of
from qbench.storage.weights import weights_file
from qbench.tasks.classification import Classification

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of `several` with the same weights: an archive, weights alone, and weights of a run."""
    folder = tmp_path_factory.mktemp("nested")
    keras.utils.clear_session()
    model = stirred(nested.several(SHAPE, 10))
    saved(folder, "a.keras", model)
    saved(folder, "a.weights.h5", model)
    np.save(folder / "outputs.npy", model(IMAGES))
    flat = _flat(nested.several)
    _start(flat, folder / "a.keras").load_into(flat)
    (folder / "run.weights.h5").write_bytes(weights_file(flat))
    return folder


def _flat(builder: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS._items, "mine", builder)
        return build_model("mine", {}, SHAPE, Classification(10))


def _start(model: Any, path: Path, head: str = "keep", strict: bool = True) -> Start:
    file = given_file("model.weights", str(path))
    return compare(model, file, read(file), head, strict)


@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5", "run.weights.h5"])
def test_the_weights_of_a_model_with_models_inside_are_its_own(folder: Path, name: str) -> None:
    flat = _flat(nested.several)
    start = _start(flat, folder / name)
    assert sorted(start.matched) == sorted(nested.NAMES)
    assert not (start.missing or start.unused or start.other)
    start.load_into(flat)
    assert np.array_equal(flat(IMAGES), np.load(folder / "outputs.npy"))


def test_an_h5_file_with_models_inside_says_what_to_do(tmp_path: Path) -> None:
    """The file has all arrays of a model inside in one list, in an order of its own."""

    def mine(shape: Any, classes: int) -> Any:
        image = keras.Input(shape)
        x = layers.Conv2D(2, 3, name="first")(nested.base("a", 1)(image))
        return keras.Model(image, layers.Dense(classes, name="d")(layers.Flatten()(x)))

    path = saved(tmp_path, "a.h5", stirred(mine(SHAPE, 10)))
    alone = saved(tmp_path, "alone.h5", stirred(nested.in_sequence(SHAPE, 10).layers[0]))
    flat, said = _flat(mine), "An .h5 file does not keep apart the layers inside a: load it"
    with pytest.raises(QbenchError) as error:
        _start(flat, path)
    assert str(error.value).endswith(f" {said} with Keras and save it as .keras.")
    assert _start(flat, path, strict=False).matched == ("first", "d")
    assert _start(flat, alone, strict=False).matched == ("a.conv", "a.bn")
    path = saved(tmp_path, "a.keras", keras.saving.load_model(path))
    assert _start(flat, path).matched == ("a.conv", "a.bn", "first", "d")


def test_a_saved_network_may_have_models_inside(folder: Path) -> None:
    path = folder / "a.keras"
    model = from_file(path)
    start = start_of(model, ("model.file", str(path)), "keep", True)
    assert start
    start.load_into(model)
    assert np.array_equal(model(IMAGES), np.load(folder / "outputs.npy"))
    (folder / "again.weights.h5").write_bytes(weights_file(model))
    author = keras.saving.load_model(path)
    author.load_weights(folder / "again.weights.h5")
    assert np.array_equal(author(IMAGES), model(IMAGES))


@pytest.mark.parametrize("inside", [False, True], ids=["head outside", "head in a model"])
def test_a_saved_network_with_models_inside_gets_a_new_head(tmp_path: Path, inside: bool) -> None:
    base, head = nested.base("base", 1), [layers.Flatten(), layers.Dense(10, name="d")]
    head.append(layers.Softmax(name="end"))
    parts = [base, keras.Sequential(head, name="top")] if inside else [base, *head]
    model = keras.Sequential([keras.Input(SHAPE), *parts])
    path = saved(tmp_path, "a.keras", stirred(model))
    made = from_file(path, 7, head="new")
    start = start_of(made, ("model.file", str(path)), "new", True)
    assert start
    assert (start.matched, start.new) == (
        *(("base.conv", "base.bn"), ("top.d" if inside else "d",)),
    )
    start.load_into(made)
    assert made.output.shape == (None, 7)
    assert equal(made.get_layer("base.bn").get_weights(), base.get_layer("bn").get_weights())


def test_a_softmax_in_a_model_inside_is_left_out(tmp_path: Path) -> None:
    inner = keras.Sequential([layers.Flatten(), layers.Dense(10), layers.Softmax()], name="top")
    path = saved(tmp_path, "a.keras", stirred(keras.Sequential([keras.Input(SHAPE), inner])))
    model = from_file(path)
    start = start_of(model, ("model.file", str(path)), "keep", True)
    assert start
    start.load_into(model)
    np.testing.assert_allclose(keras.ops.softmax(model(IMAGES)), inner(IMAGES), rtol=1e-5)
    (tmp_path / "run.weights.h5").write_bytes(weights_file(model))
    keras.saving.load_model(path).load_weights(tmp_path / "run.weights.h5")


def test_a_base_alone_gives_its_weights_to_the_base_inside(tmp_path: Path) -> None:
    base = stirred(nested.base("trained", 1))
    path = saved(tmp_path, "a.keras", base)
    flat = _flat(nested.in_sequence)
    start = _start(flat, path, strict=False)
    assert start.matched == ("base.conv", "base.bn")
    start.load_into(flat)
    assert equal(flat.get_layer("base.conv").get_weights(), base.get_layer("conv").get_weights())


def test_two_bases_of_one_kind_do_not_share_the_weights_of_one(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.weights.h5", nested.base("base"))
    with pytest.raises(QbenchError, match="no layer has the name and the shape"):
        _start(_flat(_two), path)


def _two(shape: Any, classes: int, names: tuple[str, str] = ("a", "b")) -> Any:
    image = keras.Input(shape)
    bases = [nested.base(name, shape[-1])(image) for name in names]
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(layers.add(bases))))


def test_bases_of_one_kind_under_other_names_are_told_apart_by_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.weights.h5", _two(SHAPE, 10, ("x", "y")))
    with pytest.raises(QbenchError) as error:
        _start(_flat(_two), path, strict=False)
    assert str(error.value).endswith(
        "2 of its layers have the name bn (x/bn, y/bn), and the network has 2 bn; give each"
        " layer in the file's models a name of its own."
    )


def test_layers_that_the_network_does_not_need_are_loaded_too(tmp_path: Path) -> None:
    model = stirred(nested.with_unused(SHAPE, 10))
    path = saved(tmp_path, "a.weights.h5", model)
    flat = _flat(nested.with_unused)
    start = _start(flat, path)
    assert start.matched == ("two.used", "head", "two.unused")
    start.load_into(flat)
    (tmp_path / "run.weights.h5").write_bytes(weights_file(flat))
    again = nested.with_unused(SHAPE, 10)
    again.load_weights(tmp_path / "run.weights.h5")
    assert equal(again.get_weights(), model.get_weights())
