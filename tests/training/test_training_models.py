"""The networks: depth, parameters, and sizes by an independent count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qbench import device
from qbench.deploy.sizes import FLOAT_BITS, folded_values, megabytes
from qbench.errors import QbenchError
from qbench.models import build_model

COLOUR, GREY = (32, 32, 3), (8, 8, 1)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _layers(model: Any, kind: str) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ == kind]


def test_resnet8_has_the_parameters_of_mlperf_tiny() -> None:
    """78,666 in all: the moving statistics count, as in Keras' summary."""
    assert build_model("resnet8", {}, COLOUR, 10).count_params() == 78_666


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_depth_of_resnet_v1(blocks: int) -> None:
    """6 blocks + 2 layers with weights on the main path, and two projection shortcuts."""
    model = build_model("resnet_v1", {"blocks": blocks}, COLOUR, 10)
    convolutions = _layers(model, "Conv2D")
    sizes = [layer.kernel_size for layer in convolutions]
    assert sizes.count((3, 3)) == 1 + 6 * blocks
    assert sizes.count((1, 1)) == 2
    assert len(convolutions) == len(_layers(model, "BatchNormalization"))
    assert len(_layers(model, "Dense")) == 1
    assert len(_layers(model, "Add")) == 3 * blocks
    assert not any(layer.use_bias for layer in convolutions)
    assert all(layer.momentum == 0.99 for layer in _layers(model, "BatchNormalization"))


def test_resnet20_has_the_published_parameters() -> None:
    """0.27 million in He et al., table 6; with option B shortcuts 272,474 are trained."""
    model = build_model("resnet_v1", {"blocks": 3}, COLOUR, 10)
    kernels = 9 * (3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64)
    kernels += 16 * 32 + 32 * 64 + 64 * 10
    channels = 16 * 7 + 32 * 7 + 64 * 7
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trained == kernels + 2 * channels + 10


@pytest.mark.parametrize("name", ["resnet8", "resnet_v1"])
def test_stages_halve_the_sides(name: str) -> None:
    model = build_model(name, {}, COLOUR, 10)
    shapes = [layer.output.shape[1:] for layer in _layers(model, "Add")]
    assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    assert model.input.shape == (None, *COLOUR)
    assert model.output.shape == (None, 10)


def test_the_output_is_logits() -> None:
    model = build_model("resnet8", {}, GREY, 4)
    images = np.random.default_rng(0).normal(size=(5, *GREY)).astype(np.float32)
    logits = np.asarray(model(images))
    assert logits.shape == (5, 4)
    assert not np.allclose(logits.sum(axis=1), 1)


# Values after folding: every kernel, and a bias for each channel, of
# stem, two convolutions a block, two shortcuts and the dense layer.
EIGHT = 9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 16 * 32 + 32 * 64
EIGHT += 64 * 10 + (3 * 16 + 3 * 32 + 3 * 64 + 10)
TWENTY = 9 * (3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64)
TWENTY += 16 * 32 + 32 * 64 + 64 * 10 + (7 * 16 + 7 * 32 + 7 * 64 + 10)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("resnet8", {}, EIGHT),
        ("resnet_v1", {"blocks": 1}, EIGHT),
        ("resnet_v1", {"blocks": 3}, TWENTY),
    ],
    ids=["resnet8", "resnet_v1-1", "resnet_v1-3"],
)
def test_folded_values(name: str, arguments: dict[str, Any], expected: int) -> None:
    assert folded_values(build_model(name, arguments, COLOUR, 10)) == expected


@pytest.mark.parametrize(
    ("values", "bits", "expected"),
    [
        (23_501_962, 32, 94.007848),
        (23_501_962, 16, 47.003924),
        (23_501_962, 8, 23.501962),
        (23_501_962, 4, 11.750981),
        (1_000_000, 3, 0.375),
    ],
)
def test_megabytes(values: int, bits: int, expected: float) -> None:
    assert megabytes(values, bits) == pytest.approx(expected, rel=1e-12)
    assert FLOAT_BITS == 32


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("resnet8", {"blocks": 2}, "model.blocks is not a setting"),
    ("resnet_v1", {"block": 2}, "did you mean model.blocks?"),
    ("resnet_v1", {"shape": 2}, "model.shape is not a setting"),
    ("resnet_v1", {"blocks": "many"}, "model=resnet_v1 cannot be built with {'blocks': 'many'}"),
    ("resnet_v1", {"blocks": 1.5}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"blocks": None}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"width": 0}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"width": -4}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"width": "wide"}, "model=resnet_v1 cannot be built"),
    ("resnet8", {"batch_norm_momentum": "slow"}, "model=resnet8 cannot be built"),
    ("resnet9", {}, "model.name=resnet9 is not known"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "says"), WRONG, ids=[f"{name}-{given}" for name, given, _ in WRONG]
)
def test_wrong_model_argument(name: str, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(QbenchError) as error:
        build_model(name, arguments, COLOUR, 10)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
