"""Int8 files of networks that rescale their image themselves begin behind these layers."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from deploy_examples import DEPLOY, measured, quant, settled
from keras import layers

from qbench.config.inputs import FileInput
from qbench.data.preprocessing import Preparation
from qbench.deploy.convert import _make, fixed
from qbench.deploy.exactness import Comparer
from qbench.deploy.file_kind import kind_of
from qbench.deploy.lite import KERNELS, LiteFile
from qbench.deploy.simulation import Simulation
from qbench.quantize.rewrite import rewrite
from qbench.quantize.states import NO_STATES

RAW = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype(np.uint8)
LEADS = {
    "halves": lambda: [layers.Rescaling(1 / 127.5, -1, name="halves")],
    "norm": lambda: [
        layers.Rescaling(1 / 255, name="unit"),
        layers.Normalization(mean=[0.5, 0.4, 0.4], variance=[0.04, 0.05, 0.06], name="norm"),
    ],
}


def network(lead):
    keras.utils.set_random_seed(7)
    image = x = keras.Input((8, 8, 3), name="image")
    for layer in lead:
        x = layer(x)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return settled(keras.Model(image, layers.Dense(5, name="logits")(x)))


def made(model, averages, chosen):
    trained = SimpleNamespace(
        model=model, averages=averages, states=lambda _: NO_STATES, prepare=Preparation("none")
    )
    experiment = SimpleNamespace(
        quant=chosen, scheme=chosen.chosen_scheme, pixels=None, deploy=FileInput()
    )
    return _make(trained, experiment, None, kind_of(chosen))


@pytest.mark.parametrize("name", LEADS)
def test_an_int8_file_begins_behind_them_and_is_exact(name):
    lead, chosen = LEADS[name](), quant(**DEPLOY)
    model = network(lead)
    averages = measured(model, RAW.astype(np.float32))
    assert averages.tensors[0] == name  # the range of the raw image is not gathered
    file = made(model, averages, chosen)
    assert file.kind.export == "exact"
    assert file.notes == [f"takes the image behind {', '.join(one.name for one in lead)}"]
    graph = LiteFile(file.content, "builtin").graph()
    assert [op.name for op in graph.operators] == ["CONV_2D", "MEAN", "FULLY_CONNECTED"]
    found = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
    assert (found.differing(graph), found.float_tensors(graph)) == ([], [])
    inputs = file.feed.inputs(RAW)
    np.testing.assert_array_equal(inputs.network, RAW.astype(np.float32))
    expected = RAW / 255 if name == "norm" else RAW / 127.5 - 1
    if name == "norm":
        expected = (expected - [0.5, 0.4, 0.4]) / np.sqrt([0.04, 0.05, 0.06])
    np.testing.assert_allclose(inputs.file, expected, atol=1e-5)
    view = rewrite(model, fixed(chosen), averages).model
    simulated = np.asarray(view([inputs.network], training=False)[0])
    for path in KERNELS:
        opened = LiteFile(file.content, path)
        apart = np.abs(opened.outputs(inputs.file) - simulated) / opened.output_step()
        assert apart.max() < 3.1
        assert np.median(apart) < 1.1


def test_a_float_file_holds_them():
    model = network(LEADS["halves"]())
    averages = measured(model, RAW.astype(np.float32))
    file = made(model, averages, quant(enabled=False))
    inputs = file.feed.inputs(RAW)
    np.testing.assert_array_equal(inputs.file, RAW.astype(np.float32))
    expected = np.asarray(model(inputs.network, training=False))
    found = LiteFile(file.content, "reference").outputs(inputs.file)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert file.notes == []


def test_codes_of_another_type_are_refused():
    model = network([])
    averages = measured(model, RAW.astype(np.float32))
    file = LiteFile(made(model, averages, quant(**DEPLOY)).content, "builtin")
    with pytest.raises(Exception, match="the file takes int8, not codes of uint8"):
        file.outputs(RAW)
