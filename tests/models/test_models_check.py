"""What a network of a user's own must be: one sentence for whatever it is not."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf
import unusual_networks as unusual
from keras import layers, ops
from unusual_networks import block, head

from qbench.base.errors import QbenchError
from qbench.models.check import _INNER, _ROOT


def on_image(build):
    """A builder from what becomes of the image and the number of classes."""

    def builder(shape, classes):
        image = keras.Input(shape)
        return keras.Model(image, build(image, classes))

    return builder


def named(name, kind=layers.Conv2D):
    return on_image(lambda image, classes: head(kind(4, 3, name=name)(image), classes))


def called(name):
    def builder(shape, classes):
        image = keras.Input(shape)
        return keras.Model(image, head(image, classes), name=name)

    return builder


def typed(dtype):
    return on_image(lambda image, classes: head(layers.Conv2D(4, 3, dtype=dtype)(image), classes))


def phased(kind, *arguments):
    return on_image(
        lambda image, classes: head(kind(*arguments)(block(image, 4), training=True), classes)
    )


class Subclassed(keras.Model):
    def __init__(self, shape, classes):
        super().__init__()
        self.head = layers.Dense(classes)

    def call(self, x):
        return self.head(layers.Flatten()(x))


class CallsItself(keras.Model):
    """Functional, but for what it does when it is called."""

    def __init__(self, shape, classes):
        image = keras.Input(shape)
        super().__init__(image, head(image, classes))

    def call(self, x, training=None):
        return -super().call(x, training=training)


class Mixed(layers.Layer):
    """Has a layer of its own that computes in float16."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(4, dtype="mixed_float16")

    def call(self, x):
        return ops.cast(self.inner(x), "float32")


def two_inputs(shape, classes):
    image, other = keras.Input(shape), keras.Input((2,))
    return keras.Model([image, other], head(image, classes) + layers.Dense(classes)(other))


def in_batches(shape, classes):
    image = keras.Input(batch_shape=(16, *shape))
    return keras.Model(image, head(image, classes))


def of_bytes(shape, classes):
    image = keras.Input(shape, dtype="uint8")
    return keras.Model(image, head(layers.Rescaling(1 / 255)(image), classes))


def of_any_size(shape, classes):
    image = keras.Input((None, None, 1))
    return keras.Model(image, head(layers.Conv2D(4, 3)(image), classes))


def frozen(shape, classes):
    model = unusual.dropout(shape, classes)
    model.trainable = False
    return model


def in_int8(shape, classes):
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(classes)])
    model.layers[-1].quantize("int8")
    return model


def channels_first(image, classes):
    x = layers.Permute((3, 1, 2))(image)
    return head(layers.Permute((2, 3, 1))(layers.Conv2D(4, 3, data_format="channels_first")(x)), 10)


