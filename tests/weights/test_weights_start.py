"""Trained weights at the start: which layers of a file belong to which of a network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from weights_files import SHAPE, by_layer, equal, net, saved, stirred, ten

from qbench.base.errors import QbenchError
from qbench.models.start import Start, start_of

KINDS = ("a.keras", "a.weights.h5", "a.h5")


def _start(model: Any, path: Path, head: str = "keep", strict: bool = True) -> Start:
    found = start_of(model, ("model.weights", str(path)), head, strict)
    assert found
    return found


def _refusal(model: Any, path: Path, head: str = "keep", strict: bool = True) -> str:
    with pytest.raises(QbenchError) as error:
        _start(model, path, head, strict)
    return str(error.value).removeprefix(f"model.weights={path}: ")


def _fresh(classes: int = 10, **arguments: Any) -> Any:
    return net(SHAPE, classes, **arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of one network, with its optimizer's state in two of them."""
    found = tmp_path_factory.mktemp("files")
    model = ten()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    for kind in KINDS:
        saved(found, kind, model)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_weights(folder: Path, kind: str) -> None:
    model = _fresh()
    start = _start(model, folder / kind)
    assert start.matched == ("stem", "stem_bn", "depth", "logits")
    assert start.lines == [
        f"model.weights={folder / kind}: 4 of 4 layers begin with its weights",
    ]
    start.load_into(model)
    for name, weights in by_layer(ten()).items():
        assert equal(by_layer(model)[name], weights), name


@pytest.mark.parametrize("kind", KINDS)
def test_names_count_not_the_order_of_layers(folder: Path, kind: str) -> None:
    """Keras numbers the layers of a class; a network with one layer more in front has its own."""
    image = keras.Input(SHAPE)
    x = layers.Conv2D(1, 1, name="extra")(image)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.DepthwiseConv2D(3, name="depth")(x)
    x = layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    said = _refusal(model, folder / kind)
    assert said.startswith(
        "not every layer matches (not in the file: extra; in the file alone: stem_bn); "
    )
    start = _start(model, folder / kind, strict=False)
    assert (start.matched, start.missing) == (("stem", "depth", "logits"), ("extra",))
    assert start.unused == ("stem_bn",)
    before = by_layer(model)["extra"]
    start.load_into(model)
    assert equal(by_layer(model)["stem"], by_layer(ten())["stem"])
    assert equal(by_layer(model)["extra"], before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_name_with_another_shape_is_not_loaded(folder: Path, kind: str) -> None:
    model = _fresh(5)
    said = _refusal(model, folder / kind)
    assert said == (
        "not every layer matches (of another shape: logits (4x10 in the file, 4x5 in the network));"
        " model.head=new leaves the last layer out, model.weights_strict=false takes what matches."
    )
    assert _start(model, folder / kind, strict=False).other.keys() == {"logits"}
    start = _start(model, folder / kind, head="new")
    assert (start.new, start.other, start.unused) == (("logits",), {}, ())
    assert start.as_record()["matched"] == ["stem", "stem_bn", "depth"]


def test_a_new_head_with_another_name_leaves_the_files_own_head_unused(folder: Path) -> None:
    image = keras.Input(SHAPE)
    x = image
    for layer in list(_fresh().layers)[1:-1]:
        x = layer(x)
    model = keras.Model(image, layers.Dense(3, name="mine")(x))
    start = _start(model, folder / "a.keras", head="new")
    assert (start.new, start.unused, start.missing) == (("mine",), ("logits",), ())
    assert "not in the file: mine; in the file alone: logits" in _refusal(model, folder / "a.keras")


def test_a_new_head_does_not_hide_other_layers(folder: Path) -> None:
    image = keras.Input(SHAPE)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, use_bias=False, name="stem")(image))
    model = keras.Model(image, layers.Dense(10, name="logits")(x))
    assert "in the file alone: stem_bn, depth" in _refusal(model, folder / "a.keras", head="new")


def test_a_transposed_kernel_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.weights.h5")
    with h5py.File(path, "r+") as file:
        vars = file["layers/dense/vars"]
        kernel = vars["0"][...]
        del vars["0"]
        vars["0"] = kernel.T
    said = _refusal(_fresh(), path)
    assert "logits (10x4 in the file, 4x10 in the network, transposed?)" in said


def test_a_file_of_another_network_is_refused_without_strictness_too(folder: Path) -> None:
    image = keras.Input(SHAPE)
    other = keras.Model(image, layers.Dense(10, name="other")(layers.Flatten()(image)))
    said = _refusal(other, folder / "a.keras", strict=False)
    assert said == (
        "no layer has the name and the shape of one of the network; the file has stem_bn, stem,"
        " logits, depth, the network other."
    )


