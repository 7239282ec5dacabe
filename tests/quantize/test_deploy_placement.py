"""The placement of an integer file, its edges, shortcuts and tied ranges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from quantize_networks import averages_of, images, inserted, network, quantized, residual

from qbench.base.errors import QbenchError
from qbench.config.quant import Quant
from qbench.planning.factors import impossible
from qbench.quantize.placement import PLACEMENTS, Placement
from qbench.quantize.rewrite import rewrite
from qbench.quantize.shared_ranges import groups
from qbench.testing import networks

# See the drawing in test_rewrite_tensors.py.
DEPLOYED = [
    "image", "conv_a kernel", "relu_a", "conv_b kernel", "bn_b", "relu_c", "conv_d kernel",
    "conv_d", "logits kernel", "logits",
]  # fmt: skip


def test_everything_that_an_integer_kernel_reads_is_quantized():
    view = quantized(network(residual), ("deploy",), op="fake_quant")
    assert inserted(view) == [("deploy", tensor) for tensor in DEPLOYED]


def test_a_placement_is_added_in_one_place():
    """A rule that quantizes the outputs of max pooling, and no kernel."""
    toy = Placement(outputs_of=lambda op: isinstance(op, layers.MaxPooling2D))
    with PLACEMENTS.lent("pools", toy):
        view = quantized(network(residual), ("pools",), op="fake_quant")
        assert inserted(view) == [("pools", "pool_c")]
        assert Quant(placement=("pools",)).placement == ("pools",)
    with pytest.raises(QbenchError, match=r"quant\.placement=.*pools"):
        Quant(placement=("pools",))


def test_the_same_with_folding():
    view = quantized(network(residual), ("deploy",), op="fake_quant", fold_batch_norm=True)
    assert sorted(inserted(view)) == sorted(("deploy", tensor) for tensor in DEPLOYED)


def test_the_rows_of_the_averages_stay_where_they_are():
    model = network(residual)
    view = quantized(model, ("deploy",), op="fake_quant", bits=16)
    assert view.tensors == rewrite(model, None).tensors
    measured = rewrite(model, None).model([images()])[1].numpy()
    averages = averages_of(model)
    averages.include(measured)
    fine = quantized(model, ("deploy",), averages, op="fake_quant", bits=16)
    np.testing.assert_allclose(fine.model([images()])[1], measured, atol=1e-2)


def bits_of(view):
    """The numbers of bits of tensors and kernels, by the name of the quantized tensor."""
    wrapped = {layer.name: layer.quantizer for layer in view.model.layers if _quantizes(layer)}
    inner = {name: getattr(one, "quantizer", one) for name, one in wrapped.items()}
    return {one.tensor: inner[one.layer].bits for one in view.insertions}


def _quantizes(layer):
    return hasattr(layer, "quantizer")


EDGES = ("image", "conv_a kernel", "logits kernel", "logits")


def test_first_and_last_in_eight_bits():
    view = quantized(network(residual), ("deploy",), op="fake_quant", bits=4, first_last="8")
    assert bits_of(view) == {name: 8 if name in EDGES else 4 for name in DEPLOYED}


def test_first_and_last_float():
    view = quantized(network(residual), ("deploy",), op="fake_quant", first_last="float")
    assert [tensor for _, tensor in inserted(view)] == [n for n in DEPLOYED if n not in EDGES]


def flattened(image):
    """As ResNets of slim end: the last kernel's output is flattened to the network's."""
    x = layers.ReLU(name="relu")(layers.Conv2D(3, 3, name="first")(image))
    x = layers.Conv2D(5, 4, name="logits")(layers.Conv2D(4, 3, name="middle")(x))
    return layers.Flatten(name="flat")(x)


def test_the_last_tensor_may_be_flattened():
    view = quantized(network(flattened), ("deploy",), op="fake_quant", bits=4, first_last="8")
    assert bits_of(view) == {
        "image": 8, "first kernel": 8, "relu": 4, "middle kernel": 4, "middle": 4,
        "logits kernel": 8, "logits": 8,
    }  # fmt: skip
    view = quantized(network(flattened), ("deploy",), op="fake_quant", first_last="float")
    assert [tensor for _, tensor in inserted(view)] == ["relu", "middle kernel", "middle"]


def test_first_and_last_of_other_placements():
    view = quantized(network(residual), ("conv",), bits=4, first_last="8")
    bits = bits_of(view)
    assert (bits["conv_a kernel"], bits["conv_b kernel"], bits["logits kernel"]) == (8, 4, 8)
    assert "image" not in bits


def test_a_shortcut_alone():
    view = quantized(network(residual), ("shortcut",))
    assert inserted(view) == [("shortcut", "relu_a")]


def test_a_way_around_that_is_not_added_is_no_shortcut():
    def build(image):
        x = layers.Conv2D(2, 3, padding="same")(image)
        y = layers.Conv2D(2, 3, padding="same")(x)
        return layers.Concatenate()([x, layers.Multiply()([x, y])])

    assert inserted(quantized(network(build), ("shortcut",))) == []


def test_a_projected_shortcut_and_one_without():
    def build(image):
        x = layers.Conv2D(3, 1, name="stem")(image)
        left = layers.Conv2D(3, 1, name="left_2")(layers.Conv2D(3, 1, name="left_1")(x))
        right = layers.Conv2D(3, 1, name="right")(x)
        x = layers.Add()([left, right])
        both = layers.Add()([layers.Conv2D(3, 1)(x), layers.Conv2D(3, 1)(x)])
        return layers.Dense(2)(layers.Flatten()(both))

    assert inserted(quantized(network(build), ("shortcut",))) == [("shortcut", "right")]


def test_tied_inputs_share_one_grid():
    model = network(residual)
    averages = averages_of(model)
    averages.averages.assign(np.tile(np.float32([-1, 1]), (len(averages.tensors), 1)))
    rows = {name: k for k, name in enumerate(averages.tensors)}
    ends = averages.averages.numpy()
    ends[rows["relu_a"]], ends[rows["bn_b"]] = (0, 8), (-3, 2)
    averages.averages.assign(ends)
    chosen = {"op": "fake_quant", "bits": 4, "placement": ("deploy",)}
    values = {}
    for tie in (False, True):
        view = quantized(model, averages=averages, tie_inputs=tie, **chosen)
        values[tie] = [steps_of(view, name, ends[rows[name]]) for name in ("relu_a", "bn_b")]
    assert values[False] == pytest.approx([8 / 15, 5 / 15])
    assert values[True] == pytest.approx([11 / 15, 11 / 15])


def test_a_tied_tensor_is_not_tied_to_its_own_last_range():
    """In training its own range includes the batch; what was stored of it before counts no more."""
    model = network(residual)
    averages = averages_of(model, decay=0.0)  # the batch alone
    averages.averages.assign(np.tile(np.float32([-100, 100]), (len(averages.tensors), 1)))
    rows = {name: k for k, name in enumerate(averages.tensors)}
    ends = averages.averages.numpy()
    ends[rows["bn_b"]] = (-3, 2)
    averages.averages.assign(ends)
    chosen = {"op": "fake_quant", "bits": 4, "placement": ("deploy",)}
    view = quantized(model, averages=averages, tie_inputs=True, **chosen)
    assert steps_of(view, "relu_a", np.float32((0, 8)), training=True) == pytest.approx(11 / 15)
    assert steps_of(view, "relu_a", np.float32((0, 8))) == pytest.approx(200 / 15)
    for one in view.insertions:
        if not one.is_kernel:
            row = view.model.get_layer(one.layer).row
            assert row.own == rows[one.root] and row.own not in row.tied


def steps_of(view, tensor, ends, training=False):
    """The step of the grid on which a tensor is put."""
    (layer,) = [one.layer for one in view.insertions if one.tensor == tensor]
    x = np.linspace(-120, 120, 240_001, dtype=np.float32)
    levels = np.unique(view.model.get_layer(layer)(x, *ends, training=training))
    return float(np.diff(levels).mean())


def test_tied_inputs_need_averages():
    reason = impossible_of(Quant(tie_inputs=True))
    assert reason is not None and "needs moving averages" in reason
    assert impossible_of(Quant(tie_inputs=True, range_given=True)) is None
    assert impossible_of(Quant(tie_inputs=True, op="fake_quant")) is None


def impossible_of(quant):
    experiment = networks.experiment("small", {}, 2, 1, {"name": "uniform"}, {})
    return impossible(replace(experiment, quant=quant), ())


NAMES = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=3), max_size=6)


@given(NAMES)
def test_ties_are_an_equivalence(joined):
    found = groups(joined)
    for names in joined:
        assert len({found[name] for name in names}) == 1
    for name, group in found.items():
        assert name in group and len(set(group)) == len(group)
        assert all(found[other] == group for other in group)
    # No more is tied than a chain of shared readers ties.
    for name, group in found.items():
        reached, before = {name}, set()
        while reached != before:
            before = set(reached)
            reached |= {n for names in joined if reached & set(names) for n in names}
        assert set(group) == reached
