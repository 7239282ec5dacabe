"""Files that give wrong answers are told from files that differ as their kind does."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from deploy_examples import DEPLOY, images, measured, network, quant

from qbench.base.errors import WrongFile
from qbench.deploy import plausible
from qbench.deploy.convert import fixed
from qbench.deploy.export import export_model
from qbench.deploy.file_kind import POST_TRAINING, kind_of
from qbench.deploy.lite import LiteFile, convert
from qbench.deploy.measure import Expected, measure
from qbench.quantize.rewrite import rewrite
from qbench.tasks.classification import Classification

LABELS = np.arange(64) % 5
FLOAT, DEFAULT, EXACT, FOUR = ({"enabled": False}, {}, DEPLOY, {"bits": 4})
KINDS = [FLOAT, DEFAULT, EXACT, FOUR, {"bits": 2}, {"bits": 16}, {"bits": 32}]


def expected_of(model, averages, chosen):
    """The graph to convert, and what the file is held against."""
    kind = kind_of(chosen)
    graph = export_model(model, averages, chosen, on_grids=kind.name == "int8")[0]
    logits = rewrite(model, fixed(chosen), averages).model([images()], training=False)[0].numpy()
    first = graph([images()[:20]], training=False).numpy()
    near = plausible.of_conversion(kind, chosen.bits_of_activations, 7)
    most = plausible.of_simulation(kind, near)
    return graph, Expected(logits, most, first, near)


def file_of(graph, chosen):
    kind = kind_of(chosen).name
    return convert(graph, kind, images()[:20] if kind == "16x8" else None)


def run(content, expected):
    return measure(
        content, expected, lambda: [images()[:40], images()[40:]], LABELS, Classification(5)
    ).kernels


def spoiled(model, how):
    """The same network with other weights in one of its layers."""
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    for layer in other.layers:
        if layer.name == "left":
            values = layer.get_weights()
            layer.set_weights([how(values[0]), *values[1:]])
    return other


@pytest.mark.parametrize("values", KINDS, ids=str)
def test_right_files_of_every_kind_pass(values):
    model, chosen = network(), quant(**values)
    graph, expected = expected_of(model, measured(model), chosen)
    assert all("error" not in row for row in run(file_of(graph, chosen), expected).values())


@pytest.mark.parametrize("how", [np.zeros_like, lambda k: -k, lambda k: k[..., ::-1]])
@pytest.mark.parametrize(
    "values",
    [
        FLOAT,
        DEFAULT,
        pytest.param(EXACT, marks=pytest.mark.slow),
        pytest.param({"bits": 16}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_files_of_other_weights_do_not(values, how):
    model, chosen = network(), quant(**values)
    averages = measured(model)
    _, expected = expected_of(model, averages, chosen)
    graph, _ = expected_of(spoiled(model, how), averages, chosen)
    with pytest.raises(WrongFile, match=r"^on the xnnpack kernels the file gives "):
        run(file_of(graph, chosen), expected)


def test_a_file_with_values_that_are_not_finite_does_not():
    model, chosen = network(), quant(enabled=False)
    _, expected = expected_of(model, measured(model), chosen)
    content = convert(spoiled(model, lambda k: k * np.inf), "float")
    with pytest.raises(WrongFile, match="logits that are not finite"):
        run(content, expected)


@pytest.mark.parametrize("path", ["xnnpack", "builtin", "reference"])
def test_a_file_that_answers_otherwise_the_second_time_does_not(path, monkeypatch):
    """Whichever kernels do so."""
    model, chosen = network(), quant()
    graph, expected = expected_of(model, measured(model), chosen)
    start, outputs = LiteFile.__init__, LiteFile.outputs

    def remember(self, content, kernels="xnnpack", *rest):
        self.path, self.calls = kernels, 0
        start(self, content, kernels, *rest)

    def moody(self, inputs, *rest):
        self.calls += 1
        return outputs(self, inputs, *rest) + (self.path == path and self.calls > 2)

    monkeypatch.setattr(LiteFile, "__init__", remember)
    monkeypatch.setattr(LiteFile, "outputs", moody)
    with pytest.raises(
        WrongFile, match=f"on the {path} kernels .* other logits when it is run again"
    ):
        run(file_of(graph, chosen), expected)


def test_an_exact_file_is_held_against_the_simulation_too():
    model, chosen = network(), quant(**DEPLOY)
    graph, expected = expected_of(model, measured(model), chosen)
    moved = replace(expected, outputs=expected.outputs + 1.0)
    with pytest.raises(WrongFile, match="from those of the simulation; its kind explains 8"):
        run(file_of(graph, chosen), moved)
    run(file_of(graph, chosen), replace(moved, most=None))


SOME = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32) * 20


def verdict(got, expected, most=16.0):
    return plausible.fault(Classification(5), got, expected, 1.0, most, "it")


def test_half_of_the_images_decide():
    got = SOME.copy()
    got[:49] += 1e6
    assert verdict(got, SOME, most=1e9) is None
    assert verdict(SOME + 15, SOME) is None
    assert "17.0 steps or more from those of it; its kind explains 16" in verdict(SOME + 17, SOME)


def test_classes_are_judged_where_they_are_clear():
    """Logits nearer to each other than what is explained say nothing."""
    near = np.tile(np.array([[1, 0, 0, 0, 0]], np.float32), (100, 1))
    assert verdict(near[:, ::-1], near) is None
    clear = np.zeros((100, 5), np.float32)
    clear[np.arange(100), np.arange(100) % 5] = 17
    other = clear.copy()
    other[:30] = 0
    assert "another class than it to 24 % of the 100 images" in verdict(other, clear)
    assert verdict(other[:19], clear[:19], most=16.9) is not None  # half of them are away
    other = clear.copy()
    other[:9] = 0
    assert verdict(other, clear) is None


@pytest.mark.parametrize("spread", [0.0, 1e-7])
def test_logits_that_are_all_alike_have_a_unit(spread):
    logits = np.full((10, 5), 7.0, np.float32)
    logits[0, 0] += np.float32(spread)
    assert plausible.unit(0.0, np.float32, logits) == pytest.approx(7e-4)
    assert plausible.unit(0.0, np.float32, np.zeros((10, 5), np.float32)) > 0


def test_units_are_255ths_of_the_outputs_range():
    assert plausible.unit(0.5, np.int8, SOME) == 0.5
    assert plausible.unit(0.5, np.int16, SOME) == 0.5 * 257
    assert plausible.unit(0.0, np.float32, SOME) == pytest.approx(np.ptp(SOME) / 255)


def test_what_each_kind_explains():
    def near(operators=9, **values):
        chosen = quant(**values)
        return plausible.of_conversion(kind_of(chosen), chosen.bits_of_activations, operators)

    assert [near(enabled=False), near(bits=32), near(), near(bits=16)] == [1, 1, 9, 9]
    assert [near(36), near(bits=6), near(bits=4), near(weight_bits=4)] == [18, 36, 144, 9]
    assert plausible.of_conversion(POST_TRAINING, 8, 9) == 64
    assert plausible.of_simulation(kind_of(quant(**DEPLOY)), 9.0) == 9
    assert plausible.of_simulation(kind_of(quant()), 9.0) is None


def test_an_output_grid_far_wider_than_the_logits_is_a_fault():
    """Every answer would lie less than a step away from what it should be."""
    tiny = SOME * np.float32(1e-8)
    task = Classification(5)
    assert "output grid 255 wide for logits of" in plausible.too_wide(1.0, np.int8, tiny, task)
    assert plausible.too_wide(1.0, np.int8, SOME, task) is None
    assert plausible.too_wide(0.0, np.float32, tiny, task) is None
    assert plausible.too_wide(1.0, np.int8, 0 * SOME, task) is None


def test_float_logits_that_are_differences_of_large_values_have_a_larger_unit():
    assert plausible.unit(0.0, np.float32, 1e-6 * SOME, 1e3) == pytest.approx(1e-2)
