"""Ops that are registered from outside get their own grid in files, or no file at all."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from deploy_examples import DEPLOY, images, measured, network, quant
from own_ops import FEWER, LOGARITHMIC, POWERS, ROUNDS_DOWN, SHIFTED, UNCUT

from qbench.base.errors import QbenchError
from qbench.config.inputs import FileInput
from qbench.deploy.agreement import check_grid
from qbench.deploy.baked import BakedConvolution
from qbench.deploy.baking import folded_kernel
from qbench.deploy.convert import _make, fixed
from qbench.deploy.exactness import Comparer
from qbench.deploy.export import export_model
from qbench.deploy.file_kind import kind_of
from qbench.deploy.grids import tensor_grid
from qbench.deploy.lite import LiteFile, convert
from qbench.deploy.packed import Codes, identical, unpack
from qbench.deploy.packing import _codes, contents, packed_file
from qbench.deploy.simulation import Simulation
from qbench.planning.factors import impossible
from qbench.quantize.ops import OPS, OpGrid
from qbench.quantize.quantizer import MOVING, OWN, Quantizer
from qbench.quantize.rewrite import rewrite
from qbench.quantize.scheme import scheme_of
from qbench.quantize.states import NO_STATES
from qbench.testing import networks


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(OPS._items, "powers", POWERS)
    monkeypatch.setitem(OPS._items, "logarithmic", LOGARITHMIC)


def is_power_of_two(values):
    return bool(np.all(np.frexp(np.asarray(values))[0] == 0.5))


def converted(chosen, model):
    """The ranges of a network, its graph to convert and the int8 file."""
    averages = measured(model)
    graph, left_float = export_model(model, averages, chosen)
    return averages, graph, left_float, convert(graph, "int8")


def test_a_file_has_the_grids_of_the_op_and_is_exact():
    chosen, model = quant(**{**DEPLOY, "op": "powers"}), network()
    assert kind_of(chosen).export == "exact"
    averages, graph, left_float, content = converted(chosen, model)
    file = LiteFile(content, "reference")
    scales, zero_points = zip(*file.activation_grids(), strict=True)
    assert is_power_of_two(scales) and set(zero_points) == {0}
    found = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
    assert found.differing(file.graph()) == [] == left_float
    expected = rewrite(model, fixed(chosen), averages).model(images(), training=False)[0].numpy()
    np.testing.assert_allclose(graph(images(), training=False), expected, rtol=1e-5, atol=1e-5)
    apart = np.abs(file.outputs(images()) - expected) / file.output_step()
    assert apart.max() < 4.5 and apart.mean() < 0.5


@pytest.mark.parametrize(
    "values", [{"bits": 4}, {"weight_range": "op"}, {"fold_batch_norm": False}], ids=str
)
def test_it_is_not_exact_where_no_other_op_s_file_is(values):
    assert kind_of(quant(**{**DEPLOY, "op": "powers", **values})).export == "approximate"


def test_codes_that_the_file_has_not_are_found_in_it(monkeypatch):
    """An op of twice as many codes as its bits say: the file gets other grids, and that is said."""

    def twice(low, high, **settings):
        grid = POWERS.grid(low, high, **settings)
        return OpGrid(grid.scale / 2, 0, 2 * grid.lowest, 2 * grid.count)

    monkeypatch.setitem(OPS._items, "powers", replace(POWERS, grid=twice))
    chosen, model = quant(**{**DEPLOY, "op": "powers"}), network()
    averages, _, _, content = converted(chosen, model)
    found = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
    assert "image" in found.differing(LiteFile(content, "builtin").graph())


OTHERWISE = {"rounds_down": ROUNDS_DOWN, "uncut": UNCUT, "fewer": FEWER}


def made(chosen, model, averages):
    """What `export` would run, without data."""
    trained = SimpleNamespace(
        model=model, averages=averages, states=lambda _: NO_STATES, prepare=None
    )
    experiment = SimpleNamespace(
        quant=chosen, scheme=chosen.chosen_scheme, pixels=None, deploy=FileInput()
    )
    return _make(trained, experiment, None, kind_of(chosen))


@pytest.mark.parametrize("op", OTHERWISE)
def test_an_op_that_rounds_or_cuts_otherwise_than_files_is_not_exact(monkeypatch, op):
    """It has fake_quant's grid, or one code less; no file computes what it computes."""
    monkeypatch.setitem(OPS._items, op, OTHERWISE[op])
    chosen, model = quant(**{**DEPLOY, "op": op}), network()
    file = made(chosen, model, measured(model))
    assert file.kind.export == "approximate"
    assert "rounded or cut otherwise in the file: image, " in "; ".join(file.notes)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"op": "powers"},
        {"op": "qdq_v2", "range_given": True},
        {"op": "qdq_v2", "range_given": True, "signed": False, "rounding": "half_up"},
    ],
    ids=str,
)
def test_what_is_exact_stays_so(values):
    chosen, model = quant(**{**DEPLOY, **values}), network()
    file = made(chosen, model, measured(model))
    assert (file.kind.export, file.notes) == ("exact", [])


