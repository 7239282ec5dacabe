"""The networks: depth, parameters, and sizes by an independent count."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import keras
import numpy as np
import pytest
from shipped_networks import SHIPPED

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.deploy.sizes import FLOAT_BITS, folded_values, megabytes
from qbench.models import MODELS, build_model
from qbench.tasks.classification import Classification

TEN = Classification(10)
COLOUR, GREY = (32, 32, 3), (8, 8, 1)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _layers(model: Any, kind: str) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ == kind]


def test_resnet8_has_the_parameters_of_mlperf_tiny() -> None:
    """78,666 in all: the moving statistics count, as in Keras' summary."""
    assert build_model("resnet8", {}, COLOUR, TEN).count_params() == 78_666


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_depth_of_resnet_v1(blocks: int) -> None:
    """6 blocks + 2 layers with weights on the main path, and two projection shortcuts."""
    model = build_model("resnet_v1", {"blocks": blocks}, COLOUR, TEN)
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
    model = build_model("resnet_v1", {"blocks": 3}, COLOUR, TEN)
    kernels = 9 * (3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64)
    kernels += 16 * 32 + 32 * 64 + 64 * 10
    channels = 16 * 7 + 32 * 7 + 64 * 7
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trained == kernels + 2 * channels + 10


@pytest.mark.parametrize("name", ["resnet8", "resnet_v1"])
def test_stages_halve_the_sides(name: str) -> None:
    model = build_model(name, {}, COLOUR, TEN)
    shapes = [layer.output.shape[1:] for layer in _layers(model, "Add")]
    assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    assert model.input.shape == (None, *COLOUR)
    assert model.output.shape == (None, 10)


def test_a_stride_of_the_stem_halves_every_side() -> None:
    whole = build_model("resnet_v1", {"width": 4}, GREY, TEN)
    halved = build_model("resnet_v1", {"width": 4, "stem_stride": 2}, GREY, TEN)
    assert halved.count_params() == whole.count_params()
    names = ["stem", "stage1_block1_add", "stage2_block1_add", "stage3_block1_add"]
    sides = [halved.get_layer(name).output.shape[1] for name in names]
    assert [2 * side for side in sides] == [whole.get_layer(name).output.shape[1] for name in names]


def test_the_output_is_logits() -> None:
    model = build_model("resnet8", {}, GREY, Classification(4))
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


# Kernels and biases of two or four convolutions and two dense layers.
LENET = 25 * (20 + 20 * 50) + 4 * 4 * 50 * 500 + 500 * 10 + (20 + 50 + 500 + 10)
CONVNET = 9 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 6 * 6 * 64 * 512 + 512 * 10
CONVNET += 32 + 32 + 64 + 64 + 512 + 10


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [("lenet", (28, 28, 1), LENET), ("convnet", (32, 32, 3), CONVNET)],
)
def test_parameters_without_normalization(
    name: str, shape: tuple[int, int, int], expected: int
) -> None:
    model = build_model(name, {}, shape, TEN)
    assert model.count_params() == folded_values(model) == expected
    dropped = [layer.rate for layer in model.layers if hasattr(layer, "rate")]
    assert dropped == ([0.25, 0.25, 0.5] if name == "convnet" else [])


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
    assert folded_values(build_model(name, arguments, COLOUR, TEN)) == expected


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
    ("resnet_v1", {"shape": 2}, "model.shape: qbench gives the function this argument itself"),
    ("resnet_v1", {"blocks": "many"}, "model=resnet_v1 cannot be built with {'blocks': 'many'}"),
    ("resnet_v1", {"blocks": 1.5}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"blocks": None}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"width": 0}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"width": -4}, "model=resnet_v1 cannot be built"),
    ("resnet_v1", {"width": "wide"}, "model=resnet_v1 cannot be built"),
    ("resnet8", {"batch_norm_momentum": "slow"}, "model=resnet8 cannot be built"),
    ("resnet9", {}, "model.name=resnet9 is not known"),
    ("resnet8", {"activation": "elu"}, "model.activation=elu is not allowed: expected relu or"),
    ("resnet_v1", {"stem_stride": 3}, "model.stem_stride=3 is not allowed: expected 1 or 2"),
    ("resnet_cifar", {"depth": 21}, "model.depth=21 is not allowed: expected 8, 14, 20"),
    ("resnet_cifar", {"depth": 2}, "model.depth=2 is not allowed"),
    ("resnet_cifar", {"depth": 20.0}, "model.depth=20.0 is not allowed"),
    ("resnet_slim", {"depth": 100}, "model.depth=100 is not allowed: expected 50, 101 or 152"),
    ("mobilenet_v1", {"depth_multiplier": 0}, "model.depth_multiplier=0 is not allowed"),
    ("mobilenet_v1", {"depth_multiplier": "half"}, "model.depth_multiplier=half is not allowed"),
    ("convnet", {"dropout": 0.5}, "model.dropout=0.5 is not allowed: expected a number from 0 to"),
    ("lenet", {"dense": 0}, "model.dense=0 is not allowed: expected a whole number of at least 1"),
    ("mobilenet_v1", {"halvings": 6}, "model.halvings=6 is not allowed: expected a whole number"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "says"), WRONG, ids=[f"{name}-{given}" for name, given, _ in WRONG]
)
def test_wrong_model_argument(name: str, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(QbenchError) as error:
        build_model(name, arguments, COLOUR, TEN)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "least"), [("lenet", 16), ("convnet", 12)])
