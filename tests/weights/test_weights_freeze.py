"""Frozen layers: what steps leave alone, in float and in quantized phases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from weights_files import NAME, SHAPE, by_layer, equal, net

from qbench.base.errors import QbenchError
from qbench.models import MODELS, build_model
from qbench.models.freeze import freeze_layers
from qbench.models.remarks import remarks
from qbench.tasks.classification import Classification
from qbench.testing.networks import dataset, experiment, images
from qbench.training.loop import train
from qbench.training.network import Network

PIXELS = images(SHAPE)
DATA = dataset(PIXELS, np.arange(len(PIXELS)) % 10, Classification(10))
FOLDED = {"placement": ["deploy"], "fold_batch_norm": True, "granularity": "channel"}
FOLDED |= {"weight_range": "symmetric_narrow", "tie_inputs": True}
KINDS = {"folded": FOLDED, "beside": {"placement": ["conv", "activation"]}}


def _built(**settings: Any) -> Any:
    with MODELS.lent(NAME, net):
        return build_model(NAME, {}, SHAPE, Classification(10), **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_layers_keep_their_bits_in_every_phase(kind: str) -> None:
    arguments = {"freeze": ["stem*"]}
    chosen = experiment(NAME, arguments, 6, 3, {"name": "uniform"}, KINDS[kind])
    with MODELS.lent(NAME, net):
        network = Network(chosen, DATA)
        network.initialise(0)
        start = by_layer(network.model)
        norm = network.model.get_layer("stem_bn")
        norm.moving_mean.assign(np.full(4, 0.25))
        norm.moving_variance.assign(np.full(4, 2.0))
        start["stem_bn"] = norm.get_weights()
        train(network, chosen, DATA, lambda new, loss: None)
    end = by_layer(network.model)
    for name in ("stem", "stem_bn"):  # weight decay would move the kernel
        assert equal(start[name], end[name]), name
    for name in ("depth", "logits"):
        assert not equal(start[name], end[name]), name


@pytest.mark.parametrize("kind", ["float", *KINDS])
def test_a_frozen_normalization_is_in_inference_in_training(kind: str) -> None:
    """In a step the outputs, and the ranges of the steps, are those of inference."""
    chosen = experiment(
        NAME, {"freeze": ["stem_bn"]}, 6, 3, {"name": "uniform"}, KINDS.get(kind, {})
    )
    with MODELS.lent(NAME, _without_dropout):
        network = Network(chosen, DATA)
        network.initialise(0)
        network.measure_ranges(PIXELS)
        quantization = None if kind == "float" else chosen.quant.quantization
        view = network.view(quantization).model
        moving = network.model.get_layer("stem_bn").get_weights()
        x = PIXELS[:8].astype(np.float32) / 255 - 0.5
        kept = [variable.numpy() for variable in network.averages.variables]
        trained, ranges = view([x], training=True)
        for variable, value in zip(network.averages.variables, kept, strict=True):
            variable.assign(value)
        inferred, expected = view([x], training=False)
    assert equal(network.model.get_layer("stem_bn").get_weights(), moving)
    np.testing.assert_allclose(ranges, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(trained, inferred, rtol=1e-5, atol=1e-6)


def _without_dropout(shape: Any, classes: int) -> Any:
    import keras
    from keras import layers

    image = keras.Input(shape)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x))
    x = layers.DepthwiseConv2D(3, name="depth")(x)
    return keras.Model(
        image, layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D()(x))
    )


def test_patterns_name_layers() -> None:
    model = _built(freeze=["stem*", "dep?h"])
    assert [weight.path for weight in model.trainable_variables] == ["logits/kernel", "logits/bias"]
    assert [layer.trainable for layer in _built().layers] == [True] * len(_built().layers)


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        (
            ["stm*"],
            "model.freeze=stm* matches no layer with weights; there are stem, stem_bn, depth,"
            " logits.",
        ),
        (["re_lu"], "model.freeze=re_lu matches no layer with weights"),
        (["stem", "Depth"], "model.freeze=Depth matches no layer with weights"),
        (["*"], "model.freeze=[*] freezes every layer; leave one to train, such as logits."),
    ],
)
def test_patterns_that_make_no_sense_are_refused(patterns: list[str], says: str) -> None:
    with pytest.raises(QbenchError) as error:
        _built(freeze=patterns)
    assert str(error.value).startswith(f"model={NAME}: {says}")


def test_a_new_head_is_trained_whatever_a_pattern_matches() -> None:
    for given in ({"weights": "x.keras", "head": "new"}, {"weights": "x.keras"}):
        trained = [] if given.get("head") else ["logits"]
        model = _built(freeze=["stem*", "[ls]*"], **given)
        frozen = [layer.name for layer in model.layers if layer.weights and not layer.trainable]
        assert frozen == ["stem", "stem_bn", *trained]
        said = remarks(
            NAME,
            {},
            SHAPE,
            model,
            given["weights"],
            [],
            given.get("head", "keep"),
            ["stem*", "[ls]*"],
        )
        line = "model.freeze=[ls]*: logits begins with new weights and is trained all the same"
        assert said == ([line] if given.get("head") else [])
    model = _built(freeze=["*"], weights="x.keras", head="new")
    assert [weight.path for weight in model.trainable_variables] == ["logits/kernel", "logits/bias"]
    # Without trained weights every layer begins with new ones, and `model.head` has no effect.
    assert not _built(freeze=["logits"], head="new").get_layer("logits").trainable


def test_the_name_of_a_new_head_is_refused() -> None:
    with pytest.raises(QbenchError) as error:
        _built(freeze=["stem", "logits"], weights="x.keras", head="new")
    assert str(error.value) == (
        f"model={NAME}: model.freeze=logits freezes a layer that begins with new weights; leave it"
        " out, so that the layer is trained."
    )


def test_a_message_about_many_layers_is_short() -> None:
    model = build_model("resnet8", {}, (32, 32, 3), Classification(10))
    with pytest.raises(QbenchError) as error:
        freeze_layers(model, ["nothing"])
    assert len(str(error.value)) < 300
