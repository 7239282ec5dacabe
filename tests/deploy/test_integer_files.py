"""Whole files in the integer reference: reading them, running them, refusing them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from deploy_examples import images, measured, network, quant
from integer_files import Part, codes, constant, edited, file_of, part
from keras import layers

from qbench.cli import main
from qbench.data import load
from qbench.data.preprocessing import PREPROCESSING
from qbench.deploy.export import export_model
from qbench.deploy.integer import OPERATORS, IntegerFile, read_graph
from qbench.deploy.lite import LiteFile, convert
from qbench.errors import QbenchError
from qbench.models import build_model


def mobile(image: Any) -> Any:
    """Depthwise convolutions, clamps at 6, paddings, pools and joins."""
    x = layers.ZeroPadding2D(((2, 1), (0, 1)))(image)  # no SAME padding, so that it stays
    x = layers.Conv2D(6, 3, strides=2, padding="valid", name="stem")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.Conv2D(6, 1, use_bias=False)(y)
    x = layers.Concatenate()([layers.Add()([x, y]), layers.MaxPooling2D(3, 1, padding="same")(y)])
    z = layers.AveragePooling2D(2)(x)
    z = layers.Dense(4, activation="relu")(layers.Flatten()(z))
    return layers.Dense(5)(layers.Concatenate()([z, layers.GlobalAveragePooling2D()(x)]))


def flat(image: Any) -> Any:
    """A residual network that ends in an average pool and in all of its pixels."""
    x = layers.ReLU(name="relu")(layers.Conv2D(4, 3, padding="same", name="conv")(image))
    y = layers.Conv2D(4, 3, padding="same", name="other")(x)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, y]))
    return layers.Dense(5)(layers.Flatten()(layers.AveragePooling2D(2)(x)))


@pytest.fixture(scope="module")
def trained() -> SimpleNamespace:
    """A network as `qbench convert` writes it."""
    model = network(flat)
    exported, _ = export_model(model, measured(model), quant())
    return SimpleNamespace(content=convert(exported, "int8"), images=images(200))


@pytest.fixture(scope="module")
def calibrated() -> SimpleNamespace:
    """A network with depthwise convolutions, on the grids that the converter found by itself."""
    converter = tf.lite.TFLiteConverter.from_keras_model(network(mobile))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images(50))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return SimpleNamespace(content=converter.convert(), images=images(200))


@pytest.mark.parametrize("name", ["trained", "calibrated"])
def test_converted_networks_agree_bit_for_bit(name, request):
    example = request.getfixturevalue(name)
    file = LiteFile(example.content, "reference")
    inputs = file.codes(example.images)
    expected = file.answer(inputs)
    made = IntegerFile(example.content).run(inputs)
    np.testing.assert_array_equal(made, expected)
    assert len(np.unique(made)) > 20  # not a constant


def test_the_networks_have_every_operator(trained, calibrated):
    graphs = [read_graph(example.content) for example in (trained, calibrated)]
    found = {operator.name for graph in graphs for operator in graph.operators}
    assert found == set(OPERATORS) | {"SHAPE", "STRIDED_SLICE", "PACK"}


@pytest.mark.parametrize("name", ["trained", "calibrated"])
def test_every_tensor_on_the_way_is_the_runtimes(name, request):
    content = request.getfixturevalue(name).content
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
    file = IntegerFile(calibrated.content)
    inputs = LiteFile(calibrated.content, "reference").codes(images(30))
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


@pytest.mark.parametrize("name", ["trained", "calibrated"])
def test_there_is_no_floating_point_between_input_and_output(name, request):
    """Over two files that have every operator."""
    content = request.getfixturevalue(name).content
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


@pytest.mark.parametrize("content", [b"", b"no file", b"\x00" * 4096, b"\x08\x00\x00\x00TFL3"])
def test_a_foreign_file_is_refused_in_a_sentence(content):
    with pytest.raises(QbenchError, match=r"^not a LiteRT file"):
        IntegerFile(content)


def test_a_cut_file_is_refused(trained):
    content = trained.content
    for length in range(8, len(content) - 8, len(content) // 40):
        with pytest.raises(QbenchError, match=r"^not a LiteRT file, or a damaged one: "):
            IntegerFile(content[:length])


def test_a_damaged_file_is_refused_or_still_makes_sense(calibrated):
    """A changed byte of a kernel goes unnoticed; wherever else it stands, no other error comes."""
    generator = np.random.default_rng(5)
    start = bytearray(calibrated.content)
    inputs = LiteFile(calibrated.content, "reference").codes(images(1))
    refused = 0
    for _ in range(300):
        damaged = bytearray(start)
        for place in generator.integers(0, len(start), 4):
            damaged[place] = generator.integers(256)
        try:
            made = IntegerFile(bytes(damaged)).run(inputs)
        except QbenchError as error:
            refused += 1
            assert str(error).endswith(".") and "\n" not in str(error)
        else:
            assert made.dtype == np.int8
    assert 50 < refused < 300


@pytest.mark.parametrize(("kind", "dtype"), [("float", "float32"), ("16x8", "int16")])
def test_files_of_other_kinds_are_refused(kind, dtype):
    model = network()
    exported, _ = export_model(model, measured(model), quant(bits=16), on_grids=False)
    content = convert(exported, kind, images(5) if kind == "16x8" else None)
    with pytest.raises(QbenchError, match=f"takes {dtype}; the integer reference runs int8 files"):
        IntegerFile(content)


GRID = (1.0, 0)


def small(name: str, *inputs: Any, options: Any = None, end: Any = None) -> bytes:
    return file_of(name, list(inputs), end or part((1, 4), *GRID), options)


CONVOLUTION = schema.Conv2DOptionsT(padding=1, strideH=1, strideW=1)
IMAGE = part((1, 2, 2, 4), *GRID)
REFUSED = [
    (small("SOFTMAX", part((1, 4), *GRID), options=schema.SoftmaxOptionsT()), "is SOFTMAX; the "),
    (
        small("RESHAPE", part((1, 4), *GRID), end=part((4, 1), *GRID)),
        "the batch stays first",
    ),
    (
        small("CONCATENATION", part((1, 2), *GRID), part((1, 2), 2.0, 0),
              options=schema.ConcatenationOptionsT(axis=1)),
        "on another grid than its output",
    ),
    (
        small("QUANTIZE", Part((1, 4), (1.0, 2.0), (0, 0)), options=schema.QuantizeOptionsT()),
        "'part_0' (int8, 2 scales)",
    ),
    (small("QUANTIZE", part((1, 4), 1.0, 300)), "the zero point 300, which is no int8 code"),
    (small("QUANTIZE", part((1, 3), *GRID)), "makes the shape (1, 3); the file states (1, 4)"),
    (small("QUANTIZE", part((1, 4), -1.0, 0)), "a scale that is not above 0"),
    (small("ADD", part((1, 4), *GRID), part((1, 4), *GRID)), "ADD without its options"),
    (
        small("ADD", part((1, 4), *GRID), part((1, 3), *GRID), options=schema.AddOptionsT()),
        "adds tensors of shapes that do not fit",
    ),
    (
        small("ADD", part((1, 4), *GRID), part((1, 4), *GRID),
              options=schema.AddOptionsT(fusedActivationFunction=4)),
        "has the activation TANH, which is not a clamp",
    ),
    (
        small("CONV_2D", IMAGE, constant(np.ones((3, 1, 1, 2)), 1.0), options=CONVOLUTION),
        "has a kernel of shape (3, 1, 1, 2) for an input of (1, 2, 2, 4)",
    ),
    (
        small("CONV_2D", IMAGE, constant(np.ones((3, 1, 1, 4)), 1.0, 2.0), options=CONVOLUTION),
        "has 2 scales for 3 channels",
    ),
    (
        small("CONV_2D", IMAGE, constant(np.ones((3, 3, 3, 4)), 1.0), options=CONVOLUTION),
        "has windows of (3, 3) in an image of (2, 2)",
    ),
    (
        small("CONV_2D", IMAGE, constant(np.ones((3, 1, 1, 4)), 1.0),
              options=schema.Conv2DOptionsT(padding=1, strideH=0, strideW=1)),
        "has StrideH 0, expected at least 1",
    ),
    (
        small("MEAN", IMAGE, constant([0], dtype="int32"), options=schema.ReducerOptionsT()),
        "takes the mean over the axes [0]",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_it_does_not_run_is_refused_in_a_sentence(content, sentence):
    with pytest.raises(QbenchError) as caught:
        IntegerFile(content)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_graph_that_is_out_of_order_is_refused(trained):
    def swapped(model):
        operators = model.subgraphs[0].operators
        operators[0], operators[1] = operators[1], operators[0]

    with pytest.raises(QbenchError, match=r"reads tensor .* which nothing made before"):
        IntegerFile(edited(trained.content, swapped))


def test_inputs_of_another_shape_or_type_are_refused(trained):
    file = IntegerFile(trained.content)
    x = codes(np.random.default_rng(1), 3, 8, 8, 2)
    for wrong in (x.astype(np.float32), x[:, :7], x[:0], x[0], np.int8(3)):
        with pytest.raises(QbenchError, match=r"takes int8 codes of shape \(N, 8, 8, 2\), not"):
            file.run(np.asarray(wrong))
    with pytest.raises(QbenchError, match="has 1 inputs, given are 2"):
        file.run(x, x)


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
    assert main(["train", "train.steps=200", "eval.limit=100", "threads=2", f"out={out}"]) == 0
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
    model = build_model("resnet8", {}, (32, 32, 3), 10)
    exported, _ = export_model(model, measured(model, scaled), quant())
    content = convert(exported, "int8")
    inputs, expected = real_codes(content, pixels)
    assert len(inputs) == 1000 and len(np.unique(expected)) > 20
    np.testing.assert_array_equal(IntegerFile(content).run(inputs), expected)