def test_images_that_are_too_small(name: str, least: int) -> None:
    with pytest.raises(
        QbenchError, match=f"model={name} for images of 8x8 is not .*: expected {least} pix"
    ):
        build_model(name, {}, GREY, TEN)


def _trained(model: Any) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    ("depth", "parameters"),
    [
        (50, 25_557_032),
        pytest.param(101, 44_549_160, marks=pytest.mark.slow),
        pytest.param(152, 60_192_808, marks=pytest.mark.slow),
    ],
)
def test_resnet_slim_has_the_published_parameters(depth: int, parameters: int) -> None:
    """As torchvision counts them for 1,000 classes: strides stand elsewhere, kernels do not."""
    model = build_model("resnet_slim", {"depth": depth}, (224, 224, 3), Classification(1000))
    assert _trained(model) == parameters
    sizes = [layer.kernel_size for layer in _layers(model, "Conv2D")]
    shortcuts = 4
    assert len(sizes) - shortcuts == depth
    assert model.get_layer("block4_unit3_add").output.shape[1:] == (7, 7, 2048)


def test_resnet50_v1_is_resnet_slim_of_50_layers() -> None:
    one = build_model("resnet50_v1", {}, COLOUR, TEN)
    two = build_model("resnet_slim", {}, COLOUR, TEN)
    assert _trained(one) == 23_528_522
    assert [layer.name for layer in one.layers] == [layer.name for layer in two.layers]
    assert one.name == two.name == "resnet50_v1"


@pytest.mark.parametrize("depth", [8, 20, 32, 56])
def test_resnet_cifar_is_resnet_v1_by_its_depth(depth: int) -> None:
    one = build_model("resnet_cifar", {"depth": depth}, COLOUR, TEN)
    two = build_model("resnet_v1", {"blocks": (depth - 2) // 6}, COLOUR, TEN)
    assert [w.shape for w in one.weights] == [w.shape for w in two.weights]
    main_path = [layer for layer in _layers(one, "Conv2D") if layer.kernel_size == (3, 3)]
    assert len(main_path) + len(_layers(one, "Dense")) == depth


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (56, 0.85)])
def test_resnet_cifar_has_the_published_parameters(depth: int, millions: float) -> None:
    """He et al., table 6; their shortcuts have no parameters, these have 2,752."""
    model = build_model("resnet_cifar", {"depth": depth}, COLOUR, TEN)
    shortcuts = 16 * 32 + 32 * 64 + 2 * (32 + 64)
    assert (_trained(model) - shortcuts) / 1e6 == pytest.approx(millions, abs=0.006)


# Keras' own table and Howard et al., table 6: 4.2, 2.6, 1.3 and 0.5 million.
MOBILENETS = [(1.0, 4_253_864), (0.75, 2_601_976), (0.5, 1_342_536), (0.25, 475_544)]


@pytest.mark.parametrize(("multiplier", "parameters"), MOBILENETS)
def test_mobilenet_has_the_published_parameters(multiplier: float, parameters: int) -> None:
    arguments = {"depth_multiplier": multiplier}
    model = build_model("mobilenet_v1", arguments, (224, 224, 3), Classification(1000))
    assert model.count_params() == parameters


