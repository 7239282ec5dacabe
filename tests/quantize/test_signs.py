"""Ternary and binary kernels against values computed by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from qbench.quantize.signs import BinaryQuantizer, SignsQuantizer, TernaryQuantizer

# Two filters of a convolution: |w| is 0.1, 0.2, 0.9, 0.8 and 1, 1, 1, 5.
FILTERS = np.array([[0.1, -0.2, 0.9, -0.8], [1.0, -1.0, 1.0, 5.0]], np.float32)
KERNEL = FILTERS.T.reshape(2, 2, 1, 2)


def conv(kernel: Any = KERNEL) -> Any:
    layer = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], use_bias=False)
    layer.build((None, 8, 8, kernel.shape[-2]))
    layer.kernel.assign(kernel)
    return layer


def quantized(quantizer: SignsQuantizer, layer: Any = None) -> Any:
    """The values of the two filters, and the code book."""
    layer = layer or conv()
    value = layer.kernel.numpy()
    found = np.asarray(quantizer(layer, layer.kernel, tf.constant(value)))
    book = quantizer.book(layer, layer.kernel, value)
    return found.reshape(-1, found.shape[-1]).T, book


def test_ternary_weights_with_a_scale_for_each_filter() -> None:
    """Thresholds 0.7 x 0.5 and 0.7 x 2; scales (0.9 + 0.8) / 2 and 5."""
    found, book = quantized(TernaryQuantizer(per_channel=True))
    np.testing.assert_allclose(found, [[0, 0, 0.85, -0.85], [0, 0, 0, 5]], rtol=1e-6)
    assert book.levels.tolist() == [-1, 0, 1]
    np.testing.assert_allclose(book.scales, [0.85, 5], rtol=1e-6)


def test_ternary_weights_with_one_scale() -> None:
    """The threshold is 0.7 x 1.25 = 0.875; the scale (0.9 + 1 + 1 + 1 + 5) / 5 = 1.78."""
    found, book = quantized(TernaryQuantizer())
    expected = 1.78 * np.array([[0, 0, 1, 0], [1, -1, 1, 1]])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(book.scales, [1.78], rtol=1e-6)


@pytest.mark.parametrize(("per_channel", "scales"), [(False, [1.25, 1.25]), (True, [0.5, 2.0])])
def test_binary_weights_are_signs_times_the_mean_size(per_channel: bool, scales: Any) -> None:
    found, book = quantized(BinaryQuantizer(per_channel=per_channel))
    signs = [[1, -1, 1, -1], [1, -1, 1, 1]]
    np.testing.assert_allclose(found, np.array(signs) * np.array(scales)[:, None], rtol=1e-6)
    assert book.levels.tolist() == [-1, 1]
    assert len(book.scales) == 1 + per_channel


def test_zeros_and_kernels_of_zeros() -> None:
    half = conv(np.array([0.0, -1.0], np.float32).reshape(1, 2, 1, 1))
    assert quantized(BinaryQuantizer(), half)[0].tolist() == [[0.5, -0.5]]
    none = conv(np.zeros((2, 2, 1, 2), np.float32))
    for one in (BinaryQuantizer(), TernaryQuantizer(per_channel=True)):
        found, book = quantized(one, none)
        assert not found.any() and not book.scales.any()
        assert book.codes("kernel", found.T).shape == (4, 2)


@pytest.mark.parametrize("quantizer", [TernaryQuantizer(), BinaryQuantizer(per_channel=True)])
def test_the_gradient_passes_straight_through(quantizer: SignsQuantizer) -> None:
    layer, weight = conv(), np.arange(8, dtype=np.float32).reshape(KERNEL.shape)
    value = tf.constant(KERNEL)
    with tf.GradientTape() as tape:
        tape.watch(value)
        loss = tf.reduce_sum(weight * quantizer(layer, layer.kernel, value))
    np.testing.assert_array_equal(tape.gradient(loss, value), weight)


@pytest.mark.parametrize("quantizer", [TernaryQuantizer(per_channel=True), BinaryQuantizer()])
def test_every_weight_is_exactly_a_value_of_the_code_book(quantizer: SignsQuantizer) -> None:
    values = np.random.default_rng(0).normal(size=(3, 3, 5, 7)).astype(np.float32)
    layer = conv(values)
    found = np.asarray(quantizer(layer, layer.kernel, tf.constant(values))).reshape(-1, 7)
    book = quantizer.book(layer, layer.kernel, values)
    codes = book.codes("kernel", found)
    np.testing.assert_array_equal(book.levels[codes] * book.scales, found)


def test_a_dense_kernel_has_one_scale() -> None:
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    book = BinaryQuantizer(per_channel=True).book(layer, layer.kernel, layer.kernel.numpy())
    assert book is not None and book.scales.shape == (1,)
