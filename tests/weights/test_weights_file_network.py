"""A saved network as a model: its end, its input, its head, and what is frozen in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from weights_files import SHAPE, by_layer, equal, from_file, net, saved, stirred, ten

from qbench.base.errors import QbenchError
from qbench.models.keras_file import described
from qbench.models.start import start_of

IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, *SHAPE)).astype(np.float32)


def _loaded(path: Path) -> Any:
    """The network of a file with its weights."""
    model = from_file(path)
    start = start_of(model, ("model.file", str(path)), "keep", True)
    assert start
    start.load_into(model)
    return model


def _ends(kind: str) -> Any:
    """The network with a softmax at its end, and the layer that has it."""
    if kind == "of the head":
        return ten(end="softmax"), "logits"
    model = ten()
    last = {
        "layer": layers.Softmax(name="end"),
        "activation": layers.Activation("softmax", name="end"),
    }
    if kind == "operation":
        tensor = keras.ops.softmax(model.output)
        return keras.Model(model.inputs[0], tensor), "softmax"
    return keras.Model(model.inputs[0], last[kind](model.output)), "end"


# Keras 3 writes no operations into the older format.
@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        *((kind, "keras") for kind in ("of the head", "layer", "activation", "operation")),
        *((kind, "h5") for kind in ("of the head", "layer", "activation")),
    ],
)
def test_a_softmax_at_the_end_is_left_out(tmp_path: Path, kind: str, ending: str) -> None:
    model, name = _ends(kind)
    path = saved(tmp_path, f"a.{ending}", model)
    assert described(str(path), SHAPE) == [
        f"model.file={path}: the softmax at its end ({name}) is left out; the network returns"
        " logits"
    ]
    assert np.array_equal(_loaded(path)(IMAGES), ten()(IMAGES))


@pytest.mark.parametrize("end", ["sigmoid", "softmax twice"])
def test_another_end_is_refused(tmp_path: Path, end: str) -> None:
    model = ten(end=end.partition(" ")[0])
    if end == "softmax twice":
        model = keras.Model(model.inputs[0], layers.Softmax()(model.output))
    with pytest.raises(QbenchError, match=r"model=keras_file: .*(sigmoid|softmax)"):
        from_file(saved(tmp_path, "a.keras", model))


def test_a_sequential_network_is_read(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Flatten(), layers.Dense(10, name="d")])
    model.build((None, *SHAPE))
    path = saved(tmp_path, "a.keras", stirred(model))
    assert np.array_equal(_loaded(path)(IMAGES), model(IMAGES))


def test_a_network_with_open_sizes_gets_those_of_the_images(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.keras", stirred(net((None, None, 1), 10)))
    model = _loaded(path)
    assert model.input.shape == (None, *SHAPE)
    assert np.array_equal(model(IMAGES), ten()(IMAGES))
    other = saved(tmp_path, "b.keras", net((None, None, 3), 10))
    with pytest.raises(QbenchError, match=r"its input has shape .*; set data.channels=3 \(of im"):
        from_file(other)


def test_the_settings_that_make_the_images_of_a_file_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.keras", net((16, 16, 1), 10))
    with pytest.raises(QbenchError, match=r"have \(None, 8, 8, 1\); set data.resolution=16\.$"):
        from_file(path)
    path = saved(tmp_path, "b.keras", net((16, 12, 1), 10))
    with pytest.raises(QbenchError, match=r"its input has shape .*; build it on keras\.Input"):
        from_file(path)


def test_open_sizes_and_a_softmax_go_together(tmp_path: Path) -> None:
    model = stirred(net((None, None, 1), 10))
    end = layers.Softmax(name="end")(model.output)
    path = saved(tmp_path, "a.keras", keras.Model(model.inputs[0], end))
    assert np.array_equal(_loaded(path)(IMAGES), ten()(IMAGES))


def test_a_shared_layer_behind_the_head_does_not_lead_to_the_first_layer(tmp_path: Path) -> None:
    image, shared = keras.Input(SHAPE), layers.ReLU(name="shared")
    x = shared(layers.Conv2D(4, 3, name="stem")(image))
    x = shared(layers.Conv2D(10, 1, name="head")(x))
    path = saved(tmp_path, "a.keras", keras.Model(image, layers.GlobalAveragePooling2D()(x)))
    model = from_file(path, 7, head="new")
    assert model.get_layer("head").filters == 7
    assert model.get_layer("stem").filters == 4


def test_a_new_head_is_trained_even_if_the_old_one_was_frozen(tmp_path: Path) -> None:
    frozen = ten()
    frozen.get_layer("logits").trainable = False
    model = from_file(saved(tmp_path, "a.keras", frozen), 3, head="new")
    assert model.get_layer("logits").trainable


def test_another_number_of_classes_needs_a_new_head(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.keras", ten(end="softmax"))
    with pytest.raises(QbenchError) as error:
        from_file(path, 3)
    assert str(error.value) == (
        f"model.file={path}: its network has 10 outputs, the data need 3; model.head=new gives it a"
        " new last layer."
    )
    model = from_file(path, 3, head="new")
    start = start_of(model, ("model.file", str(path)), "new", True)
    assert start
    before = by_layer(model)["logits"]
    start.load_into(model)
    assert model.output.shape == (None, 3)
    assert model.layers[-1].activation is keras.activations.linear
    assert equal(by_layer(model)["stem_bn"], by_layer(ten())["stem_bn"])
    assert equal(by_layer(model)["logits"], before)


def test_a_convolution_is_a_head_too(tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, name="stem")(image)
    x = layers.Conv2D(10, 1, name="head")(x)
    x = layers.GlobalAveragePooling2D()(x)
    path = saved(tmp_path, "a.keras", keras.Model(image, layers.Softmax()(x)))
    assert from_file(path, 7, head="new").output.shape == (None, 7)
    shaped = keras.Model(image, layers.Reshape((10,))(keras.ops.reshape(x, (-1, 2, 5))))
    said = "model.head=new: head cannot have 7 outputs"
    with pytest.raises(QbenchError, match=said):
        from_file(saved(tmp_path, "b.keras", shaped), 7, head="new")


def test_a_head_is_one_layer(tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    x = layers.Flatten()(image)
    both = layers.Add(name="sum")([layers.Dense(10)(x), layers.Dense(10)(x)])
    with pytest.raises(QbenchError, match="made by sum, which reads 2 tensors"):
        from_file(saved(tmp_path, "a.keras", keras.Model(image, both)), 7, head="new")


def test_what_is_frozen_in_a_file_stays_so_and_is_said(tmp_path: Path) -> None:
    model = ten()
    model.get_layer("stem").trainable = False
    path = saved(tmp_path, "a.keras", model)
    said = f"model.file={path}: frozen in the file, and not trained: stem"
    assert described(str(path), SHAPE) == [said]
    assert not from_file(path).get_layer("stem").trainable


def _old(kind: str, name: str, reads: list[str], **config: Any) -> dict[str, Any]:
    """A layer as Keras 2 describes it."""
    nodes = [[[one, 0, 0, {}] for one in reads]] if reads else []
    config = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": nodes}


def test_the_description_of_keras_2_is_read(tmp_path: Path) -> None:
    image = {"batch_input_shape": [None, *SHAPE], "sparse": False, "ragged": False}
    kernel = {"class_name": "GlorotUniform", "config": {"seed": None}}
    dense = {"units": 10, "activation": "softmax", "use_bias": True, "kernel_initializer": kernel}
    described = [
        {**_old("InputLayer", "input_1", []), "config": {"name": "input_1", **image}},
        _old("Flatten", "flatten", ["input_1"], data_format="channels_last"),
        _old("Dense", "fc", ["flatten"], **dense),
    ]
    ends = {"input_layers": [["input_1", 0, 0]], "output_layers": [["fc", 0, 0]]}
    config = {"name": "model", "layers": described, **ends}
    values = {"kernel:0": np.random.default_rng(0).normal(size=(64, 10)), "bias:0": np.ones(10)}
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.11.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"input_1", b"flatten", b"fc"]
        for name in ("input_1", "flatten", "fc"):
            group.create_group(name).attrs["weight_names"] = np.zeros(0)
        group["fc"].attrs["weight_names"] = [f"fc/{name}".encode() for name in values]
        for name, value in values.items():
            group[f"fc/fc/{name}"] = value.astype(np.float32)
    expected = IMAGES.reshape(5, -1) @ values["kernel:0"] + 1
    np.testing.assert_allclose(_loaded(path)(IMAGES), expected, rtol=1e-5, atol=1e-5)
