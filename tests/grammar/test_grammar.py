"""What holds for every network: random ones of `grammar_networks`, each trained and converted."""

from __future__ import annotations

import math
import os

import keras
import numpy as np
import own_models as own
import pytest
from grammar_networks import drawn

from qbench.base.errors import NotConvertible, QbenchError, WrongFile
from qbench.deploy.convert import export, simulate
from qbench.deploy.export import CONVERTIBLE, Export
from qbench.deploy.inputs import feed_of
from qbench.deploy.lite import KERNELS, LiteFile
from qbench.deploy.measure import graph_of
from qbench.deploy.sizes import float_values, folded_values
from qbench.quantize.traits import is_convolution

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
# By the last digit of the seed in base 5: what is changed in these settings.
OTHERS = {1: {"quant.tie_inputs": False}, 3: {"quant.delay": 0.5}}
# `make test-grammar` asks for 300 networks.
FIRST = int(os.environ.get("GRAMMAR_FIRST", "0"))
COUNT = int(os.environ.get("GRAMMAR_NETWORKS", "20"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_a_network_is_right_or_refused(seed, monkeypatch):
    keras.utils.clear_session()
    build, rules = drawn(seed)
    own.register(monkeypatch, build)
    chosen = own.experiment({**DEPLOY, **OTHERS.get(seed % 5, {})})
    try:
        network = own.fresh(chosen)
    except QbenchError as error:
        print(rules, "refused:", error)
        assert str(error).startswith("model=own: ")
        return
    print(rules)
    check_sizes(network)
    network.initialise(chosen.seed)
    own.trained(network, chosen)
    check_bits(network, chosen, anew=seed % 5 == 3)
    try:
        exported = export(network, chosen, own.digits())
    except WrongFile:
        raise
    except NotConvertible as error:
        print("not convertible:", error)
        names = [op.name for op in network.model.operations]
        assert any(f"{name}{end}" in str(error) for name in names for end in (": ", " and "))
        return
    print(exported.report["export"], exported.report["export_note"])
    check_file(network, chosen, exported)


def check_sizes(network):
    """Every value counts once: in a kernel, as a channel's bias or as a float.

    Which normalizations are folded is read from the graph that is converted.
    """
    model = network.model
    convolutions = [op for op in model.operations if is_convolution(op)]
    if not all(isinstance(op, CONVERTIBLE) for op in convolutions):
        return
    network.measure_ranges(own.digits().train_images[:20])
    export_of_it = Export(model, network.averages, own.experiment(DEPLOY).quant)
    graph, _ = export_of_it.graph(on_grids=False)
    left = {id(weight) for layer in graph.layers for weight in layer.weights}
    inside = {id(weight) for op in convolutions for weight in op.weights}
    biases = {id(op.bias) for op in convolutions if op.bias is not None}
    counted = [w for w in model.weights if id(w) in (left | inside) - biases]
    values = sum(math.prod(weight.shape) for weight in counted)
    values += sum(op.output.shape[-1] for op in convolutions)
    assert folded_values(model) + float_values(model) == values


def check_bits(network, chosen, anew):
    """The same experiment gives the same bits; with `anew` in a network that is compiled anew."""
    first = network.weights_hash(), network.ranges()
    again = own.fresh(chosen) if anew else network
    again.initialise(chosen.seed)
    own.trained(again, chosen)
    assert (again.weights_hash(), again.ranges()) == first


def check_file(network, chosen, exported):
    """The file is integer and answers as the simulation does, or its note says what does not."""
    report, graph = exported.report, graph_of(exported.content)
    note = report["export_note"]
    floats = {
        op.name
        for op in graph.operators
        if any(tensor.dtype == "float32" for tensor in (*op.reads, *op.makes))
    } - {"QUANTIZE", "DEQUANTIZE"}
    assert bool(floats) == ("float in the file: " in note), floats
    assert (report["export"] == "exact") == (not note)
    images = np.asarray(own.digits().test_images[: chosen.eval.limit])
    expected = simulate(network, chosen, images)
    (batch,) = feed_of(network, chosen, "int8").batches(images)
    for path in KERNELS:
        if "error" in report["kernels"][path]:
            # The reference kernels lack some operators. XNNPACK takes every integer operator; a
            # layer whose channels have all died makes constants, on a grid too fine for it.
            error = report["kernels"][path]["error"]
            assert floats or path == "reference" or "hardly changes" in error, error
            continue
        file = LiteFile(exported.content, path)
        apart = np.abs(file.outputs(batch.file) - expected).max(axis=1) / (file.output_step() or 1)
        assert note or np.median(apart) <= 3 * math.sqrt(len(graph.operators)), path
