"""What holds for every network: random ones of `grammar_networks`, each trained and converted."""

from __future__ import annotations

import math
import os

import keras
import numpy as np
import own_models as own
import pytest
from grammar_networks import drawn

from qbench.base.errors import NotConvertible, QbenchError
from qbench.deploy.convert import export, simulate
from qbench.deploy.export import Export
from qbench.deploy.inputs import feed_of
from qbench.deploy.lite import KERNELS, LiteFile
from qbench.deploy.measure import graph_of
from qbench.deploy.sizes import float_values, folded_values
from qbench.quantize.placement import is_convolution

pytestmark = pytest.mark.slow

DEPLOY = {
    "quant.placement": ["deploy"],
    "quant.op": "fake_quant",
    "quant.weight_range": "symmetric_narrow",
    "quant.granularity": "channel",
    "quant.fold_batch_norm": True,
    "quant.freeze_batch_norm": True,
    "quant.delay": 0.0,
    "quant.tie_inputs": True,
    "train.steps": 2,
    "train.learning_rate": 0.01,
}
# `make test-grammar` asks for 300.
COUNT = int(os.environ.get("GRAMMAR_NETWORKS", "20"))
FIRST = int(os.environ.get("GRAMMAR_FIRST", "0"))


def settings(seed):
    """`quant=deploy`, for some networks with one setting changed."""
    other = {1: {"quant.tie_inputs": False}, 3: {"quant.delay": 0.5}}
    return own.experiment({**DEPLOY, **other.get(seed % 5, {})})


@pytest.fixture
def network(request, monkeypatch):
    """The network of a seed before its first step, and its experiment; None if it is refused."""
    keras.utils.clear_session()
    build, rules = drawn(request.param)
    own.register(monkeypatch, build)
    chosen = settings(request.param)
    try:
        made = own.fresh(chosen)
    except QbenchError as error:
        assert str(error).startswith("model=own: "), str(error)
        print(rules, "refused:", error)
        return None, chosen
    print(rules)
    return made, chosen


@pytest.mark.parametrize("network", range(FIRST, FIRST + COUNT), indirect=True)
def test_a_network_is_right_or_refused(network):
    made, chosen = network
    if made is None:
        return
    if not any(isinstance(op, keras.layers.SeparableConv2D) for op in made.model.operations):
        check_sizes(made)  # no file has those
    made.initialise(chosen.seed)
    try:
        own.trained(made, chosen)
    except QbenchError as error:
        assert any(name in str(error) for name in names(made)), str(error)
        return
    check_bits(made, chosen)
    try:
        exported = export(made, chosen, own.digits())
    except NotConvertible as error:
        said = str(error)
        print("not convertible:", said)
        assert any(name in said for name in names(made)) or "converter refuses" in said, said
        return
    print(exported.report["export"], exported.report["export_note"])
    check_file(made, chosen, exported)


def names(made):
    return [op.name for op in made.model.operations]


def check_bits(made, chosen):
    """The same experiment gives the same bits, in a network that is built and compiled anew."""
    first = made.weights_hash(), made.ranges()
    again = own.fresh(chosen) if chosen.quant.delay else made
    again.initialise(chosen.seed)
    own.trained(again, chosen)
    assert (again.weights_hash(), again.ranges()) == first


def check_sizes(made):
    """Every value counts once: as a kernel's, as one of a channel's bias, or as a float."""
    model = made.model
    made.measure_ranges(own.digits().train_images[:20])
    quant = settings(0).quant
    graph, _ = Export(model, made.averages, quant).graph(on_grids=False)
    kept = {id(w) for layer in graph.layers for w in layer.weights}
    convolutions = {id(op): op for op in model.operations if is_convolution(op)}
    biases = {id(op.bias) for op in convolutions.values() if op.bias is not None}
    count = 0
    for weight in model.weights:
        inside = any(weight is one for op in convolutions.values() for one in op.weights)
        if id(weight) not in biases and (inside or id(weight) in kept):
            count += math.prod(weight.shape)
    count += sum(op.output.shape[-1] for op in convolutions.values())
    assert folded_values(model) + float_values(model) == count


def check_file(made, chosen, exported):
    report, graph = exported.report, graph_of(exported.content)
    note = report["export_note"]
    floats = {
        op.name
        for op in graph.operators
        if any(tensor.dtype == "float32" for tensor in (*op.reads, *op.makes))
    } - {"QUANTIZE", "DEQUANTIZE"}
    assert bool(floats) == ("float in the file: " in note), (floats, note)
    assert (report["export"] == "exact") == (not note), note
    images = np.asarray(own.digits().test_images[:60])
    expected = simulate(made, chosen, images)
    (batch,) = feed_of(made, chosen, "int8").batches(images)
    bound = 3 * math.sqrt(len(graph.operators))
    for path in KERNELS:
        if "error" in report["kernels"][path]:
            # It is said in the place of the figures; XNNPACK takes every integer operator.
            assert floats or path == "reference", report["kernels"][path]
            continue
        file = LiteFile(exported.content, path)
        apart = np.abs(file.outputs(batch.file) - expected).max(axis=1) / (file.output_step() or 1)
        if not note:
            assert np.median(apart) <= bound, path
