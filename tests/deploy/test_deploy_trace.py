"""Files against their simulation, tensor by tensor."""

from __future__ import annotations

import numpy as np
import pytest
from deploy_examples import images, measured, network, quant
from test_deploy_files import DEPLOY

from qbench.deploy import trace
from qbench.deploy.convert import fixed
from qbench.deploy.export import export_model
from qbench.deploy.lite import LiteFile, convert

TENSORS = ["image", "stem_relu", "left_bn", "right", "sum_relu", "mean", "logits"]


def traced(chosen, spoil=None, kernels="reference"):
    model = network()
    averages = measured(model)
    graph, _ = export_model(model, averages, chosen)
    file = LiteFile(convert(graph, "int8"), kernels, keep_all=True)
    if spoil:
        spoil(model)
    expected = trace.simulated(model, fixed(chosen), averages, images())
    return trace.compare(expected, file, images(), trace.names_in_file(model))


@pytest.mark.parametrize("kernels", trace.TRACEABLE)
@pytest.mark.parametrize("values", [DEPLOY, {}], ids=str)
def test_every_tensor_is_found_and_agrees(values, kernels):
    rows = traced(quant(**values), kernels=kernels)
    assert [row.name for row in rows] == TENSORS
    assert all(row.mean < 0.6 for row in rows)
    if values == DEPLOY:
        assert all(row.largest < 2.1 for row in rows)
        assert rows[0].largest == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", ["stem_relu", "right", "sum_relu", "logits"])
def test_the_first_tensor_that_differs_is_named(name):
    """A bias that is larger in the simulation than in the file."""
    layer = {"stem_relu": "stem_bn", "sum_relu": "left_bn"}.get(name, name)

    def spoil(model):
        found = model.get_layer(layer)
        bias = getattr(found, "bias", None)
        bias = found.beta if bias is None else bias
        bias.assign(np.asarray(bias) + 0.5)

    first = trace.first_apart(traced(quant(**DEPLOY), spoil))
    assert first is not None
    assert first.name == {"sum_relu": "left_bn"}.get(name, name)


def test_none_differs_where_all_are_within_a_step():
    rows = [trace.Compared("a", 0.1, 1.0, 0.1, 1.0), trace.Compared("b", 0.1, 0.0, 0.0, 0.0)]
    assert trace.first_apart(rows) is None
    assert trace.first_apart([*rows, trace.Compared("c", 0.1, 2.0, 0.1, 1.0)]).name == "c"


def test_a_float_file_has_no_steps():
    model = network()
    averages = measured(model)
    graph, _ = export_model(model, averages, quant(enabled=False), False)
    file = LiteFile(convert(graph, "float"), "reference", keep_all=True)
    expected = trace.simulated(model, None, averages, images())
    rows = trace.compare(expected, file, images(), trace.names_in_file(model))
    assert [row.name for row in rows] == TENSORS
    assert all(row.step == 0 and row.largest < 1e-3 for row in rows)
