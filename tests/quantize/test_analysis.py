"""What the analysis says of a network's tensors, without anything being built."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers
from quantize_networks import averages_of, network, residual, scheme
from quantize_plans import DEPLOY, planned, reads, stand_ins

from qbench.base.errors import QbenchError
from qbench.quantize.analysis import analyse
from qbench.quantize.insertion_plan import Fused, Row
from qbench.quantize.layers import FakeQuantize
from qbench.quantize.placement import PLACEMENTS, Placement
from qbench.quantize.quantizer import MOVING, Quantizer
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.quantize.tensors import graph_of


def bits(plan):
    """The numbers of bits of all that is quantized."""
    found = {one.tensor: one.quantizer.bits for one in plan.quantized_tensors}
    kernels = {f"{name} kernel": rule[1].quantizer.bits for name, rule in plan.kernels.items()}
    return found | kernels


# The network `residual` is drawn in test_rewrite_tensors.py. Of these tensors ranges are gathered:
GATHERED = ("image", "relu_a", "bn_b", "relu_c", "conv_d", "logits")
SCHEMES = {
    "float": None,
    "default": scheme(),
    "shared": scheme(**DEPLOY, tie_inputs=True),
    "folded": scheme(**DEPLOY, fold_batch_norm=True, first_last="float"),
}


@pytest.mark.parametrize("chosen", SCHEMES.values(), ids=SCHEMES)
def test_the_gathered_ranges_depend_on_the_network_alone(chosen):
    model = network(residual)
    plan = analyse(model, chosen)
    assert plan.tensors == graph_of(model).gathered == GATHERED
    assert [one.smallest for one in plan.ranges] == [None, 0.0, None, 0.0, None, None]
    assert plan.output == "logits"


@pytest.mark.parametrize("chosen", SCHEMES.values(), ids=SCHEMES)
def test_it_is_plain_data_and_leaves_the_model_alone(chosen):
    model = network(residual)
    before = [layer.name for layer in model.layers], model.get_weights()
    plan = analyse(model, chosen)
    assert plan == analyse(model, chosen)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.output = "image"
    assert [layer.name for layer in model.layers] == before[0]
    for one, other in zip(model.get_weights(), before[1], strict=True):
        np.testing.assert_array_equal(one, other)
    assert [call.op for call in plan.calls] == model.layers[1:]


def test_without_a_scheme_nothing_is_quantized():
    plan = analyse(network(residual), None)
    assert not (plan.insertions or plan.quantized_tensors or plan.kernels or plan.folds)
    found = {name: one for name, one in stand_ins(plan).items() if one is not None}
    assert found == {"bn_b": Fused("bn_b.fused", freeze=False)}


def test_numbers_of_classes_are_read_by_no_rule():
    """They have no range, and lie as deep as the image."""

    def build(image):
        x = layers.Flatten(name="flat")(keras.ops.cast(image, "int32"))
        return layers.Dense(2, name="logits")(layers.Embedding(8, 3, name="vectors")(x))

    plan, graph = planned(build, **DEPLOY), graph_of(network(build))
    assert plan.tensors == ("image", "vectors", "logits")
    assert reads(plan, "flat") == reads(plan, "vectors") == []
    assert (graph.tensors["flat"].depth, graph.tensors["logits"].depth) == (0, 1)


def test_which_rule_a_kernel_has():
    plan = planned(residual, **DEPLOY, first_last="float")
    assert plan.kernel_rule("conv_b") == ("deploy", scheme(**DEPLOY).kernel)
    assert plan.kernel_rule("conv_a") is None


def test_a_sequential_model_is_the_functional_one_that_it_is():
    held = [layers.Conv2D(2, 1, name="c"), layers.ReLU(name="relu"), layers.Flatten(name="flat")]
    plan = analyse(keras.Sequential([keras.Input((8, 8, 2)), *held], name="one"), None)
    assert [call.op for call in plan.calls] == held
    assert plan.tensors == ("image", "relu")


def test_a_model_that_is_no_graph_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(QbenchError, match="the model own is or holds own, a model of its own"):
        analyse(Own(name="own"), None)


def test_of_a_scheme_for_kernels_alone_tensors_stay_as_they_are():
    alone = analyse(network(residual), scheme(**DEPLOY).without_activations())
    assert {one.tensor for one in alone.insertions} == {
        f"{name} kernel" for name in ("conv_a", "conv_b", "conv_d", "logits")
    }
    assert alone.last.quantized is None


def test_nothing_is_folded_unless_the_scheme_says_so():
    plan = planned(residual, **DEPLOY)
    assert plan.kernels and plan.folds == {}
    assert stand_ins(plan)["bn_b"] == Fused("bn_b.fused", freeze=False)
    assert list(planned(residual, **DEPLOY, fold_batch_norm=True).folds) == ["conv_b"]


def test_an_add_whose_inputs_share_a_range():
    plan = planned(residual, **DEPLOY, tie_inputs=True)
    assert reads(plan, "add_c") == [("bn_b", "bn_b.quantized"), ("relu_a", "relu_a.quantized")]
    rows = {one.tensor: one.row for one in plan.quantized_tensors}
    row = GATHERED.index
    assert rows["bn_b"] == Row(row("bn_b"), is_root=True, tied=(row("relu_a"),))
    assert rows["relu_a"] == Row(row("relu_a"), is_root=True, tied=(row("bn_b"),))
    assert plan.shared_ranges["bn_b"] == plan.shared_ranges["relu_a"]
    assert {name for name, one in rows.items() if one.tied} == {"bn_b", "relu_a"}
    apart = planned(residual, **DEPLOY)
    assert apart.shared_ranges == {}
    assert not any(one.row.tied for one in apart.quantized_tensors)


def chained(image):
    """Two additions and a concatenation, of which `b` and the pooled `c` tie all together."""
    convolutions = [layers.Conv2D(2, 1, name=name)(image) for name in "abcd"]
    a, b, c, d = convolutions
    c = layers.MaxPooling2D(1, name="pool")(c)
    sums = [layers.Add(name="left")([a, b]), layers.Add(name="right")([c, d])]
    return layers.Concatenate(name="both")([*sums, layers.Add(name="middle")([b, c])])


@pytest.mark.parametrize(
    ("placement", "quantized", "joined"),
    [
        ("deploy", {"a", "b", "c", "d", "left", "right", "middle", "both"}, {"both"}),
        ("add", {"a", "b", "pool", "d"}, set()),
    ],
)
def test_no_tensor_is_tied_to_its_own_row(placement, quantized, joined):
    """In a simulation of files a concatenation has the range of its parts."""
    plan = planned(chained, placement=(placement,), op="fake_quant", tie_inputs=True)
    groups = {frozenset(group) for group in plan.shared_ranges.values()}
    assert groups == {frozenset("abcd"), frozenset({"left", "right", "middle"} | joined)}
    tied = [one for one in plan.quantized_tensors if one.root in plan.shared_ranges]
    assert {one.tensor for one in tied} == quantized
    for one in tied:
        group = plan.shared_ranges[one.root]
        expected = {plan.tensors.index(name) for name in group if name != one.root}
        assert set(one.row.tied) == expected and len(one.row.tied) == len(expected)
        assert one.row.own == plan.tensors.index(one.root) not in one.row.tied
        assert one.row.is_root == (one.tensor == one.root)


def test_in_training_a_shared_range_holds_the_step_and_not_what_was_before_it():
    """Of itself the tensor has the new average alone; a range that shrinks shows the old one."""
    model = network(residual)
    averages = averages_of(model, decay=0.0)  # an average is the last measurement
    ends = np.tile(np.float32([-1, 1]), (len(averages.tensors), 1))
    ends[GATHERED.index("relu_a")], ends[GATHERED.index("bn_b")] = (0, 64), (-3, 2)
    averages.averages.assign(ends)
    view = rewrite(model, scheme(**DEPLOY, tie_inputs=True, bits=4), averages)
    x, *step = map(np.float32, (np.linspace(-80, 80, 40_001), 0, 8))
    layer = view.model.get_layer("relu_a.quantized")
    assert np.ptp(layer(x, *step, training=True)) == pytest.approx(8 + 3)
    assert np.ptp(layer(x, *step, training=False)) == pytest.approx(64 + 3)


EDGES = {"image", "conv_a kernel", "logits kernel", "logits"}
INSIDE = {"relu_a", "conv_b kernel", "bn_b", "relu_c", "conv_d kernel", "conv_d"}


@pytest.mark.parametrize(
    ("first_last", "edge"), [("same", 4), ("8", 8), ("float", None)], ids=["same", "8", "float"]
)
def test_the_ends_of_the_network(first_last, edge):
    # flatten passes conv_d's values on, and is what the last layer reads
    plan = planned(residual, **DEPLOY, bits=4, first_last=first_last)
    expected = dict.fromkeys(INSIDE, 4) | ({} if edge is None else dict.fromkeys(EDGES, edge))
    assert bits(plan) == expected
    assert reads(plan, "conv_a") == [("image", edge and "image.quantized")]
    assert plan.last.tensor == plan.last.root == "logits"
    assert (plan.last.quantized is None) == (edge is None)
    assert (stand_ins(plan)["conv_a"] is None) == (edge is None)


def test_a_tensor_shares_both_ends_with_what_it_is_tied_to():
    averages = RangeAverages(["a", "b"], 0.9)
    averages.averages.assign([[-1, 3], [-4, 2]])
    quantizer = Quantizer("fake_quant", 8, True, "half_to_even", MOVING)
    layer = FakeQuantize(quantizer, averages, Row(0, True, tied=(1,)), "q")
    x = np.linspace(-9, 9, 1001, dtype=np.float32)
    got = layer(x, np.float32(-1), np.float32(3)).numpy()
    np.testing.assert_allclose([got.min(), got.max()], [-4, 3], atol=7 / 255)


def flattened(image):
    x = layers.Conv2D(5, 6, name="logits")(layers.Conv2D(4, 3, name="first")(image))
    return layers.Flatten(name="flat")(x)


def test_the_output_may_pass_the_last_tensor_on():
    plan = planned(flattened, **DEPLOY, bits=4, first_last="8")
    assert bits(plan) == {
        "image": 8, "first kernel": 8, "first": 4, "logits kernel": 8, "logits": 8
    }  # fmt: skip
    assert plan.output == "logits"
    assert (plan.last.tensor, plan.last.root, plan.last.quantized) == ("flat", "logits", None)


def test_layers_of_the_network_keep_their_names():
    def build(image):
        x = layers.Conv2D(2, 1, name="image.range", activation="relu")(image)
        x = layers.Conv2D(2, 1, name="image")(x)
        return layers.Conv2D(2, 1, name="ranges", activation="relu")(x)

    plan = planned(build, **DEPLOY)
    assert plan.tensors == ("image", "image.range", "image.2", "ranges")
    assert [one.layer for one in plan.ranges] == [
        "image.range.2", "image.range.range", "image.2.range", "ranges.range"
    ]  # fmt: skip
    assert plan.collector == "ranges.2"


def test_a_placement_of_tensors_whose_range_is_not_gathered(monkeypatch):
    rule = Placement(outputs_of=lambda op: op.name == "add_c")
    monkeypatch.setitem(PLACEMENTS._items, "sums", rule)
    with pytest.raises(QbenchError, match=r"quant\.placement=sums wants add_c quantized"):
        planned(residual, placement=("sums",))
