"""A network that the converter refuses: the sentence names the layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from deploy_examples import SHAPE, images
from keras import layers, ops

from qbench.base.errors import NotConvertible
from qbench.deploy.grids import Grid
from qbench.deploy.lite import convert
from qbench.deploy.on_grid import OnGrid
from qbench.deploy.refused import layers_meant, refusal


def test_an_operator_without_a_16_bit_kernel_is_that_of_a_layer():
    image = keras.Input(SHAPE)
    model = keras.Model(image, layers.PReLU(name="slopes")(layers.Conv2D(2, 3)(image)))
    with pytest.raises(NotConvertible, match=r"^slopes: the converter refuses this model: .*PRELU"):
        convert(model, "16x8", images(4))


def test_tensors_are_found_by_their_grids():
    """An ELU is float in files, and what it makes goes to a maximum on another grid."""
    image = keras.Input(SHAPE)
    one = OnGrid(Grid(0.00625, -15), "one.grid")(layers.ELU(name="one")(image))
    other = OnGrid(Grid(0.0125, -128), "other.grid.2")(layers.ReLU(name="other")(image))
    model = keras.Model(image, ops.maximum(one, other))
    said = "'tfl.maximum' violates: !quant.uniform<i8:f32, {}:-15> vs. !quant.uniform<i8:f32, {}>"
    stored = [float(np.float32(scale)) for scale in (0.00625, 0.0125)]
    assert layers_meant(said.format(*stored), model) == ["one"]  # the other zero point is -128
    assert layers_meant(said.format(stored[0], f"{stored[1]}:-128"), model) == ["one", "other"]
    assert layers_meant(said.format(0.00626, 1.0), model) == []
    assert layers_meant("no such op", model) == []


def test_the_first_of_many_layers_are_named():
    x = image = keras.Input(SHAPE)
    for k in range(10):
        x = layers.PReLU(name=f"p{k}")(layers.Conv2D(2, 1)(x))
    with pytest.raises(NotConvertible, match=r"^p0, p1, p2, p3, p4, p5, p6, p7 and 2 more: the"):
        convert(keras.Model(image, x), "16x8", images(4))


def test_the_program_in_the_message_names_no_layers():
    image = keras.Input(SHAPE)
    one = OnGrid(Grid(0.5, -128), "one.grid")(image)
    model = keras.Model(image, OnGrid(Grid(0.25, -128), "other.grid")(one))
    said = "'tfl.maximum' op violates it: !quant.uniform<i8:f32, 5.000000e-01:-128>"
    message = f'loc("a"): error: {said}\n<unknown>:0: note: {said.replace("5.0", "2.5")}'
    assert layers_meant(message, model) == ["one", "other"]
    assert str(refusal(RuntimeError(message), model)) == (
        f"one: the converter refuses this model: {said}"
    )
