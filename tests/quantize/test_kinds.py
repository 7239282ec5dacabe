"""The table of kinds: a layer, its operation, its operator and its function are one kind."""

from __future__ import annotations

import inspect

import keras
import pytest
from kind_examples import EXAMPLES
from quantize_networks import network

from qbench.quantize.kind import EVERY, FIXED, GRIDS, KEEPS, ONE_GRID, OWN, PASSES
from qbench.quantize.kind_table import KINDS
from qbench.quantize.kinds import function_kind, kind_of

SHAPE = (6, 6, 4)
CALLS = [(kind, form) for kind, forms in EXAMPLES.items() for form in forms]
# Where the operation is, if it is not the last one.
LAST = {"Split": -2, "Unstack": -2}
NORMALIZED = {"DepthwiseConv1D": -2, "SeparableConv2D": -3, "Conv2DTranspose": -3}


def _word(form):
    """The class or function that a form is named after."""
    return form.removeprefix("layer ").split(" ")[0]


def found(model, place=-1):
    op = model.operations[place]
    return op, kind_of(op, op._inbound_nodes[-1].arguments.kwargs)


def test_every_kind_has_examples_of_every_form():
    assert list(EXAMPLES) == [kind.name for kind in KINDS]
    for kind in KINDS:
        forms = set(map(_word, EXAMPLES[kind.name]))
        assert forms >= set(kind.functions), kind.name
        assert forms >= {*kind.layers, *kind.operations}, kind.name


@pytest.mark.parametrize(("name", "form"), CALLS, ids=[f"{kind}-{form}" for kind, form in CALLS])
def test_every_form_is_of_its_kind(name, form):
    model = network(EXAMPLES[name][form], SHAPE)
    place = -2 if form.endswith("before ReLU") else LAST.get(form, -1)
    if form.endswith(" normalized"):
        place = NORMALIZED[_word(form)]
    op, kind = found(model, place)
    assert kind is not None and kind.name == name
    word = _word(form)
    assert word in (type(op).__name__, getattr(getattr(op, "activation", None), "__name__", ""))
    by_operation = word in kind.operations and not form.startswith("layer ")
    assert isinstance(op, keras.Layer) == (not by_operation)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_rows_of_the_table_are_whole(kind):
    assert all(inspect.isclass(getattr(keras.layers, name)) for name in kind.layers)
    assert all(callable(getattr(keras.activations, name)) for name in kind.functions)
    assert kind.layers or kind.operations or kind.functions
    assert kind.grid in (PASSES, KEEPS, OWN, FIXED) and set(kind.paths) <= set(EVERY)
    assert (kind.ends is not None) == (kind.grid == FIXED)
    assert kind.inputs in (GRIDS, ONE_GRID) or not kind.kernel
    # Whoever computes on the grid of its input, or prescribes its own, needs its input on a grid.
    assert kind.grid not in (KEEPS, FIXED) or kind.inputs == GRIDS


def test_names_are_unique():
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)


def test_the_functions_inside_layers_are_known():
    assert function_kind(keras.layers.Dense(2, activation="sigmoid")).name == "logistic"
    assert function_kind(keras.layers.Dense(2)) is None
    assert function_kind(keras.layers.Dense(2, activation=lambda x: x)) is None


def test_what_the_table_lacks_has_no_kind():
    for op in (None, keras.layers.BatchNormalization(), keras.layers.Softmax(axis=1), object()):
        assert kind_of(op) is None
    assert kind_of(keras.layers.Softmax(), {"mask": object()}) is None
    assert kind_of(keras.layers.UpSampling2D(2, interpolation="bicubic")) is None
    assert kind_of(keras.layers.Resizing(4, 4, crop_to_aspect_ratio=True)) is None
    assert kind_of(keras.layers.Resizing(4, 4, antialias=True)) is None
