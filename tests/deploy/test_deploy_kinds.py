"""What kind of file a configuration has, and that an exact one is the simulation."""

from __future__ import annotations

import numpy as np
import pytest
from deploy_examples import DEPLOY, images, measured, network, quant
from keras import layers

from qbench.deploy.convert import fixed
from qbench.deploy.export import export_model
from qbench.deploy.file_kind import kind_of
from qbench.deploy.grids import tensor_grid
from qbench.deploy.lite import LiteFile, convert
from qbench.quantize.rewrite import rewrite
from qbench.quantize.scheme import scheme_of

EXACT = [
    {},
    {"granularity": "tensor"},
    {"op": "qdq_v2", "range_given": True},
    {"op": "qdq_v2", "range_given": True, "signed": False},
    {"first_last": "8"},
    {"tie_inputs": True},
    {"freeze_batch_norm": True},
]


@pytest.mark.parametrize("values", EXACT, ids=str)
def test_a_deploying_configuration_is_the_file(values):
    """Each tensor of the file lies on the grid that the simulation has, and no other does."""
    chosen = quant(**{**DEPLOY, **values})
    assert kind_of(chosen).export == "exact"
    model = network()
    averages = measured(model)
    graph, left_float = export_model(model, averages, chosen)
    assert left_float == []
    view = rewrite(model, fixed(chosen), averages)
    expected = view.model(images(), training=False)[0].numpy()
    np.testing.assert_allclose(graph(images(), training=False), expected, rtol=1e-5, atol=1e-5)
    file = LiteFile(convert(graph, "int8"), "reference")
    apart = np.abs(file.outputs(images()) - expected) / file.output_step()
    assert apart.max() < 4.5
    assert apart.mean() < 0.5


def test_the_file_quantizes_the_tensors_that_the_simulation_does():
    """The file has the simulated grids and no others (max pooling passes one on)."""
    chosen, model = quant(**DEPLOY), network()
    averages = measured(model)
    graph, _ = export_model(model, averages, chosen)
    file = LiteFile(convert(graph, "int8"), "builtin")
    view = rewrite(model, fixed(chosen), averages)
    simulated = [one.root for one in view.insertions if not one.is_kernel]
    rows = dict(zip(averages.tensors, averages.averages.numpy(), strict=True))
    grids = [
        tensor_grid(*map(float, rows[name]), scheme_of(chosen).activation) for name in simulated
    ]
    found = sorted(set(file.activation_grids()))
    assert len(found) == len(simulated) == 7
    for (scale, zero_point), grid in zip(found, sorted(grids, key=lambda g: g.scale), strict=True):
        assert scale == pytest.approx(grid.scale, rel=1e-5)
        assert zero_point == grid.zero_point


NOT_EXACT = [
    {"bits": 4},
    {"weight_bits": 4},
    {"first_last": "float"},
    {"fold_batch_norm": False},
    {"weight_range": "op"},
    {"weight_range": "narrow"},
    {"placement": ("deploy", "add")},
    {"op": "qdq_v2"},
]


@pytest.mark.parametrize("values", NOT_EXACT, ids=str)
def test_what_the_file_cannot_be_exactly_is_called_approximate(values):
    chosen = quant(**{**DEPLOY, **values})
    assert kind_of(chosen).export == "approximate"


def joined(image):
    """Sums and concatenations that nobody but a pool reads, and a pool that is concatenated."""
    x = layers.Conv2D(4, 3, padding="same", name="left")(image)
    y = layers.Conv2D(4, 1, name="right")(image)
    z = layers.AveragePooling2D(3, 1, padding="same", name="pool")(layers.Add(name="sum")([x, y]))
    x = layers.Concatenate(name="both")([z, layers.Conv2D(3, 1, name="third")(image)])
    return layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))


@pytest.mark.parametrize("values", [{}, {"tie_inputs": True}], ids=str)
def test_every_tensor_of_a_network_with_other_joins_has_a_grid(values):
    chosen, model = quant(**DEPLOY, **values), network(joined)
    averages = measured(model)
    assert {"sum", "both", "third"} <= set(averages.tensors)
    graph, left_float = export_model(model, averages, chosen)
    assert left_float == []
    file = LiteFile(convert(graph, "int8"), "reference")
    assert file.dtypes() == {"int8", "int32"}
    expected = rewrite(model, fixed(chosen), averages).model(images(), training=False)[0].numpy()
    assert np.abs(file.outputs(images()) - expected).max() <= 4.5 * file.output_step()


KINDS = [
    ({"enabled": False}, "float", "float", ""),
    ({}, "int8", "approximate", ""),
    ({"bits": 4}, "int8", "approximate", "values of 4 bits in an int8 file"),
    ({"bits": 9}, "16x8", "approximate", "weights of 9 bits on 8"),
    ({"bits": 16}, "16x8", "approximate", "weights of 16 bits on 8"),
    ({"bits": 32}, "float", "float", "no kernels for 32 bits"),
    ({"weight_bits": 3}, "int8", "approximate", "values of 3 (weights) and 8 bits"),
    ({"weight_bits": 16}, "int8", "approximate", "weights of 16 bits on 8"),
    ({"activation_bits": 16}, "16x8", "approximate", "weights of 8 bits"),
]


@pytest.mark.parametrize(("values", "name", "export", "note"), KINDS, ids=str)
def test_kinds(values, name, export, note):
    kind = kind_of(quant(**values))
    assert (kind.name, kind.export) == (name, export)
    assert note in kind.note
    assert kind.file == f"model_{name}.tflite"
