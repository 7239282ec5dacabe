"""The network. Replace it with your own; plain Keras, without any quantization."""

import keras
from keras import layers


def build(shape, classes, width=16):
    """`shape` is (height, width, channels) of an image; the model returns logits, no softmax."""
    x = image = keras.Input(shape)
    for stage in range(3):
        x = layers.Conv2D(width << stage, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))
