"""Networks whose layers add losses, beside `regularized`: functions of (shape, classes)."""

import keras
from keras import layers, ops
from unusual_networks import head, regularized

L1, L2 = keras.regularizers.L1, keras.regularizers.L2


def activities(shape, classes):
    """What a convolution gives, what its normalization gives, what a dense layer gives."""
    image = keras.Input(shape)
    x = layers.Conv2D(6, 3, strides=2, activity_regularizer=L2(0.02))(image)
    x = layers.BatchNormalization(activity_regularizer=L1(0.01))(x)
    return keras.Model(image, head(layers.ReLU()(x), classes, activity_regularizer=L2(0.1)))


def every_variable(shape, classes):
    """Biases, gammas and betas, and kernels of several kinds."""
    image = keras.Input(shape)
    x = layers.Conv2D(6, 3, strides=2, activation="relu", bias_regularizer=L1(0.5))(image)
    x = layers.Conv2D(6, 1, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(gamma_regularizer=L2(0.5))(x))
    x = layers.SeparableConv2D(6, 3, depthwise_regularizer=L2(1), pointwise_regularizer=L1(1))(x)
    x = layers.BatchNormalization(beta_regularizer=L1(0.5))(x)
    return keras.Model(image, head(layers.ReLU()(x), classes, bias_regularizer=L2(2)))


class Balanced(layers.Layer):
    """Adds a loss of its own, and holds a layer that has one."""

    def __init__(self, units):
        super().__init__()
        self.inner = layers.Dense(units, kernel_regularizer=L2(0.3))

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        y = self.inner(x)
        self.add_loss(0.5 * ops.mean(ops.square(ops.mean(y, axis=0))))
        self.add_loss(0.1 * ops.abs(y))  # not a scalar: Keras sums it
        return y

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.inner.units)


class PenalizedDense(layers.Dense):
    """A dense layer, whose kernel is quantized, that adds a loss when it is called."""

    def call(self, x):
        y = super().call(x)
        self.add_loss(0.2 * ops.mean(ops.square(y)))
        return y


def own_losses(shape, classes):
    image = keras.Input(shape)
    x = layers.BatchNormalization()(layers.Conv2D(6, 3, strides=2, use_bias=False)(image))
    x = layers.ActivityRegularization(l2=0.05)(layers.ReLU()(x))
    x = Balanced(8)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, PenalizedDense(classes)(x))


def called_twice(shape, classes):
    """The loss of an activity counts at every call, that of a kernel once."""
    image = keras.Input(shape)
    x = layers.BatchNormalization()(layers.Conv2D(6, 3, strides=2, use_bias=False)(image))
    again = layers.Conv2D(
        6, 3, padding="same", kernel_regularizer=L2(0.5), activity_regularizer=L2(0.05)
    )
    x = layers.ReLU()(again(layers.ReLU()(again(x))))
    return keras.Model(image, head(x, classes))


def masked(shape, classes):
    """A normalization that leaves masked pixels out, and cannot be fused."""
    image = keras.Input(shape)
    x = layers.BatchNormalization(activity_regularizer=L2(0.01))(layers.Masking(-1.0)(image))
    return keras.Model(image, head(layers.Conv2D(6, 3, activation="relu")(x), classes))


PENALIZED = {
    build.__name__: build
    for build in (regularized, activities, every_variable, own_losses, called_twice, masked)
}