@pytest.mark.parametrize("values", [{}, {"bits": 4}, {"placement": ("conv",)}], ids=str)
def test_an_op_that_has_another_grid_than_it_says_becomes_no_file(monkeypatch, values):
    monkeypatch.setitem(OPS._items, "shifted", SHIFTED)
    chosen, model = quant(**{**DEPLOY, "op": "shifted", **values}), network()
    averages = measured(model)
    for make in (export_model, contents, packed_file):
        with pytest.raises(QbenchError, match=r"quant\.op=shifted: a value lies 0\.33 steps from"):
            make(model, averages, chosen)


def test_a_kernel_s_op_must_have_its_grid_too(monkeypatch):
    """Where no other tensor is quantized, packing looks at the kernels alone."""
    monkeypatch.setitem(OPS._items, "shifted", SHIFTED)
    chosen, model = quant(op="shifted", activation_bits=12, placement=("conv",)), network()
    layer = model.get_layer("stem")
    quantizer = scheme_of(chosen).kernel
    folded = folded_kernel(layer, None, quantizer, False)
    with pytest.raises(QbenchError, match=r"quant\.op=shifted: a value lies 0\.33 steps from"):
        _codes(layer, folded, quantizer)


def test_codes_beyond_those_that_an_op_says_it_has_are_told(monkeypatch):
    half = replace(OPS["fake_quant"], grid=lambda low, high, **_: OpGrid(high / 127, 0, 0, 128))
    monkeypatch.setitem(OPS._items, "half", replace(half, apply=UNCUT.apply))
    with pytest.raises(QbenchError, match="says that its codes end at 0 and 127"):
        check_grid(Quantizer("half", 7, True, "half_to_even", MOVING), 0.0, 1.0)


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant", "powers"])
@pytest.mark.parametrize("source", [OWN, MOVING])
def test_the_registered_ops_have_the_grids_that_they_say(op, source):
    random = np.random.default_rng(0)
    for bits in (1, 2, 3, 8, 12, 16):
        for signed in (True, False):
            low, high = OPS[op].bits_allowed(signed)
            if (source == OWN and not OPS[op].own_range) or not low <= bits <= high:
                continue
            quantizer = Quantizer(op, bits, signed, "half_to_even", source)
            for size in (1e-20, 1e-3, 1.0, 1e4, 1e20):
                ends = [(-random.random(), random.random()) for _ in range(5)]
                for a, b in [*ends, (-1, 0), (0, 1), (-1, 1), (-1, 1e-6), (-1e-6, 1), (0, 0)]:
                    check_grid(quantizer, float(np.float32(a * size)), float(np.float32(b * size)))


PACKED = [
    ({"bits": 5}, 5, -16),
    ({"bits": 12}, 12, -2048),
    ({"bits": 5, "weight_range": "narrow"}, 5, -15),
    ({"weight_range": "symmetric_narrow", "granularity": "channel"}, 8, -127),
    ({"bits": 4, "granularity": "channel", "fold_batch_norm": True}, 4, -8),
]


