"""Networks with random layers, beside `dropout`: functions of (shape, classes)."""

import keras
from keras import layers, ops
from unusual_networks import block, dropout, head


def dropouts(shape, classes):
    """Dropout of every sort, one layer of them called twice."""
    image = keras.Input(shape)
    x = layers.Dropout(0.1)(block(image, 8, 2))
    channels = layers.SpatialDropout2D(0.2)
    x = layers.Add()([channels(x), layers.Conv2D(8, 3, padding="same")(channels(x))])
    x = layers.GaussianDropout(0.2)(layers.AlphaDropout(0.1)(x))
    x = layers.Reshape((-1, 8))(x)
    x = layers.SpatialDropout1D(0.2)(x)
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling1D()(x)))


def augmented(shape, classes):
    image = keras.Input(shape)
    x = layers.RandomFlip("horizontal")(image)
    x = layers.RandomTranslation(0.2, 0.2)(x)
    x = layers.RandomContrast(0.3)(layers.RandomBrightness(0.2, value_range=(-1, 1))(x))
    x = layers.RandomZoom(0.2)(layers.RandomRotation(0.1)(x))
    return keras.Model(image, head(block(layers.GaussianNoise(0.3)(x), 8, 2), classes))


def attention(shape, classes):
    image = keras.Input(shape)
    x = layers.Reshape((-1, 8))(block(image, 8, 2))
    x = x + layers.MultiHeadAttention(2, 4, dropout=0.3)(x, x)
    x = layers.GRU(8, dropout=0.2)(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(classes)(x))


class Noise(layers.Layer):
    """A layer of one's own, with a generator and a layer that has one."""

    def __init__(self, generator=None):
        super().__init__()
        self.generator = generator or keras.random.SeedGenerator(7)
        self.inner = layers.Dropout(0.1)

    def call(self, x, training=False):
        if not training:
            return x
        return self.inner(x + 0.2 * keras.random.normal(ops.shape(x), seed=self.generator))


class NoisyDense(layers.Dense):
    """A dense layer, whose kernel is quantized, that draws from a generator it is given."""

    def __init__(self, units, generator, **options):
        super().__init__(units, **options)
        self.generator = generator

    def call(self, x, training=False):
        if training:
            x = keras.random.dropout(x, 0.3, seed=self.generator)
        return super().call(x)


def own_generators(shape, classes):
    image = keras.Input(shape)
    x = Noise()(block(image, 8, 2))
    shared = keras.random.SeedGenerator()
    x = NoisyDense(8, shared, activation="relu")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, NoisyDense(classes, shared)(x))


RANDOM = {
    build.__name__: build for build in (dropout, dropouts, augmented, attention, own_generators)
}
