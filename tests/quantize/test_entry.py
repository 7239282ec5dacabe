"""Layers that rescale the image at the beginning of a network, and the grid of raw pixels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from quantize_networks import scheme

from qbench.base.errors import QbenchError
from qbench.quantize.analysis import analyse
from qbench.quantize.entry import PixelQuantizer, rescaled
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.tensors import graph_of

SHAPE = (6, 6, 3)
KEY = "deploy.input=int8"
UNIT = {"scale": 1 / 255, "name": "unit"}


def _network(*lead: Any, between: Any = None) -> Any:
    image = x = keras.Input(SHAPE)
    for layer in lead:
        x = layer(x)
    y = layers.Conv2D(2, 3, name="conv")(x)
    if between is not None:
        y = layers.Add(name="sum")([y, layers.Conv2D(2, 3, name="other")(between(image))])
    return keras.Model(image, layers.Flatten(name="flat")(y))


def _normalization(mean: Any, deviation: Any, axis: Any = -1) -> Any:
    variance = np.square(deviation)
    return layers.Normalization(axis=axis, mean=mean, variance=variance, name="norm")


def test_the_tensor_behind_the_first_layers_counts_as_the_image() -> None:
    model = _network(layers.Rescaling(**UNIT), _normalization([0.4, 0.5, 0.6], [0.2, 0.2, 0.3]))
    graph = graph_of(model)
    assert ([op.name for op in graph.lead], graph.entry) == (["unit", "norm"], "norm")
    assert graph.gathered == ("norm", "conv")


@pytest.mark.parametrize("placement", [("conv", "activation", "add"), ("deploy",)])
def test_it_is_quantized_as_an_image_without_such_layers_is(placement: tuple[str, ...]) -> None:
    chosen: Any = scheme(placement, op="fake_quant")
    plain = analyse(_network(), chosen).insertions
    rescaling = analyse(_network(layers.Rescaling(**UNIT)), chosen).insertions
    names = ["unit" if one.tensor == "image" else one.tensor for one in plain]
    assert [one.tensor for one in rescaling] == names


def test_layers_that_others_read_beside_or_that_are_called_twice_do_not_lead() -> None:
    assert graph_of(_network(layers.Rescaling(**UNIT), between=layers.Rescaling(2.0))).lead == ()
    shared = layers.Rescaling(**UNIT)
    assert graph_of(_network(shared, shared)).lead == ()
    assert graph_of(_network(layers.Conv2D(3, 1), layers.Rescaling(**UNIT))).lead == ()


def test_a_layer_of_ones_own_may_compute_anything() -> None:
    class Rescaling(layers.Rescaling):
        pass

    assert graph_of(_network(Rescaling(1 / 255))).lead == ()


GRIDS = [
    ([], 1.0, 0),
    ([layers.Rescaling(1 / 255)], 1 / 255, 0),
    ([layers.Rescaling(1 / 128, -1)], 1 / 128, 128),
    ([layers.Rescaling(1 / 255, -100 / 255)], 1 / 255, 100),
    ([_normalization(100.0, 50.0, None)], 1 / 50, 100),
    ([_normalization([100.0] * 3, [50.0] * 3)], 1 / 50, 100),
    ([layers.Rescaling(1 / 255), _normalization(51 / 255, 0.5, None)], 2 / 255, 51),
]


@pytest.mark.parametrize(("lead", "scale", "zero"), GRIDS)
def test_pixels_behind_the_first_layers(lead: list[Any], scale: float, zero: int) -> None:
    """Every pixel keeps its value, to rounding errors of float32."""
    model = _network(*lead)
    found = PixelQuantizer(KEY).behind(graph_of(model).lead)
    assert (found.scale, found.zero) == (pytest.approx(scale, rel=1e-5), zero)
    pixels = np.tile(np.arange(256, dtype=np.float32)[:, None, None, None], (1, *SHAPE))
    values = np.asarray(rescaled(lead, pixels))
    np.testing.assert_allclose(values, (pixels - zero) * scale, atol=1e-4)
    np.testing.assert_allclose(found(values, 0.0, 0.0), values, atol=1e-3 * scale)
    grid = found.grid(*found.ends)
    assert (grid.scale, grid.zero_point, grid.lowest, grid.count) == (found.scale, zero, 0, 256)


REFUSED = [
    ([layers.Rescaling(1 / 127.5, -1)], "the value 0 is that of the pixel 127.5; raw pixels need"),
    ([layers.Rescaling(1 / 255, 0.5)], "the value 0 is that of the pixel -127.5"),
    ([layers.Rescaling(1.0, 4.0)], "the value 0 is that of the pixel -4"),
    ([layers.Rescaling(-1 / 255, 1.0)], "rescales channels with different numbers or turns them"),
    ([_normalization([1.0, 2.0, 3.0], [1.0] * 3)], "the layer norm rescales channels with differ"),
    ([_normalization([1.0] * 3, [1.0, 2.0, 1.0])], "the layer norm rescales channels with differ"),
]


@pytest.mark.parametrize(("lead", "said"), REFUSED)
def test_other_layers_are_refused_for_raw_pixels(lead: list[Any], said: str) -> None:
    model = _network(*lead)
    with pytest.raises(QbenchError, match=f"^{KEY}: .*{said}"):
        PixelQuantizer(KEY).behind(graph_of(model).lead)
    chosen: Any = scheme(("deploy",), op="fake_quant")
    pixels: QuantizationScheme = _of_pixels(chosen)
    with pytest.raises(QbenchError, match=f"^{KEY}: "):
        analyse(model, pixels)


def _of_pixels(chosen: QuantizationScheme) -> QuantizationScheme:
    from dataclasses import replace

    return replace(chosen, image=PixelQuantizer(KEY))


def test_the_image_is_quantized_on_its_own_grid_where_images_are() -> None:
    model = _network(layers.Rescaling(**UNIT))
    deployed = analyse(model, _of_pixels(scheme(("deploy",), op="fake_quant", bits=4)))
    first = deployed.quantized_tensors[0]
    assert (first.tensor, first.quantizer) == ("unit", PixelQuantizer(KEY, 1 / 255))
    assert deployed.quantized_tensors[1].quantizer.bits == 4
    paper = analyse(model, _of_pixels(scheme(("conv", "activation"), op="fake_quant")))
    assert "unit" not in [one.tensor for one in paper.quantized_tensors]