def _separable(model: Any) -> list[tuple[Any, ...]]:
    """Kernels, strides and channels of all convolutions, and the side of what they make."""
    kinds = ("Conv2D", "DepthwiseConv2D")
    return [
        (type(layer).__name__, layer.kernel_size, layer.strides, layer.output.shape[1:])
        for layer in model.layers
        if type(layer).__name__ in kinds
    ]


def test_mobilenet_has_the_layers_of_keras_own() -> None:
    own = keras.applications.MobileNet((64, 64, 3), alpha=0.5, weights=None, include_top=False)
    model = build_model("mobilenet_v1", {"depth_multiplier": 0.5}, (64, 64, 3), TEN)
    assert _separable(model) == _separable(own)
    assert len(_layers(model, "BatchNormalization")) == len(_layers(model, "ReLU")) == 27


@pytest.mark.parametrize(
    ("halvings", "side", "last"), [(5, 224, 7), (5, 32, 1), (4, 32, 2), (3, 32, 4), (0, 8, 8)]
)
def test_mobilenet_leaves_its_first_strides_out(halvings: int, side: int, last: int) -> None:
    arguments = {"halvings": halvings, "depth_multiplier": 0.25}
    model = build_model("mobilenet_v1", arguments, (side, side, 3), TEN)
    convolutions = _separable(model)
    assert convolutions[-1][-1] == (last, last, 256)
    strides = [strides[0] for _, _, strides, _ in convolutions if strides[0] > 1]
    assert strides == [2] * halvings
    whole = build_model("mobilenet_v1", {"depth_multiplier": 0.25}, (224, 224, 3), TEN)
    published = [k for k, part in enumerate(_separable(whole)) if part[2] == (2, 2)]
    here = [k for k, part in enumerate(convolutions) if part[2] == (2, 2)]
    assert here == published[len(published) - halvings :]


def test_a_small_mobilenet_keeps_eight_channels() -> None:
    model = build_model("mobilenet_v1", {"depth_multiplier": 0.01}, GREY, TEN)
    assert min(part[-1][-1] for part in _separable(model)) == 8


def test_folded_values_of_depthwise_kernels() -> None:
    """A kernel of 9 and a bias for each channel, and the pointwise ones of table 1."""
    channels = [32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
    expected = 9 * 3 * 32 + 32 + 1024 * 10 + 10
    expected += sum(10 * i + i * o + o for i, o in itertools.pairwise(channels))
    assert folded_values(build_model("mobilenet_v1", {}, COLOUR, TEN)) == expected


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("resnet8", "mobilenet_v1") else pytest.mark.slow)
        for name in SHIPPED
    ],
)
def test_every_activation_of_a_network_can_be_chosen(name: str) -> None:
    """An identity takes a missing choice for relu, so that is what every builder must mean."""
    assert inspect.signature(MODELS[name]).parameters["activation"].default == "relu"
    found = {}
    shape = (16, 16, 1) if name in ("convnet", "lenet") else GREY  # the fewest pixels they take
    for choice in (None, "relu", "relu6"):
        model = build_model(name, {"activation": choice} if choice else {}, shape, TEN)
        found[choice] = [(layer.name, layer.max_value) for layer in _layers(model, "ReLU")]
    assert found[None] == found["relu"]
    assert {largest for _, largest in found["relu"]} == {None}
    assert {largest for _, largest in found["relu6"]} == {6}
    assert [layer for layer, _ in found["relu6"]] == [layer for layer, _ in found["relu"]]


def test_layers_without_a_name_have_the_same_one_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's network: what was measured of its tensors is found by their names."""

    def unnamed(shape: tuple[int, int, int], classes: int) -> Any:
        image = keras.Input(shape)
        x = keras.layers.ReLU()(keras.layers.Conv2D(2, 3)(image))
        return keras.Model(image, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))

    monkeypatch.setitem(MODELS._items, "unnamed", unnamed)
    names = [[layer.name for layer in build_model("unnamed", {}, GREY, TEN).layers] for _ in "ab"]
    assert names[0] == names[1]
    assert names[0][1:] == ["conv2d", "re_lu", "flatten", "dense"]
