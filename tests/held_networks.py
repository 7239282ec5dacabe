"""Networks whose weights may not go anywhere, or nowhere: functions of (shape, classes)."""

import keras
from keras import layers
from unusual_networks import block, head

MaxNorm, UnitNorm = keras.constraints.MaxNorm, keras.constraints.UnitNorm


def constrained(shape, classes):
    """A constraint on every kind of variable, and some that are free."""
    image = keras.Input(shape)
    x = layers.Conv2D(6, 3, strides=2, use_bias=False, kernel_constraint=MaxNorm(0.5))(image)
    x = layers.BatchNormalization(gamma_constraint="non_neg", beta_constraint=MaxNorm(0.01))(x)
    x = layers.DepthwiseConv2D(3, depthwise_constraint=UnitNorm((0, 1)))(layers.ReLU()(x))
    x = layers.ReLU()(x)
    return keras.Model(image, head(x, classes, bias_constraint="non_neg"))


class Doubled(keras.constraints.Constraint):
    """One of one's own: twice the mean of a column is its largest entry."""

    def __call__(self, w):
        return keras.ops.minimum(w, 2 * keras.ops.abs(keras.ops.mean(w, axis=0)))


def constrained_by_own(shape, classes):
    image = keras.Input(shape)
    x = block(image, 6, 2, kernel_constraint="unit_norm")
    return keras.Model(image, head(x, classes, kernel_constraint=Doubled()))


def frozen_layers(shape, classes):
    """A convolution and a normalization that stay, both folded where anything is."""
    image = keras.Input(shape)
    first = layers.Conv2D(6, 3, strides=2, use_bias=False, trainable=False)
    x = layers.ReLU()(layers.BatchNormalization()(first(image)))
    norm = layers.BatchNormalization(trainable=False)
    x = layers.ReLU()(norm(layers.Conv2D(6, 3, use_bias=False)(x)))
    return keras.Model(image, head(x, classes))


def frozen_variables(shape, classes):
    """Single variables of layers that train otherwise."""
    image = keras.Input(shape)
    convolution, norm = layers.Conv2D(6, 3, strides=2, use_bias=False), layers.BatchNormalization()
    x = layers.ReLU()(norm(convolution(image)))
    dense = layers.Dense(classes)
    model = keras.Model(image, dense(layers.GlobalAveragePooling2D()(x)))
    convolution.kernel.trainable = norm.beta.trainable = dense.bias.trainable = False
    return model


def frozen_base(shape, classes):
    """All but the head, as for a network that was trained elsewhere."""
    image = keras.Input(shape)
    base = keras.Model(image, block(block(image, 6), 6, 2, kernel_regularizer="l2"))
    base.trainable = False
    return keras.Model(image, head(base.output, classes))


FROZEN = {build.__name__: build for build in (frozen_layers, frozen_variables, frozen_base)}
