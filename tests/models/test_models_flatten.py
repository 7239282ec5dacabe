"""Models inside a model: the flat network computes the same, its author's model has its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import nested_networks as nested
import numpy as np
import pytest
from keras import layers

from qbench.base.authored import author_model
from qbench.base.errors import QbenchError
from qbench.models.flatten import flattened
from qbench.models.saved.bounds import check_calls
from qbench.quantize.analysis import analyse
from qbench.quantize.insertion_plan import Fused, HeldInInference
from qbench.storage.weights import load_weights_file, weights_file
from qbench.training.kept import kept

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
Build = Callable[..., Any]


def stirred(model: Any) -> Any:
    random = np.random.default_rng(1)
    for variable in kept(model):
        variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return model


@pytest.fixture(params=nested.NETWORKS, ids=lambda build: build.__name__)
def written(request: pytest.FixtureRequest) -> Any:
    """A function with a model as its author writes it."""
    return request.param


def author(written: Any) -> Any:
    """The author's model, as the author builds it without qbench."""
    keras.utils.clear_session()
    model = written(SHAPE, 10)
    if not model.built:
        model.build((None, *SHAPE))
    return model


def contents(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The arrays of a weights file by place: the name of the layer, and the shape."""
    found = {}

    def note(place: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not place.startswith("optimizer"):
            found[place] = (item.parent.attrs["name"], item.shape)

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def test_the_flat_network_computes_what_its_author_wrote(
    written: Any, build: Build, tmp_path: Path
) -> None:
    flat = stirred(build(written))
    assert not any(isinstance(op, keras.Model) for op in flat.operations)
    path = tmp_path / "run.weights.h5"
    path.write_bytes(weights_file(flat))
    model = author(written)
    model.load_weights(path)
    assert np.array_equal(model(IMAGES), flat(IMAGES))
    model.save_weights(tmp_path / "own.weights.h5")
    assert contents(path) == contents(tmp_path / "own.weights.h5")


def test_the_weights_of_its_author_load(written: Any, build: Build, tmp_path: Path) -> None:
    model = stirred(author(written))
    model.save_weights(tmp_path / "own.weights.h5")
    flat = build(written)
    load_weights_file(flat, tmp_path / "own.weights.h5")
    assert np.array_equal(flat(IMAGES), model(IMAGES))
    load_weights_file(flat, weights_file(stirred(build(written))))
    assert np.array_equal(flat(IMAGES), model(IMAGES))


def test_layers_have_the_names_of_their_models_in_front_of_their_own(build: Build) -> None:
    flat = build(nested.several)
    names = [op.name for op in flat.operations]
    assert len(set(names)) == len(names)
    assert sorted(layer.name for layer in flat.layers if layer.weights) == sorted(nested.NAMES)
    assert [op.name for op in flat.operations if not isinstance(op, keras.Layer)] == ["multiply"]


def test_a_name_that_is_taken_gets_a_number(build: Build) -> None:
    def taken(shape: Any, classes: int) -> Any:
        image = keras.Input(shape)
        x = layers.Conv2D(1, 1, name="base.conv")(image)
        return keras.Model(
            image, layers.Dense(classes)(layers.Flatten()(nested.base("base", 1)(x)))
        )

    flat = build(taken)
    assert flat.get_layer("base.conv").filters == 1
    assert flat.get_layer("base.conv.2").filters == 3


def test_a_flat_model_is_left_as_it_is(build: Build) -> None:
    model = nested.base("base", 1)
    assert flattened(model) is author_model(model) is model
    assert [layer.name for layer in model.layers[1:3]] == ["conv", "bn"]


def test_a_model_can_be_made_flat_again() -> None:
    model = nested.several(SHAPE, 10)
    first, second = flattened(model), flattened(model)
    assert [op.name for op in first.operations] == [op.name for op in second.operations]
    assert author_model(first) is author_model(second) is model


class Inside(layers.Layer):
    """It has a normalization, and its call has no argument `training`."""

    def __init__(self) -> None:
        super().__init__(name="inside")
        self.norm = layers.BatchNormalization()

    def build(self, shape: Any) -> None:
        self.norm.build(shape)

    def call(self, x: Any) -> Any:
        return self.norm(x)


def held(shape: Any, classes: int) -> Any:
    """A base that is called with `training=False`, and has a model inside."""
    image, inner = keras.Input(shape), keras.Input(shape)
    x = layers.Dropout(0.5, name="drop")(Inside()(nested.base("deep", shape[-1])(inner)))
    base = keras.Model(inner, layers.Conv2D(2, 1, name="out")(x), name="base")
    x = layers.BatchNormalization(name="free")(base(image, training=False))
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(x)))


def test_a_model_that_is_called_in_inference_holds_all_its_layers_there(build: Build) -> None:
    flat = build(held)
    stand_ins = {call.op.name: call.stand_in for call in analyse(flat, None).calls}
    assert stand_ins["base.deep.bn"] == Fused("base.deep.bn.fused", True)
    assert stand_ins["free"] == Fused("free.fused", False)
    others = {name for name, one in stand_ins.items() if isinstance(one, HeldInInference)}
    assert others == {"base.inside", "base.drop"}


def frozen(shape: Any, classes: int) -> Any:
    """A frozen base, of which a layer is trained after all."""
    image, base = keras.Input(shape), nested.base("base", shape[-1])
    base.trainable = False
    base.get_layer("bn").trainable = True
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(base(image))))


def test_what_keras_trains_is_trained(build: Build) -> None:
    trained, model = build(frozen).trainable_variables, author(frozen)
    assert [one.path for one in trained] == [one.path for one in model.trainable_variables]
    assert len(trained) == 4
    with pytest.raises(QbenchError, match=r"freeze=nothing matches no layer .* base\.conv, base"):
        build(nested.in_sequence, freeze=["nothing"])
    flat = build(nested.in_sequence, freeze=["base.*"])
    assert [layer.name for layer in flat.layers if layer.trainable_weights] == [
        *("sequential.conv2d", "sequential.batch_normalization", "dense"),
    ]


class Doubled(keras.Model):
    """A subclass of a functional model that computes something else."""

    def call(self, x: Any, training: Any = None) -> Any:
        return 2 * super().call(x, training=training)


class Backwards(keras.Sequential):
    """A subclass of a sequential model that computes something else."""

    def call(self, x: Any, training: Any = None) -> Any:
        return -super().call(x, training=training)


def around(call: Any) -> Any:
    """A builder that flattens what `call` makes of the image."""

    def builder(shape: Any, classes: int) -> Any:
        image = keras.Input(shape)
        return keras.Model(image, layers.Dense(classes)(layers.Flatten()(call(image))))

    return builder


def doubled(image: Any) -> Any:
    inner = keras.Input(SHAPE)
    return Doubled(inner, layers.Conv2D(2, 3)(inner), name="twice")(image)


def in_bytes(image: Any) -> Any:
    inner = keras.Input(SHAPE, dtype="uint8")
    return keras.Model(inner, layers.Rescaling(1 / 255)(inner), name="scaled")(image)


def of_rank_three(image: Any) -> Any:
    inner = keras.Input((8, 8))
    return keras.Model(inner, layers.LSTM(2)(inner), name="rows")(image)


def masked(image: Any) -> Any:
    rows = layers.Masking()(layers.Reshape((8, 8))(image))
    inner = keras.Input((8, 8))
    return keras.Model(inner, layers.LSTM(2)(inner), name="rows")(rows)


def penalized(image: Any) -> Any:
    inner = nested.base("base", 1)
    inner.activity_regularizer = keras.regularizers.L2(1.0)
    return inner(image)


REFUSED = {
    "subclassed": (doubled, "it holds a subclassed model (twice, Doubled), whose layers cannot be"),
    "sequential": (
        lambda image: Backwards([layers.Conv2D(2, 3)], name="back")(image),
        "it holds a subclassed model (back, Backwards)",
    ),
    "in training": (
        lambda image: nested.base("base", 1)(image, training=True),
        "the model inside it 'base' is called with training=True",
    ),
    "another dtype": (in_bytes, "the model inside it 'scaled' is called with other inputs than it"),
    "another rank": (of_rank_three, "the model inside it 'rows' is called with other inputs"),
    "a mask": (masked, "the model inside it 'rows' is called with a mask"),
    "regularizer": (penalized, "the model inside it 'base' has an activity_regularizer"),
}


@pytest.mark.parametrize(("call", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_its_layers_alone_do_not_compute_is_refused(
    call: Any, says: str, build: Build
) -> None:
    with pytest.raises(QbenchError) as error:
        build(around(call))
    assert str(error.value).startswith("model=mine: ")
    assert says in str(error.value)


def test_a_sequential_subclass_with_a_call_of_its_own_is_refused(build: Build) -> None:
    with pytest.raises(QbenchError, match=r"gave a subclassed model \(Backwards\)"):
        build(lambda shape, classes: Backwards([keras.Input(shape), layers.Flatten()]))


def test_models_that_call_each_other_too_often_are_not_expanded() -> None:
    image = keras.Input(SHAPE)
    model = keras.Model(image, layers.ReLU()(image))
    for _ in range(40):
        outer = keras.Input(SHAPE)
        model = keras.Model(outer, model(model(outer)))
    with pytest.raises(QbenchError, match=r"its network calls 1,099,511,627,776 layers, more than"):
        check_calls(model)
    check_calls(nested.several(SHAPE, 10))
