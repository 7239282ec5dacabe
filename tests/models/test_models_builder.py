"""What a user's function takes, raises and gives back."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import unusual_networks as unusual
from keras import layers
from unusual_networks import head

from qbench.base.errors import QbenchError

SIGNATURES = {
    "shape_only": (lambda shape: None, "its function takes (shape); it must take two arguments"),
    "nothing": (lambda: None, "its function takes ()"),
    "by_name_only": (lambda *, shape, classes: None, "its function takes (*, shape, classes)"),
}


@pytest.mark.parametrize(("builder", "says"), SIGNATURES.values(), ids=SIGNATURES.keys())
def test_a_function_without_shape_and_classes(builder, says, build):
    with pytest.raises(QbenchError, match="the shape") as error:
        build(builder)
    assert says in str(error.value)


def test_an_argument_without_a_value(build):
    with pytest.raises(QbenchError, match=r"^model\.width is missing"):
        build(lambda shape, classes, width: None)


@pytest.mark.parametrize("arguments", [{}, {"width": 4, "depth": 2}], ids=["none", "two"])
def test_a_function_that_takes_whatever_it_is_given(arguments, build):
    def builder(*where, **settings):
        assert settings == arguments
        return unusual.sequential(*where)

    assert build(builder, arguments).output.shape == (None, 10)


RAISED = [
    AttributeError("no such attribute"),
    IndexError("list index out of range"),
    KeyError("width"),
    ZeroDivisionError(),
    AssertionError("three\nlines\nof it"),
    NotImplementedError(),
    RuntimeError("\x1b[1mbold\x1b[0m"),
]


@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_function_raises_is_said_with_its_place(raised, build):
    def builder(shape, classes):
        raise raised

    line = builder.__code__.co_firstlineno + 1
    with pytest.raises(QbenchError) as error:
        build(builder)
    text = str(raised).replace("\x1b[1m", "").replace("\x1b[0m", "")
    first = " ".join(text.split())
    why = f"{type(raised).__name__}{': ' if first else ''}{first}"
    said = str(error.value)
    assert said.startswith("model=mine cannot be built with {} on images of (8, 8, 1): ")
    assert said.endswith(f"{why} ({Path(__file__).relative_to(Path.cwd())}:{line}).")


def too_small(image, classes):
    x = image
    for _ in range(4):
        x = layers.Conv2D(4, 3)(x)
    return head(layers.MaxPooling2D(3)(x), classes)


SHAPES = {
    "negative": (too_small, "zero or negative"),
    "rank": (lambda x, classes: head(layers.Conv2D(4, 3)(layers.Flatten()(x)), classes), "ndim=2"),
    "unequal": (lambda x, classes: layers.Add()([x, layers.Conv2D(1, 3)(x)]), "(8, 8, 1)"),
    "twice": (lambda x, classes: layers.ReLU(name="a")(layers.ReLU(name="a")(x)), 'name "a" is'),
    "slash": (lambda x, classes: layers.ReLU(name="a/b")(x), "cannot contain character `/`"),
}


@pytest.mark.parametrize(("network", "says"), SHAPES.values(), ids=SHAPES.keys())
def test_what_keras_refuses_is_said_with_its_place(network, says, build):
    def builder(shape, classes):
        image = keras.Input(shape)
        return keras.Model(image, network(image, classes))

    with pytest.raises(QbenchError) as error:
        build(builder)
    said = str(error.value)
    assert says in said
    assert f"({Path(__file__).relative_to(Path.cwd())}:" in said
    assert "\n" not in said
    assert "Exception encountered" not in said


class Functional(keras.Model):
    """A class around a functional model."""

    def __init__(self, shape, classes):
        image = keras.Input(shape)
        super().__init__(image, head(image, classes))


def in_lists(shape, classes):
    image = keras.Input(shape)
    return keras.Model([image], [head(image, classes)])


def in_dictionaries(shape, classes):
    image = keras.Input(shape, name="pixels")
    return keras.Model({"pixels": image}, {"logits": head(image, classes)})


def compiled(shape, classes):
    model = Functional(shape, classes)
    model.compile("adam", "mse")
    return model


FORMS = [Functional, in_lists, in_dictionaries, compiled, unusual.sequential]


@pytest.mark.parametrize("builder", FORMS, ids=lambda builder: builder.__name__)
def test_every_form_of_a_functional_model_becomes_the_plain_one(builder, build):
    model = build(builder)
    assert type(model).__name__ == "Functional"
    assert not model.compiled
    assert keras.utils.is_keras_tensor(model.input)
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    own = builder((8, 8, 1), 10)
    own.set_weights(model.get_weights())
    given = {in_lists: [images], in_dictionaries: {"pixels": images}}.get(builder, images)
    (expected,) = keras.tree.flatten(own(given))
    np.testing.assert_array_equal(model(images), expected)