REFUSED = {
    "nothing": (lambda shape, classes: None, "gave back nothing; it must end in `return"),
    "tensor": (lambda shape, classes: keras.Input(shape), "a tensor; return the model"),
    "layer": (lambda shape, classes: layers.Dense(3), "gave back a Dense; expected a keras.Model"),
    "list": (lambda shape, classes: [], "gave back a list"),
    "subclassed": (Subclassed, "a subclassed model (Subclassed), whose layers cannot be seen"),
    "calls_itself": (CallsItself, "a subclassed model (CallsItself)"),
    "two_inputs": (two_inputs, "2 inputs (input_layer (None, 8, 8, 1), input_layer_1 (None, 2))"),
    "in_batches": (in_batches, "batches of 16 images only; leave batch_size out"),
    "of_bytes": (of_bytes, "its input is uint8; it must be float32"),
    "of_any_size": (of_any_size, "has shape (None, None, None, 1), the images have (None, 8, 8"),
    "two_outputs": (unusual.two_outputs, "2 outputs (dense (None, 10), dense_1 (None, 2))"),
    "rank_four": (
        on_image(lambda image, classes: layers.Conv2D(classes, 1)(image)),
        "its output has shape (None, 8, 8, 10), expected (None, 10); end it with GlobalAverage",
    ),
    "one_class_too_few": (unusual.one_class_too_few, "9 logits, the data have 10 classes"),
    "two_classes_too_many": (
        on_image(lambda image, classes: head(image, classes + 2)),
        "12 logits, the data have 10 classes; let its last layer have",
    ),
    "fixed_batch": (
        on_image(lambda image, classes: ops.reshape(head(image, classes), (16, classes))),
        "a fixed batch of 16; let the first number of a reshape be -1",
    ),
    "mixed_float16": (typed("mixed_float16"), "'conv2d' (Conv2D) computes in float16 (mixed_flo"),
    "mixed_bfloat16": (typed("mixed_bfloat16"), "computes in bfloat16 (mixed_bfloat16)"),
    "float64": (typed("float64"), "computes in float64"),
    "mixed_inside": (
        on_image(lambda image, classes: head(Mixed()(image), classes)),
        "layer 'dense' (Dense) computes in float16 (mixed_float16)",
    ),
    "int8": (in_int8, "'dense' (Dense) computes in int8 (int8_from_float32)"),
    "cast": (
        on_image(lambda image, classes: head(ops.cast(ops.cast(image, "float16"), "float32"), 10)),
        "operation 'cast' (Cast) gives float16",
    ),
    "channels_first": (on_image(channels_first), "'conv2d' (Conv2D) takes channels first"),
    "space": (named("my conv"), "layer 'my conv' (Conv2D) has a name that TensorFlow refuses; c"),
    "umlaut": (named("größe"), "layer 'größe' (Conv2D) has a name that TensorFlow refuses"),
    "colon": (named("conv:1"), "call it 'conv_1'"),
    "no_name": (named(""), "layer '' (Conv2D) has a name"),
    "name_with_space": (called("my net"), "its name 'my net' is one that TensorFlow refuses; call"),
    "name_underscored": (called("_net"), "its name '_net' is one"),
    "image": (named("image"), "layer 'image' (Conv2D) has a name that qbench gives"),
    "suffix": (named("conv.quantized"), "layer 'conv.quantized' (Conv2D) has a name that qbench"),
    "numbered_suffix": (named("conv.fused.2"), "call it 'conv_fused_2_layer'"),
    "frozen": (frozen, "no weights that are trained"),
    "no_weights": (
        on_image(lambda image, classes: ops.tile(layers.GlobalMaxPooling2D()(image), (1, 10))),
        "no weights that are trained",
    ),
    "norm_in_training": (
        phased(layers.BatchNormalization),
        "(BatchNormalization) is called with training=True, so that it would work as in training",
    ),
    "dropout_in_training": (phased(layers.Dropout, 0.5), "(Dropout) is called with training=True"),
}


@pytest.mark.parametrize(("builder", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_trained_is_refused_in_one_sentence(builder, says, build):
    with pytest.raises(QbenchError) as error:
        build(builder)
    assert str(error.value).startswith("model=mine: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def application_built_flat(shape, classes):
    image = keras.Input(shape)
    base = keras.applications.MobileNetV2(
        input_tensor=image, weights=None, include_top=False, alpha=0.35
    )
    return keras.Model(image, head(base.output, classes))


TAKEN = {
    "underscored": named("_conv"),
    "other_signs": named("layer1.0.conv-a"),
    "as_backslashed_as_it_may_be": named("a\\b>c"),
    "image_as_input": lambda shape, classes: keras.Model(
        image := keras.Input(shape, name="image"), head(image, classes)
    ),
    "named_with_a_number": called("3net"),
    "phase_of_no_effect": on_image(
        lambda image, classes: head(layers.Conv2D(4, 3)(image, training=True), classes)
    ),
    "in_inference": on_image(
        lambda image, classes: head(layers.Dropout(0.5)(image, training=False), classes)
    ),
    "whole_numbers_inside": on_image(
        lambda image, classes: head(
            image + ops.cast(ops.shape(image)[1] * ops.cast(image, "int32"), "float32"), classes
        )
    ),
}


@pytest.mark.parametrize("builder", TAKEN.values(), ids=TAKEN.keys())
def test_what_can_be_trained_is_taken(builder, build):
    assert build(builder).output.shape == (None, 10)


def test_an_application_built_flat_is_taken(build):
    assert build(application_built_flat, shape=(32, 32, 3)).output.shape == (None, 10)


NAMES = ["a", "_a", "-a", ".a", "9", "a b", "ö", "a:b", "a,b", "a\\b", "a>b", "(a)", "a@b"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("rule", "outer"), [(_ROOT, ""), (_INNER, "outer")], ids=["root", "in"])
def test_the_rules_for_names_are_those_of_tensorflow(name, rule, outer):
    with tf.Graph().as_default(), tf.name_scope(outer):
        try:
            with tf.name_scope(name):
                taken = True
        except ValueError:
            taken = False
    assert bool(rule.fullmatch(name)) == taken
