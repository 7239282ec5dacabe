"""The VGG networks: layers, parameters and multiplications, and a narrow one that trains."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
import pytest
import training_examples as examples

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.models import MODELS, build_model, vgg
from qbench.tasks.classification import Classification
from qbench.testing import check_model

IMAGENET, CIFAR = ((224, 224, 3), 1000), ((32, 32, 3), 10)
LARGE = {"width": 16, "hidden": 512}
NARROW = {"name": "vgg16", "width": 2, "hidden": 8, "dropout": 0.5}


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _kernels(model: Any) -> list[tuple[int, int]]:
    """Values of each kernel, and how often an image multiplies each of them."""
    found = []
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            _, *sides, _ = layer.output.shape
            found.append((int(np.prod(layer.kernel.shape)), int(np.prod(sides))))
    return found


def _counted(model: Any) -> tuple[int, int, int]:
    """Convolutions, trained parameters and multiplications for an image."""
    convolutions = sum(type(layer).__name__ == "Conv2D" for layer in model.layers)
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    return convolutions, trained, sum(values * often for values, often in _kernels(model))


# Parameters as Keras and torchvision count them for VGG-16. The sides are those of table 1 of
# Simonyan and Zisserman and of figure 2 of Chen et al.
@pytest.mark.parametrize(
    ("name", "arguments", "images", "expected"),
    [
        ("vgg16", {}, IMAGENET, (13, 138_357_544, 15_470_264_320)),
        ("vgg_small", {"convolutions": 5}, IMAGENET, (5, 46_980_264, 3_139_010_560)),
        ("vgg_small", {"convolutions": 8}, IMAGENET, (8, 74_145_704, 4_320_755_712)),
        ("vgg_cifar", {}, CIFAR, (10, 254_274, 4_778_496)),
        ("vgg_cifar", LARGE, CIFAR, (10, 1_009_146, 18_666_496)),
    ],
    ids=["vgg16", "small5", "small8", "cifar", "cifar_large"],
)
def test_parameters_and_multiplications(
    name: str,
    arguments: dict[str, Any],
    images: Any,
    expected: tuple[int, int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Not with build_model, whose checks run the network; 138 million zeros are quickly made.
    monkeypatch.setattr(vgg, "INITIALIZER", "zeros")
    assert _counted(MODELS[name](*images, **arguments)) == expected


def _stages(model: Any) -> list[tuple[int, int]]:
    """Side and channels of what each convolution makes."""
    made = [layer.output for layer in model.layers if type(layer).__name__ == "Conv2D"]
    return [(tensor.shape[1], tensor.shape[3]) for tensor in made]


def test_the_small_networks_lack_stages_and_have_half_the_channels() -> None:
    """Figure 2 of Chen et al.: no 112x112x128, for 8 no 14x14x512, for 5 no 28x28x512 either."""
    arguments = {"hidden": 8}
    eight = [(224, 64)] * 2 + [(56, 128)] * 3 + [(28, 256)] * 3
    assert _stages(MODELS["vgg_small"](*IMAGENET, **arguments)) == eight
    assert _stages(MODELS["vgg_small"](*IMAGENET, convolutions=5, **arguments)) == eight[:5]


def test_every_convolution_of_the_small_images_is_normalised_and_has_no_bias() -> None:
    model = MODELS["vgg_cifar"](*CIFAR, batch_norm_momentum=0.9)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("BatchNormalization") == kinds.count("Conv2D") == 10
    assert kinds.count("Dropout") == 0
    for layer in model.layers:
        if type(layer).__name__ == "Conv2D":
            assert not layer.use_bias
        if type(layer).__name__ == "BatchNormalization":
            assert layer.momentum == 0.9


def test_a_narrow_one_is_built_read_and_trained() -> None:
    config = {**examples.CONFIG, "model": NARROW}
    chosen = Experiment.from_config(config).with_values({"quant.enabled": False, "train.steps": 3})
    network = examples.fresh(chosen)
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    assert network.model(images).shape == (3, 10)
    before = network.model.get_layer("stage1_conv1").kernel.numpy()
    history = examples.trained(network, chosen)
    assert len(history) == 3 and all(isfinite(float(row["loss"])) for row in history)
    assert not np.array_equal(network.model.get_layer("stage1_conv1").kernel.numpy(), before)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "vgg_small", "vgg_cifar"])
def test_narrow_ones_keep_the_contract(name: str) -> None:
    check_model(MODELS[name], width=2, hidden=8)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("vgg_small", {"convolutions": 6}, "model.convolutions=6 is not allowed: expected 5 or 8"),
    ("vgg16", {"width": 0}, "model.width=0 is not allowed: expected a whole number"),
    ("vgg16", {"hidden": 0.5}, "model.hidden=0.5 is not allowed: expected a whole number"),
    ("vgg_cifar", {"dropout": 1}, "model.dropout=1 is not allowed: expected a number"),
    ("vgg_cifar", {"activation": "elu"}, "model.activation=elu is not allowed"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "says"), WRONG, ids=[f"{name}-{given}" for name, given, _ in WRONG]
)
def test_wrong_arguments_are_refused(name: str, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(QbenchError) as error:
        build_model(name, arguments, (8, 8, 1), Classification(10))
    assert says in str(error.value)