@pytest.mark.parametrize(("values", "bits", "lowest"), PACKED, ids=str)
def test_packed_codes_stand_for_the_op_s_values(values, bits, lowest):
    chosen, model = quant(op="powers", **values), network()
    averages = measured(model)
    packed = contents(model, averages, chosen)
    graph, _ = export_model(model, averages, chosen, on_grids=False)
    baked = [one.baked for one in graph.layers if isinstance(one, BakedConvolution)]
    for layer, plain in zip(packed.layers, baked, strict=True):
        kernel = layer.kernel
        assert isinstance(kernel, Codes) and (kernel.bits, kernel.lowest) == (bits, lowest)
        restored = kernel.scales * (kernel.codes - kernel.zero_point)
        np.testing.assert_allclose(restored, plain.kernel, rtol=1e-6)
    assert is_power_of_two(packed.layers[-1].kernel.scales)  # nothing is folded into it
    assert is_power_of_two([grid.scale for grid in packed.tensors[1:3]])
    assert identical(unpack(packed_file(model, averages, chosen)), packed)


def test_a_tensor_has_the_grid_of_its_own_quantizer():
    """Edges have another number of bits, and some tensors none: the view knows, nobody guesses."""
    model = network()
    averages = measured(model)
    values = {**DEPLOY, "op": "powers", "bits": 4, "first_last": "8"}
    simulation = Simulation(model, averages, quant(**values))
    bits = {name: simulation.quantizer_of(name).bits for name in averages.tensors}
    assert bits == {name: 8 if name in ("image", "logits") else 4 for name in averages.tensors}
    low, high = simulation.range_of("image")
    assert (
        tensor_grid(low, high, simulation.quantizer_of("image")).scale
        == POWERS.grid(low, high, bits=8, narrow=False).scale
    )
    values = {**values, "first_last": "float"}
    simulation = Simulation(model, averages, quant(**values))
    assert simulation.quantizer_of("image") is simulation.quantizer_of("logits") is None
    assert simulation.quantizer_of("sum_relu").bits == 4


REFUSAL = "quant.op=logarithmic: its values lie on no grid of equal steps"


@pytest.mark.parametrize("values", [{}, {"bits": 16}, DEPLOY], ids=str)
def test_an_op_without_a_grid_trains_and_becomes_no_file(values):
    chosen, model = quant(**{**values, "op": "logarithmic"}), network()
    averages = measured(model)
    view = rewrite(model, fixed(chosen), averages).model
    assert np.all(np.isfinite(view(images(), training=True)[0]))
    assert kind_of(chosen).export != "exact"
    # Without grids, as a file is that the converter calibrates, too.
    for make in (export_model, partial(export_model, on_grids=False), contents, packed_file):
        with pytest.raises(QbenchError, match=REFUSAL):
            make(model, averages, chosen)


def test_its_values_are_floats_where_a_file_has_floats_anyway():
    chosen, model = quant(op="logarithmic", bits=32), network()
    averages = measured(model)
    assert kind_of(chosen).name == "float"
    graph, _ = export_model(model, averages, chosen, on_grids=False)
    baked = [one.baked for one in graph.layers if isinstance(one, BakedConvolution)]
    assert is_power_of_two(np.abs(baked[-1].kernel))
    for layer, plain in zip(contents(model, averages, chosen).layers, baked, strict=True):
        np.testing.assert_array_equal(layer.kernel, plain.kernel)


def test_what_an_op_lacks_need_not_be_told():
    settings = {"op": "powers", "rounding": "half_up"}
    experiment = networks.experiment("small", {}, 2, 1, {"name": "uniform"}, settings)
    assert impossible(experiment, ()) is None
    reason = impossible(experiment, ["quant.rounding"])
    assert reason == "quant.rounding=half_up: powers has no such setting."
