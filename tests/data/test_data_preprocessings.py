"""Preprocessings against numpy and against Keras' own `preprocess_input`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.config.groups import Data
from qbench.data import load
from qbench.data.keras_applications import APPLICATIONS
from qbench.data.preprocessing import PREPROCESSING, Preparation, preparation
from qbench.data.statistics import statistics

GENERATOR = np.random.default_rng(5)
COLOUR = GENERATOR.integers(0, 256, (4, 6, 5, 3), np.uint8)
GREY = GENERATOR.integers(0, 256, (4, 6, 5, 1), np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _scaled(name: str, images: Any) -> Any:
    return np.asarray(Preparation(name)(images))


REFERENCES: dict[str, Any] = {
    "none": lambda x: x,
    "scale": lambda x: x / 255,
    "imagenet_torch": lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    "imagenet_caffe": lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68]),
}
OF_GREY: dict[str, Any] = {
    "none": lambda x: x,
    "scale": lambda x: x / 255,
    "imagenet_torch": lambda x: (x / 255 - 1.347 / 3) / (0.678 / 3),
    "imagenet_caffe": lambda x: x - 344.398 / 3,
}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", REFERENCES)
def test_colour_images(name: str, dtype: Any) -> None:
    found = _scaled(name, COLOUR.astype(dtype))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, REFERENCES[name](COLOUR.astype(float)), atol=2e-5)


@pytest.mark.parametrize("name", OF_GREY)
def test_grey_images_take_the_mean_of_the_three_numbers(name: str) -> None:
    expected = OF_GREY[name](GREY.astype(float))
    np.testing.assert_allclose(_scaled(name, GREY), expected, atol=2e-5)


def _modules() -> dict[str, Any]:
    """By name of a network, the module of keras.applications that has its preprocess_input."""
    found = {}
    for module in vars(keras.applications).values():
        if hasattr(module, "preprocess_input") and not module.__name__.endswith("imagenet_utils"):
            names = (name for name in vars(keras.applications) if hasattr(module, name))
            found |= {name: module for name in names if name[0].isupper()}
    v3 = keras.applications.mobilenet_v3  # its networks stand beside it only
    return found | {"MobileNetV3Large": v3, "MobileNetV3Small": v3}


def test_every_network_of_keras_is_known() -> None:
    networks = {name for name in vars(keras.applications) if name[0].isupper()}
    assert set(APPLICATIONS) == networks == set(_modules())


@pytest.mark.parametrize("network", APPLICATIONS)
def test_keras_preprocessing_is_that_of_the_network(network: str) -> None:
    expected = _modules()[network].preprocess_input(COLOUR.astype(np.float32))
    found = _scaled(f"keras:{network}", COLOUR)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_an_unknown_network_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(QbenchError, match=r"=keras:MobilNetV2 is not .* mean 'MobileNetV2'\?"):
        PREPROCESSING["keras:MobilNetV2"]


@pytest.mark.parametrize("images", [COLOUR, GREY], ids=["colour", "grey"])
def test_statistics_are_those_of_numpy(images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qbench.data.statistics._AT_ONCE", 100)  # several parts
    found = statistics(images)
    wide = images.astype(np.float64)
    np.testing.assert_allclose(found.mean, wide.mean(axis=(0, 1, 2)), rtol=1e-14)
    np.testing.assert_allclose(found.deviation, wide.std(axis=(0, 1, 2)), rtol=1e-13)


def test_mean_std_takes_the_training_images_without_the_validation_images() -> None:
    digits = load("digits", None)
    train = digits.train_images[100:]
    data = replace(digits, train_images=train, train_labels=digits.train_labels[100:])
    chosen = Data(name="digits", preprocessing="mean_std")
    found = np.asarray(preparation(chosen, data)(digits.test_images))
    expected = (digits.test_images.astype(float) - train.mean()) / train.std()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_channel_of_one_value_has_no_deviation() -> None:
    digits = load("digits", None)
    data = replace(digits, train_images=np.full_like(digits.train_images, 7))
    chosen = Data(name="digits", preprocessing="mean_std")
    with pytest.raises(QbenchError, match="all pixels of channel 0 of the training images of dig"):
        preparation(chosen, data)
