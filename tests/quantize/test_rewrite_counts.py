from __future__ import annotations

from dataclasses import replace

import pytest
import tensorflow as tf
from quantize_networks import OP_TYPES, PLACEMENTS, averages_of, graph_of, op_types, scheme
from quantize_training import experiment

from qbench.cli.listing import describe, list_graph
from qbench.models import build_model
from qbench.quantize.ops import OPS
from qbench.quantize.rewrite import rewrite
from qbench.tasks.classification import Classification

# (kernels, other tensors) by placement. With b blocks a stage there are 6b + 4 kernels (stem,
# 6b in blocks, 2 shortcuts, logits), 6b + 1 ReLUs and 3b adds.
# conv:       every ReLU but the last is read by a convolution, and the pooled tensor by logits
# activation: every ReLU (the last one is read by the pool)
# add:        both inputs of each add; of its 6b tensors the 3b - 2 unprojected shortcuts are ReLUs
BLOCKS_1 = {
    ("conv",): (10, 7),
    ("activation",): (0, 7),
    ("add",): (0, 6),
    ("conv", "activation"): (10, 8),
    ("conv", "add"): (10, 12),
    ("activation", "add"): (0, 12),
    ("conv", "activation", "add"): (10, 13),
}
BLOCKS_3 = {
    ("conv",): (22, 19),
    ("activation",): (0, 19),
    ("add",): (0, 18),
    ("conv", "activation"): (22, 20),
    ("conv", "add"): (22, 30),
    ("activation", "add"): (0, 30),
    ("conv", "activation", "add"): (22, 31),
}
MODELS = {
    "resnet8": ({"name": "resnet8"}, BLOCKS_1),
    "resnet_digits": ({"name": "resnet_v1", "blocks": 1, "width": 4}, BLOCKS_1),
    "resnet20": ({"name": "resnet_v1", "blocks": 3, "width": 2}, BLOCKS_3),
}
SHAPE, CLASSES = (8, 8, 1), 10  # the digits


@pytest.fixture(scope="module", params=["resnet_digits", "resnet20"])
def built(request):
    arguments, expected = MODELS[request.param]
    rest = {name: value for name, value in arguments.items() if name != "name"}
    model = build_model(arguments["name"], rest, SHAPE, Classification(CLASSES))
    return model, averages_of(model), expected


@pytest.mark.parametrize(
    ("placement", "op"),
    [*((placement, "qdq_v2") for placement in PLACEMENTS), (("conv", "add"), "fake_quant")],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_ops_in_the_graph(built, placement, op):
    model, averages, expected = built
    view = rewrite(model, scheme(placement, op=op), averages)
    counts = op_types(graph_of(view, SHAPE))
    wanted, other = ("QuantizeAndDequantizeV2", "FakeQuantWithMinMaxVars")[
        :: 1 if op == "qdq_v2" else -1
    ]
    assert counts[wanted] == sum(expected[placement])
    assert counts[other] == 0
    assert sum(insertion.is_kernel for insertion in view.insertions) == expected[placement][0]
    assert len(view.insertions) == sum(expected[placement])


def test_the_float_view_holds_no_quantization(built):
    model, *_ = built
    counts = op_types(graph_of(rewrite(model, None), SHAPE))
    assert not OP_TYPES & set(counts)
    assert counts["Conv2D"] + counts["MatMul"] == len(
        [v for v in model.trainable_variables if v.name == "kernel"]
    )


@pytest.mark.parametrize(
    ("name", "placement", "op"),
    [
        *[("resnet_digits", placement, "qdq_v2") for placement in PLACEMENTS],
        ("resnet_digits", ("conv", "activation", "add"), "fake_quant"),
        ("resnet8", ("conv", "activation"), "qdq_v2"),
        ("resnet20", ("conv", "activation", "add"), "qdq_v2"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else value,
)
def test_listing(name, placement, op):
    model, expected = MODELS[name]
    listing = list_graph(experiment(model=model, quant={"placement": list(placement), "op": op}))
    kernels = sum(found.insertion.is_kernel for found in listing.quantizers)
    assert (kernels, len(listing.quantizers) - kernels) == expected[placement]
    blocks = model.get("blocks", 1)
    hosts = {"Conv2D": 6 * blocks + 3, "MatMul": 1, "Relu": 6 * blocks + 1}
    hosts |= {"residual Add": 3 * blocks, "DepthwiseConv2d": 0}
    assert listing.hosts == hosts
    assert f"quantization ops: {sum(expected[placement])}" in describe(listing)


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_listing_shows_bits_of_kernels_and_tensors(op):
    model, _ = MODELS["resnet_digits"]
    quant = {"weight_bits": 5, "activation_bits": 7, "op": op}
    listing = list_graph(experiment(model=model, quant=quant))
    for found in listing.quantizers:
        assert found.bits == (5 if found.insertion.is_kernel else 7)
        assert found.op in OP_TYPES


def test_listing_of_an_op_that_is_made_of_several(monkeypatch):
    def twice(x, low, high, **settings):
        once = OPS["fake_quant"].apply(x, low, high, **settings)
        return OPS["fake_quant"].apply(once, low, high, **settings | {"name": None})

    composite = replace(OPS["fake_quant"], apply=twice, graph_ops=())
    monkeypatch.setitem(OPS._items, "composite", composite)
    model, expected = MODELS["resnet_digits"]
    quant = {"weight_bits": 5, "activation_bits": 7, "first_last": "8"}
    listing, plain = (
        list_graph(experiment(model=model, quant={**quant, "op": op}))
        for op in ("composite", "fake_quant")
    )
    assert {found.op for found in listing.quantizers} == {"composite"}
    assert len(listing.quantizers) == sum(expected["conv", "activation"])
    assert sorted((found.insertion.layer, found.bits) for found in listing.quantizers) == sorted(
        (found.insertion.layer, found.bits) for found in plain.quantizers
    )
    assert listing.hosts == plain.hosts


def test_settings_reach_the_op_in_the_graph(built):
    model, averages, _ = built
    chosen = {"bits": 6, "signed": False, "rounding": "half_up", "range_given": True}
    graph = graph_of(rewrite(model, scheme(("conv",), **chosen), averages), SHAPE)
    ops = [op for op in graph.get_operations() if op.type in OP_TYPES]
    for op in ops:
        assert op.get_attr("num_bits") == 6
        assert op.get_attr("round_mode") == b"HALF_UP"
        assert op.get_attr("range_given") is True
        assert op.get_attr("signed_input") is False
        assert op.get_attr("T") == tf.float32
    assert ops
