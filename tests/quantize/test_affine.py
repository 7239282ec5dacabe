"""What a convolution and its batch normalization come to, against the layers themselves."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from quantize_networks import images, network

from qbench.quantize.folding import affine, scaled


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("make", [layers.Conv2D, layers.DepthwiseConv2D])
def test_a_kernel_with_factor_and_bias_is_both_layers(make, bias, scale, center):
    settings = {"filters": 4} if make is layers.Conv2D else {"depth_multiplier": 2}
    layer = make(kernel_size=3, use_bias=bias, **settings)
    norm = layers.BatchNormalization(scale=scale, center=center, epsilon=0.25)
    model, x = network(lambda image: norm(layer(image))), images()
    generator = np.random.default_rng(5)
    for weight in (*norm.weights, *([layer.bias] if bias else [])):
        weight.assign(generator.uniform(0.5, 2, weight.shape))
    expected = model(x, training=False).numpy()
    found = affine(layer, norm, 4)
    assert found.factor.dtype == found.bias.dtype == np.float32
    layer.kernel.assign(scaled(layer, layer.kernel, found.factor))
    if bias:
        layer.bias.assign(np.zeros(4))
    np.testing.assert_allclose(layer(x) + found.bias, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_without_a_normalization_the_layer_is_itself(bias):
    layer = layers.Dense(3, use_bias=bias, bias_initializer=keras.initializers.Constant(0.5))
    layer.build((None, 2))
    found = affine(layer, None, 3)
    np.testing.assert_array_equal(found.factor, [1, 1, 1])
    np.testing.assert_array_equal(found.bias, [0.5 * bias] * 3)
