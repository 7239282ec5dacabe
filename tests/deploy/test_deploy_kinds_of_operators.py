"""Every kind of the table in a file: operators, grids, kernel paths and differences."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from deploy_examples import DEPLOY, measured, quant, settled
from keras import layers, ops
from kind_examples import EXAMPLES, SHAPE, convolved

from qbench.base.errors import NotConvertible, QbenchError
from qbench.deploy.convert import fixed
from qbench.deploy.exactness import Comparer
from qbench.deploy.export import export_model
from qbench.deploy.lite import KERNELS, LiteFile, convert
from qbench.deploy.measure import graph_of
from qbench.deploy.simulation import Simulation
from qbench.models.flatten import flattened
from qbench.models.separate import separated
from qbench.quantize.kind_table import KINDS
from qbench.quantize.rewrite import rewrite

# The operators that compute shapes, and those before the kind in some examples.
BESIDE = {"SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE", "EXPAND_DIMS", "CONV_2D", "QUANTIZE"}
# The largest differences from the simulation, in steps of the output's grid. Where two operators
# follow each other, one code before the second one is up to two behind it.
BOUNDS = {"product": 1, "SiLU": 1}
IN_FILES = [kind for kind in KINDS if kind.file]
FLOAT = [kind for kind in KINDS if not kind.file and not kind.idle]
# Operations over the whole batch, which no file has.
NO_FILE = {"Ravel"}
CONVERTED = [
    pytest.param(kind, form, marks=() if k == 0 else pytest.mark.slow)
    for kind in IN_FILES
    for k, form in enumerate(form for form in EXAMPLES[kind.name] if form not in NO_FILE)
]


class Made:
    """The file of a body, its simulation and what the comparer finds."""

    def __init__(self, body):
        keras.utils.set_random_seed(7)
        image = keras.Input(SHAPE)
        model = separated(flattened(settled(keras.Model(image, body(image)))))
        chosen = quant(**DEPLOY)
        self.inputs = 3 * np.random.default_rng(3).normal(size=(64, *SHAPE)).astype(np.float32)
        averages = measured(model, self.inputs)
        self.content = convert(export_model(model, averages, chosen)[0], "int8")
        graph = graph_of(self.content)
        found = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
        self.operators = [op.name for op in graph.operators]
        self.differing, self.floats = found.differing(graph), found.float_tensors(graph)
        self.moved = found.moved(graph)
        self.others = found.has_other_kernels(graph)
        view = rewrite(model, fixed(chosen), averages).model
        self.expected = view([self.inputs], training=False)[0].numpy()

    def steps(self, path):
        """The largest difference on a kernel path, in steps of the output's grid."""
        file = LiteFile(self.content, path)
        return np.abs(file.outputs(self.inputs) - self.expected).max() / file.output_step()


def unnumbered(name):
    """A name without the number that Keras gives the layers of one kind."""
    return re.sub(r"_\d+", "", name)


@pytest.mark.parametrize(("kind", "form"), CONVERTED)
def test_a_kind_with_operators_is_integer_and_as_simulated(kind, form):
    made = Made(EXAMPLES[kind.name][form])
    assert set(made.operators) & set(kind.file), made.operators
    assert set(made.operators) <= {
        *kind.file,
        *BESIDE,
        "RELU",
        "MUL",
        "ADD",
        "PAD",
        "CONCATENATION",
    }
    assert (made.floats, made.others) == ([], False)
    # A file compares on the grid of its inputs, and rounds the result to its own one behind that.
    compared_again = [f"{kind.name}.part1"] if form == "layer Maximum of three" else []
    assert [unnumbered(name) for name in made.differing] == compared_again
    assert made.moved == made.differing
    bound = 2 if form.endswith("of three") else BOUNDS.get(kind.name, 2)
    for path in KERNELS:
        if path not in kind.paths:
            with pytest.raises(QbenchError, match="no kernel for"):
                LiteFile(made.content, path)
            continue
        assert made.steps(path) <= bound + 0.01, path


def test_an_average_of_one_value_is_neither_in_the_file_nor_on_a_grid_of_its_own():
    def body(x):
        x = layers.GlobalAveragePooling2D(keepdims=True)(layers.Conv2D(4, 6)(x))
        return layers.Conv2D(3, 1)(x)

    made = Made(body)
    assert made.operators == ["CONV_2D"] * 2
    assert (made.floats, made.differing, made.moved, made.others) == ([], [], [], False)
    assert all(made.steps(path) <= 1.01 for path in KERNELS)


def test_parts_that_nothing_reads_are_cut_out():
    def body(x):
        parts = ops.split(layers.Conv2D(4, 3)(x), 4, axis=-1)
        return layers.Conv2D(2, 1)(parts[3]) + parts[1]

    made = Made(body)
    assert "STRIDED_SLICE" in made.operators and "SPLIT" not in made.operators
    assert (made.floats, made.differing, made.others) == ([], [], False)
    assert all(made.steps(path) <= 2.01 for path in KERNELS)


@pytest.mark.parametrize("kind", FLOAT, ids=[kind.name for kind in FLOAT])
def test_a_kind_without_operators_is_named_or_refused(kind):
    forms = EXAMPLES[kind.name]
    for form in list(forms)[:3]:
        try:
            made = Made(forms[form])
        except (NotConvertible, QbenchError) as error:
            assert "cannot be converted" in str(error) or "converter refuses" in str(error)
            continue
        assert made.floats or made.differing, form


def test_an_operation_that_is_called_twice_is_in_the_file_twice():
    image = keras.Input(SHAPE)
    inner = keras.Model(image, image + convolved(image))
    made = Made(lambda x: inner(inner(x)))
    assert made.operators.count("ADD") == 2
    assert (made.floats, made.differing) == ([], [])
    assert made.steps("builtin") <= 3.01