def test_a_file_without_names_fits_the_very_network_alone(folder: Path, tmp_path: Path) -> None:
    content = io.BytesIO((folder / "a.weights.h5").read_bytes())
    with h5py.File(content, "r+") as file:
        for name in file["layers"]:
            file["layers"][name]["vars"].attrs.pop("name", None)
    path = tmp_path / "a.weights.h5"
    path.write_bytes(content.getvalue())
    model = _fresh()
    _start(model, path).load_into(model)
    assert equal(model.get_weights(), ten().get_weights())
    assert "has no names of layers, and its layers are not those" in _refusal(_fresh(5), path)


def test_the_names_of_keras_2_put_arrays_in_their_places(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes((folder / "a.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        names = file["model_weights/stem_bn"].attrs["weight_names"]
        file["model_weights/stem_bn"].attrs["weight_names"] = [
            f"{name}:0".encode() for name in reversed(names)
        ]
        depth = file["model_weights/depth"]
        depth["depth/depthwise_kernel"] = depth["depth/kernel"]
        depth.attrs["weight_names"] = [b"depth/depthwise_kernel:0", b"depth/bias"]
        depth["depth/depthwise_kernel:0"] = depth["depth/kernel"]
        for name in names:
            group = file["model_weights/stem_bn"]
            group[f"{name}:0"] = group[name]
    model = _fresh()
    _start(model, path).load_into(model)
    assert equal(model.get_weights(), ten().get_weights())


def test_layers_inside_layers_are_loaded_too(tmp_path: Path) -> None:
    def attention() -> Any:
        image = keras.Input((4, 4))
        x = layers.MultiHeadAttention(2, 2, dropout=0.5, name="attention")(image, image)
        return keras.Model(image, layers.Dense(10, name="logits")(layers.Flatten()(x)))

    trained = stirred(attention())
    for kind in KINDS[:2]:
        model = attention()
        _start(model, saved(tmp_path, kind, trained)).load_into(model)
        assert equal(model.get_weights(), trained.get_weights())
    said = _refusal(attention(), saved(tmp_path, "a.h5", trained))
    assert "attention (has layers inside, which an .h5 file of Keras 2 does not keep apart)" in said


def test_a_model_inside_the_files_model_gives_its_layers(tmp_path: Path) -> None:
    """As Keras' guide on transfer learning makes it: a base, and a head of one's own."""
    whole = ten()
    base = keras.Model(whole.inputs[0], whole.layers[-2].output, name="base")
    image = keras.Input(SHAPE)
    outer = keras.Model(image, layers.Dense(3, name="mine")(base(image)))
    start = _start(_fresh(), saved(tmp_path, "a.keras", outer), head="new")
    assert start.matched == ("stem", "stem_bn", "depth")
    assert (start.new, start.unused) == (("logits",), ("mine",))
    model = _fresh()
    start.load_into(model)
    assert equal(by_layer(model)["stem_bn"], by_layer(whole)["stem_bn"])


def test_layers_with_more_than_ten_arrays_keep_their_order(tmp_path: Path) -> None:
    class Many(layers.Layer):
        def build(self, shape: Any) -> None:
            self.every = [self.add_weight(name=f"v{k}", shape=(1,)) for k in range(12)]

        def call(self, x: Any) -> Any:
            return x * sum(self.every)

    def many() -> Any:
        image = keras.Input(SHAPE)
        return keras.Model(
            image, layers.Dense(10, name="logits")(layers.Flatten()(Many(name="m")(image)))
        )

    trained = stirred(many())
    for kind in ("a.weights.h5", "a.h5"):
        model = many()
        _start(model, saved(tmp_path, kind, trained)).load_into(model)
        assert equal(model.get_weights(), trained.get_weights())


def test_shared_layers_and_half_precision(tmp_path: Path) -> None:
    def twice() -> Any:
        image = keras.Input(SHAPE)
        conv = layers.Conv2D(1, 3, padding="same", name="both")
        return keras.Model(
            image, layers.Dense(10, name="logits")(layers.Flatten()(conv(conv(image))))
        )

    trained = stirred(twice())
    path = saved(tmp_path, "a.weights.h5", trained)
    with h5py.File(path, "r+") as file:
        vars = file["layers/dense/vars"]
        kernel = np.asarray(vars["0"]).astype(np.float16)
        del vars["0"]
        vars["0"] = kernel
    model = twice()
    start = _start(model, path)
    assert start.matched == ("both", "logits")
    start.load_into(model)
    assert equal(by_layer(model)["both"], by_layer(trained)["both"])
    assert equal(by_layer(model)["logits"][:1], [kernel.astype(np.float32)])


def test_a_folder_needs_the_weights_of_a_run(tmp_path: Path) -> None:
    assert _refusal(_fresh(), tmp_path).startswith("the folder has no file model.weights.h5")
    saved(tmp_path, "model.weights.h5")
    assert len(_start(_fresh(), tmp_path).matched) == 4


def _normalized(**given: bool) -> Any:
    """A normalization with a scale or an offset alone, and a head."""
    image = keras.Input(SHAPE)
    x = layers.BatchNormalization(name="norm", **given)(image)
    return keras.Model(image, layers.Dense(10, name="logits")(layers.Flatten()(x)))


@pytest.mark.parametrize("kind", ["a.keras", "a.h5", "without description.h5"])
def test_a_scale_is_no_offset(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, kind, stirred(_normalized(center=False)))
    if kind.startswith("without"):
        with h5py.File(path, "r+") as file:
            del file.attrs["model_config"]
    said = _refusal(_normalized(scale=False), path)
    assert "of another shape: norm (gamma in the file, beta in the network)" in said
    start = _start(_normalized(center=False), path)
    assert (start.matched, start.by_position) == (("norm", "logits"), ())


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`")
def test_a_layer_may_lack_what_its_description_says(tmp_path: Path) -> None:
    """With `rms_scaling` a normalization has no offset, whatever `center` says."""
    image = keras.Input(SHAPE)
    x = layers.LayerNormalization(rms_scaling=True, name="norm")(image)
    model = keras.Model(image, layers.Dense(10, name="logits")(layers.Flatten()(x)))
    assert _start(model, saved(tmp_path, "a.keras", model)).matched == ("norm", "logits")


def test_a_file_that_does_not_say_what_an_array_is(tmp_path: Path) -> None:
    """Weights alone have numbers in place of names; so this is said."""
    path = saved(tmp_path, "a.weights.h5", stirred(_normalized(center=False)))
    start = _start(_normalized(scale=False), path)
    said = "  gamma or beta, which the file does not say, taken as in the network: norm"
    assert start.lines[1:] == [said]
    assert start.as_record()["by_position"] == ["norm"]
    assert _start(_normalized(), saved(tmp_path, "b.weights.h5", _normalized())).by_position == ()


def _base(name: str, *convs: str) -> Any:
    inner = keras.Input((8, 8, 4))
    x = inner
    for conv in convs:
        x = layers.Conv2D(4, 1, name=conv)(x)
    return keras.Model(inner, x, name=name)


def _with_bases(*bases: Any) -> Any:
    """The network `stem`, models, and a head."""
    image = keras.Input(SHAPE)
    x = layers.Conv2D(4, 1, name="stem")(image)
    for base in bases:
        x = base(x)
    return keras.Model(image, layers.Dense(10, name="logits")(layers.Flatten()(x)))


def _flat(*convs: str) -> Any:
    image = keras.Input(SHAPE)
    x = image
    for conv in convs:
        x = layers.Conv2D(4, 1, name=conv)(x)
    return keras.Model(image, layers.Dense(10, name="logits")(layers.Flatten()(x)))


def test_equal_names_in_two_models_are_not_mixed(tmp_path: Path) -> None:
    outer = _with_bases(_base("one", "conv"), _base("two", "conv"))
    path = saved(tmp_path, "a.keras", stirred(outer))
    said = _refusal(_flat("stem", "conv"), path, strict=False)
    assert said == (
        "2 of its layers have the name conv (one/conv, two/conv), and the network has one conv;"
        " give each layer in the file's models a name of its own."
    )
    start = _start(_flat("stem", "other"), path, strict=False)
    assert (start.matched, start.unused) == (("stem", "logits"), ("one/conv", "two/conv"))


def test_a_name_that_is_inside_and_outside_a_model(tmp_path: Path) -> None:
    deep = keras.Input((8, 8, 4))
    path = saved(
        tmp_path,
        "a.keras",
        _with_bases(keras.Model(deep, _base("block", "stem", "conv")(deep), name="base")),
    )
    said = _refusal(_flat("stem", "conv"), path)
    assert said.startswith("2 of its layers have the name stem (stem, base/block/stem), and")
    start = _start(_flat("last", "conv"), path, strict=False)
    assert (start.matched, start.missing) == (("conv", "logits"), ("last",))
    assert start.unused == ("stem", "base/block/stem")


def test_frozen_layers_that_begin_with_new_weights_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.keras", _flat("stem"))
    model = _flat("stem", "extra")
    model.get_layer("stem").trainable = model.get_layer("extra").trainable = False
    start = _start(model, path, strict=False)
    assert start.frozen == ("extra",)
    assert start.lines[-1] == "  frozen, but begins with new weights: extra"
