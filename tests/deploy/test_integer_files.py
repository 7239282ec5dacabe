"""Whole files in the integer reference: what stands in them, and what they answer."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from deploy_examples import images, measured, quant
from integer_files import constant, file_of, part

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.data import load
from qbench.data.preprocessing import PREPROCESSING
from qbench.deploy.export import export_model
from qbench.deploy.integer import OPERATORS, IntegerFile, read_graph, read_operators
from qbench.deploy.lite import LiteFile, convert
from qbench.models import build_model
from qbench.tasks.classification import Classification


@pytest.mark.parametrize("name", ["trained", "calibrated", "various"])
def test_converted_networks_agree_bit_for_bit(name, request):
    content = request.getfixturevalue(name)
    file = LiteFile(content, "reference")
    inputs = file.codes(images(200))
    expected = file.answer(inputs)
    made = IntegerFile(content).run(inputs)
    np.testing.assert_array_equal(made, expected)
    assert len(np.unique(made)) > 20  # not a constant


def test_the_networks_have_every_operator(trained, calibrated, various):
    graphs = [read_graph(content) for content in (trained, calibrated, various)]
    found = {operator.name for graph in graphs for operator in graph.operators}
    assert found == set(OPERATORS) | {"SHAPE", "STRIDED_SLICE", "PACK"}


@pytest.mark.parametrize("name", ["trained", "calibrated", "various"])
def test_every_tensor_on_the_way_is_the_runtimes(name, request):
    content = request.getfixturevalue(name)
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    file = IntegerFile(content)
    inputs = LiteFile(content, "reference").codes(images(3))[2:]
    interpreter.allocate_tensors()
    interpreter.set_tensor(file.inputs[0].index, inputs)
    interpreter.invoke()
    traced = file.trace(inputs)
    made = {operator.outputs[0] for operator in file.graph.operators}
    int8 = {index for index in made if file.graph.tensors[index].dtype == "int8"}
    assert set(traced) == int8 | {file.inputs[0].index}
    for index, values in traced.items():
        np.testing.assert_array_equal(values, interpreter.get_tensor(index))


def test_the_batch_changes_no_bit(calibrated):
    file = IntegerFile(calibrated)
    inputs = LiteFile(calibrated, "reference").codes(images(30))
    whole = file.run(inputs, batch=30)
    for batch in (1, 7, 100):
        np.testing.assert_array_equal(file.run(inputs, batch=batch), whole)


class Spy(np.ndarray):
    """An array that notes the types of all that numpy takes and gives on its way."""

    seen: set[str] = set()

    def __array_ufunc__(self, function, method, *inputs, out=(), **settings):
        settings |= {"out": tuple(plain(each) for each in out)} if out else {}
        return noted(getattr(function, method)(*noted_plain(inputs), **settings))

    def __array_function__(self, function, types, inputs, settings):
        return noted(function(*noted_plain(inputs), **{k: plain(v) for k, v in settings.items()}))


def plain(value):
    if isinstance(value, list | tuple):
        return type(value)(plain(each) for each in value)
    return value.view(np.ndarray) if isinstance(value, Spy) else value


def noted_plain(inputs):
    for each in inputs:
        if isinstance(each, np.ndarray | np.generic):
            noted(each)
    return plain(inputs)


def noted(value):
    Spy.seen.add(np.asarray(value).dtype.name)
    return np.asarray(value).view(Spy)


def test_the_spy_sees_floats():
    Spy.seen = set()
    x = np.arange(4, dtype=np.int8).view(Spy)
    assert (np.concatenate([x, x]) / 2).sum().dtype == np.float64
    assert Spy.seen == {"int8", "float64"}


@pytest.mark.parametrize("name", ["trained", "calibrated", "various"])
def test_there_is_no_floating_point_between_input_and_output(name, request):
    """Over two files that have every operator."""
    content = request.getfixturevalue(name)
    file = IntegerFile(content)
    inputs = LiteFile(content, "reference").codes(images(4))
    Spy.seen = set()
    traced = file.trace(inputs.view(Spy))
    for index, values in traced.items():
        assert isinstance(values, Spy), f"tensor {index} was computed unseen"
        assert values.dtype == np.int8
    assert {"int32", "int64"} <= Spy.seen <= {"int8", "int32", "int64", "bool"}


def test_a_graph_says_what_stands_in_the_file():
    values = np.arange(-6, 6).reshape(3, 1, 1, 4)
    kernel = constant(values, 0.5, 0.25, 2.0)
    content = file_of(
        "CONV_2D",
        [part((1, 2, 2, 4), 0.75, -7), kernel],
        part((1, 2, 2, 3), 1.5, 9),
        schema.Conv2DOptionsT(padding=1, strideH=1, strideW=1, fusedActivationFunction=3),
    )
    graph = read_graph(content)
    assert graph.inputs == (0,) and graph.outputs == (2,)
    image, weights, end = graph.tensors
    assert (image.shape, image.dtype, image.data) == ((1, 2, 2, 4), "int8", None)
    assert (image.scales, image.zero_points, image.name) == ((0.75,), (-7,), "part_0")
    assert (weights.scales, weights.axis) == ((0.5, 0.25, 2.0), 0)
    np.testing.assert_array_equal(weights.data, values)
    assert end.zero_points == (9,)
    (operator,) = graph.operators
    assert (operator.name, operator.inputs, operator.outputs) == ("CONV_2D", (0, 1), (2,))
    assert operator.options["Padding"] == 1 and operator.options["FusedActivationFunction"] == 3


def real_codes(content: bytes, pixels: Any) -> tuple[Any, Any]:
    """Codes of images, and what the runtime answers to them."""
    file = LiteFile(content, "reference")
    inputs = file.codes(PREPROCESSING["vgg"].scale(pixels).numpy())
    parts = [file.answer(inputs[k : k + 100]) for k in range(0, len(inputs), 100)]
    return inputs, np.concatenate(parts)


@pytest.mark.slow
def test_a_thousand_digits(tmp_path):
    """The digits network, trained and converted by the commands."""
    out = tmp_path / "out"
    assert (
        main(
            [
                "train",
                "study=digits",
                "train.steps=200",
                "eval.limit=100",
                "threads=2",
                f"out={out}",
            ]
        )
        == 0
    )
    (run,) = (out / "runs").iterdir()
    assert main(["convert", str(run), "eval.limit=20"]) == 0
    content = (run / "model_int8.tflite").read_bytes()
    data = load("digits", None)
    pixels = np.concatenate([data.test_images, data.train_images])[:1000]
    inputs, expected = real_codes(content, pixels)
    assert len(inputs) == 1000
    np.testing.assert_array_equal(IntegerFile(content).run(inputs), expected)


@pytest.mark.slow
def test_a_thousand_photographs_in_resnet8():
    """Cut from the two that come with scikit-learn; weights as initialised, ranges measured."""
    from sklearn.datasets import load_sample_images

    pixels = np.concatenate(
        [
            photo[row : row + 32, column : column + 32][np.newaxis]
            for photo in load_sample_images().images
            for row in range(0, 395, 16)
            for column in range(0, 608, 30)
        ]
    )[:1000]
    scaled = PREPROCESSING["vgg"].scale(pixels[::10]).numpy()
    model = build_model("resnet8", {}, (32, 32, 3), Classification(10))
    exported, _ = export_model(model, measured(model, scaled), quant())
    content = convert(exported, "int8")
    inputs, expected = real_codes(content, pixels)
    assert len(inputs) == 1000 and len(np.unique(expected)) > 20
    np.testing.assert_array_equal(IntegerFile(content).run(inputs), expected)


@pytest.mark.parametrize("kind", ["trained", "calibrated"])
def test_operators_read_from_the_file_are_those_that_the_runtime_runs(kind, request):
    """By the runtime's own list, which is private: qbench reads the file in its place."""
    content = request.getfixturevalue(kind)
    interpreter = LiteFile(content, "builtin")._interpreter
    interpreter.allocate_tensors()
    expected = [
        (op["op_name"], tuple(op["inputs"]), tuple(op["outputs"]))
        for op in interpreter._get_ops_details()
    ]
    assert [(op.name, op.inputs, op.outputs) for op in read_operators(content)] == expected
    assert LiteFile(content, "xnnpack").operators() == [name for name, *_ in expected]


def test_operators_of_a_file_with_a_loop_and_an_operator_of_its_own_are_read():
    """`read_graph` refuses several subgraphs; whatever the runtime opens has operators."""

    @tf.function(input_signature=[tf.TensorSpec((1, 2))])
    def halved(x):
        return tf.while_loop(lambda y: tf.reduce_sum(y) > 1.0, lambda y: (y / 2.0,), (x,))[0]

    concrete = halved.get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    assert "WHILE" in [op.name for op in read_operators(content)]
    changed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    code = changed.operatorCodes[0]
    code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, 32
    code.customCode = "Mine"
    builder = flatbuffers.Builder(len(content))
    builder.Finish(changed.Pack(builder), b"TFL3")
    assert "Mine" in [op.name for op in read_operators(bytes(builder.Output()))]


def test_operators_of_a_damaged_file_are_refused_with_a_sentence(trained):
    with pytest.raises(QbenchError, match="damaged LiteRT file"):
        read_operators(trained[: len(trained) // 8])
