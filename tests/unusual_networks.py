"""Networks of kinds that qbench was not written for: functions of (shape, classes)."""

import keras
from keras import layers, ops


def block(x, width, stride=1, **options):
    """Convolution, batch normalization, ReLU."""
    x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False, **options)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def head(x, classes, **options):
    return layers.Dense(classes, **options)(layers.GlobalAveragePooling2D()(x))


def normalization_first(shape, classes):
    image = keras.Input(shape)
    x = layers.BatchNormalization()(image)
    x = block(x, 16)
    x = layers.MaxPooling2D()(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, head(x, classes))


def normalization_after_activation(shape, classes):
    image = keras.Input(shape)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(block(image, 8))
    return keras.Model(image, head(layers.BatchNormalization()(x), classes))


def prelu(shape, classes):
    image = keras.Input(shape)
    x = layers.Conv2D(16, 3, padding="same")(block(image, 8))
    x = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(x))
    return keras.Model(image, head(x, classes))


def layer_normalization(shape, classes):
    image = keras.Input(shape)
    x = layers.Conv2D(16, 3, padding="same")(block(image, 8))
    return keras.Model(image, head(layers.ReLU()(layers.LayerNormalization()(x)), classes))


def shared_layers(shape, classes):
    image = keras.Input(shape)
    x = block(image, 8)
    convolution, norm = layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization()
    for _ in range(2):
        x = layers.ReLU()(norm(convolution(x)))
    return keras.Model(image, head(x, classes))


class OwnConvolution(keras.layers.Layer):
    """A convolution that no list of layer types knows."""

    def build(self, shape):
        self.filters = self.add_weight(shape=(3, 3, shape[-1], 16), name="filters")

    def call(self, x):
        return ops.conv(x, self.filters, 1, "same")

    def compute_output_shape(self, shape):
        return (*shape[:-1], 16)


def own_layer(shape, classes):
    image = keras.Input(shape)
    x = OwnConvolution()(block(image, 8))
    return keras.Model(image, head(layers.ReLU()(layers.BatchNormalization()(x)), classes))


def dropout(shape, classes, rate=0.3):
    image = keras.Input(shape)
    x = layers.GlobalAveragePooling2D()(block(block(image, 8), 16, 2))
    return keras.Model(image, layers.Dense(classes)(layers.Dropout(rate)(x)))


def regularized(shape, classes, l2=0.5):
    rule = keras.regularizers.L2(l2)
    image = keras.Input(shape)
    x = block(block(image, 8, kernel_regularizer=rule), 16, 2, kernel_regularizer=rule)
    return keras.Model(image, head(x, classes, kernel_regularizer=rule))


def softmax_at_the_end(shape, classes):
    image = keras.Input(shape)
    return keras.Model(image, head(block(image, 8), classes, activation="softmax"))


def two_outputs(shape, classes):
    image = keras.Input(shape)
    x = block(image, 8)
    return keras.Model(image, [head(x, classes), head(x, 2)])


def one_class_too_few(shape, classes):
    image = keras.Input(shape)
    return keras.Model(image, head(block(image, 8), classes - 1))


def concatenated_by_ops(shape, classes):
    image = keras.Input(shape)
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(image)
    x = ops.relu(layers.BatchNormalization()(x))
    y = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    y = ops.relu(layers.BatchNormalization()(y))
    z = ops.concatenate([x + y, y], axis=-1)
    z = ops.reshape(z, (-1, z.shape[1] * z.shape[2], z.shape[3]))
    return keras.Model(image, layers.Dense(classes)(ops.mean(z, axis=1)))


def sequential(shape, classes):
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(12, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )


def nested(shape, classes):
    image = keras.Input(shape)
    x = block(image, 8)
    inner = keras.Input(x.shape[1:])
    return keras.Model(image, head(keras.Model(inner, block(inner, 16))(x), classes))


def keyword_call(shape, classes):
    image = keras.Input(shape)
    x = layers.BatchNormalization()(inputs=layers.Conv2D(8, 3)(inputs=block(image, 8)))
    return keras.Model(image, head(layers.ReLU()(x), classes))
