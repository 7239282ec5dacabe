"""Layers called by keyword, or given a mask, when the network was built."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import unusual_networks as unusual
from keras import layers, ops
from quantize_networks import averages_of, images, inserted, network, output
from rewrite_examples import SCHEMES, view_of

from qbench.quantize.rewrite import rewrite


def positional(layer, *tensors, **settings):
    return layer(*tensors, **settings)


def by_name(layer, *tensors, **settings):
    """The same with every tensor given by its name; the last name first."""
    names = list(layer._call_signature.parameters)[: len(tensors)]
    given = dict(zip(names, tensors, strict=True))
    return layer(**dict(reversed(given.items())), **settings)


class OwnAddition(layers.Layer):
    def call(self, one, other, scale=1.0):
        return one + scale * other


def plain(call, image):
    x = call(layers.Conv2D(4, 3, padding="same", name="a"), image)
    x = call(layers.ReLU(name="r"), call(layers.BatchNormalization(name="n"), x))
    return call(layers.Dense(3, name="d"), call(layers.Flatten(name="f"), x))


def joins(call, image):
    x = call(layers.Conv2D(4, 3, padding="same", name="a"), image)
    y = call(layers.Conv2D(4, 3, padding="same", name="b"), call(layers.ReLU(name="r"), x))
    z = call(layers.Add(name="s"), [x, y])
    z = call(layers.Concatenate(name="c"), [z, x])
    z = call(layers.MaxPooling2D(name="p"), z)
    return call(layers.Dense(3, name="d"), call(layers.GlobalAveragePooling2D(name="g"), z))


def operations(call, image):
    x = call(layers.Conv2D(4, 3, padding="same", name="a"), image)
    if call is by_name:
        z = ops.concatenate(axis=-1, xs=[ops.relu(x=x), ops.add(x2=image, x1=x[..., :2])])
        z = ops.mean(axis=(1, 2), x=z)
    else:
        z = ops.mean(ops.concatenate([ops.relu(x), ops.add(x[..., :2], image)], -1), (1, 2))
    return call(layers.Dense(3, name="d"), z)


def several_tensors(call, image):
    x = call(layers.Conv2D(4, 3, padding="same", name="a"), image)
    z = call(OwnAddition(name="o"), x, call(layers.Conv2D(4, 1, name="b"), x), scale=0.5)
    z = call(layers.Reshape((64, 4), name="q"), z)
    z = call(layers.MultiHeadAttention(1, 2, name="m"), z, ops.square(z))
    return call(layers.Dense(3, name="d"), call(layers.Flatten(name="f"), z))


@pytest.mark.parametrize(
    "kind", ["default", *(pytest.param(k, marks=pytest.mark.slow) for k in ("float", "deploy"))]
)
@pytest.mark.parametrize(
    "build", [plain, joins, operations, several_tensors], ids=lambda build: build.__name__
)
def test_a_network_called_by_name_is_the_one_called_by_position(build, kind):
    x, found = images(), []
    for call in (positional, by_name):
        keras.utils.clear_session()
        model = network(lambda image, call=call: build(call, image))
        random = np.random.default_rng(1)
        model.set_weights([random.uniform(-0.5, 1.0, w.shape) ** 2 for w in model.get_weights()])
        view = view_of(model, SCHEMES[kind])
        if kind == "float":
            np.testing.assert_allclose(output(view, x), model(x), rtol=1e-5, atol=1e-5)
        found.append((view.tensors, inserted(view), output(view, x), output(view, x, True)))
    (*named, inferred, trained), (*named_too, inferred_too, trained_too) = found
    assert named == named_too
    np.testing.assert_allclose(inferred, inferred_too, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(trained, trained_too, rtol=1e-5, atol=1e-6)


def test_the_network_that_was_called_by_name():
    model, x = unusual.keyword_call((8, 8, 2), 3), images()
    np.testing.assert_allclose(output(rewrite(model, None), x), model(x), rtol=1e-5, atol=1e-5)
    for kind, folded in (("default", 0), ("deploy", 2)):
        view = view_of(model, SCHEMES[kind])
        assert sum(insertion.is_kernel for insertion in view.insertions) == 3
        kinds = [type(layer).__name__ for layer in view.model.layers]
        assert kinds.count("WithFoldedKernel") == folded
        assert kinds.count("FusedBatchNormalization") == 2 - folded


def masked(image):
    x = layers.Masking()(layers.Reshape((8, 2))(image))
    x = layers.BatchNormalization(momentum=0.5)(layers.Dense(3, activation="tanh")(x))
    x = layers.LSTM(4, return_sequences=True)(layers.ReLU()(x))
    return layers.Dense(2)(layers.GlobalAveragePooling1D()(x))


def masked_by_hand(image):
    x = layers.Reshape((8, 2))(image)
    mask = ops.any(ops.not_equal(x, 0.0), axis=-1)
    x = layers.BatchNormalization(momentum=0.5)(layers.Dense(3)(x), mask=mask)
    return layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.ReLU()(x), mask=mask))


def masked_images(image):
    x = layers.Masking()(layers.Reshape((4, 2, 2))(image))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.5)(x))
    return layers.Dense(2)(ops.mean(x, axis=(1, 2)))


MASKED = [masked, masked_by_hand, masked_images]


@pytest.mark.parametrize("build", MASKED, ids=lambda build: build.__name__)
@pytest.mark.parametrize("chosen", SCHEMES.values(), ids=SCHEMES.keys())
@pytest.mark.filterwarnings("error:Layer '[^']*[.]:UserWarning")  # of qbench's own layers
def test_masks_are_not_lost(build, chosen):
    """What is masked has no influence; the rest of a sequence has."""
    shape = (4, 4)
    model, x = network(build, shape), images(shape=shape).numpy() * 2
    x[:, 2:] = 0.0
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([x])[1])
    if chosen is not None:
        view = rewrite(model, chosen, averages)
        assert any(insertion.tensor.startswith("re_lu") for insertion in view.insertions)
        kinds = {type(layer).__name__ for layer in view.model.layers}
        assert "WithFoldedKernel" not in kinds
        assert output(view, x, True).shape == (4, 2)
        return
    view = rewrite(model, None)
    np.testing.assert_allclose(output(view, x), model(x), rtol=1e-5, atol=1e-6)
    expected = model(x, training=True).numpy()
    np.testing.assert_allclose(output(view, x, True), expected, rtol=1e-4, atol=1e-5)


SCALED = {
    "number": lambda x: x * 0.5,
    "from the left": lambda x: 0.5 * x,
    "array": lambda x: ops.multiply(x, np.full(4, 0.5, np.float32)),
    "hard swish": lambda x: x * (layers.ReLU(6.0)(x + 3.0) * (1 / 6)),
}


@pytest.mark.parametrize("chosen", SCHEMES.values(), ids=SCHEMES.keys())
@pytest.mark.parametrize("times", SCALED.values(), ids=SCALED.keys())
def test_products_with_numbers_are_tensors_like_others(times, chosen):
    """Keras takes them for sparse."""

    def body(image):
        x = layers.Conv2D(4, 3, padding="same")(times(unusual.block(image, 4)))
        return layers.Dense(5)(layers.GlobalAveragePooling2D()(times(layers.ReLU()(x))))

    model = network(body)
    view = view_of(model, chosen)
    near = 1e-5 if chosen is None else 0.3
    np.testing.assert_allclose(output(view, images()), model(images()), atol=near)


class Told(keras.Layer):
    """Takes a tensor that has no position, and a factor."""

    def call(self, x, *, other=None, factor=1.0, training=None):
        x = x if other is None else x + other
        return x * factor + (100.0 if training else 0.0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"other": True}, 102),
        ({"factor": 3.0, "training": False}, 3),
        ({"other": True, "factor": 3.0, "training": False}, 6),
    ],
    ids=["tensor", "held", "held with both"],
)
def test_arguments_without_a_position_reach_the_layer(arguments, expected):
    def build(image):
        return Told()(image, **{k: image if k == "other" else v for k, v in arguments.items()})

    x = np.ones((1, 8, 8, 2), np.float32)
    got = rewrite(network(build), None).model([x], training=True)[0]
    np.testing.assert_array_equal(got, expected * x)
