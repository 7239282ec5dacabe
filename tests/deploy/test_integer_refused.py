"""What the integer reference refuses, always in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from deploy_examples import images, measured, network, quant
from integer_files import Part, codes, constant, edited, file_of, part

from qbench.base.errors import QbenchError
from qbench.deploy.export import export_model
from qbench.deploy.integer import IntegerFile, read_operators
from qbench.deploy.lite import LiteFile, convert


@pytest.mark.parametrize("content", [b"", b"no file", b"\x00" * 4096, b"\x08\x00\x00\x00TFL3"])
def test_a_foreign_file_is_refused_in_a_sentence(content):
    with pytest.raises(QbenchError, match=r"^not a LiteRT file"):
        IntegerFile(content)


def test_a_cut_file_is_refused(trained):
    for length in range(8, len(trained) - 8, len(trained) // 40):
        with pytest.raises(QbenchError, match=r"^not a LiteRT file, or a damaged one: "):
            IntegerFile(trained[:length])


def test_a_damaged_file_is_refused_or_still_makes_sense(calibrated):
    """A changed byte of a kernel goes unnoticed; wherever else it stands, no other error comes."""
    generator = np.random.default_rng(5)
    start = bytearray(calibrated)
    inputs = LiteFile(calibrated, "reference").codes(images(1))
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
        IntegerFile(edited(trained, swapped))


def test_inputs_of_another_shape_or_type_are_refused(trained):
    file = IntegerFile(trained)
    x = codes(np.random.default_rng(1), 3, 8, 8, 2)
    for wrong in (x.astype(np.float32), x[:, :7], x[:0], x[0], np.int8(3)):
        with pytest.raises(QbenchError, match=r"takes int8 codes of shape \(N, 8, 8, 2\), not"):
            file.run(np.asarray(wrong))
    with pytest.raises(QbenchError, match="has 1 inputs, given are 2"):
        file.run(x, x)


def test_a_newer_file_is_not_called_a_foreign_one():
    def change(model: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode, code.deprecatedBuiltinCode = 999, 127

    content = edited(small("RESHAPE", part((1, 4), *GRID)), change)
    for read in (IntegerFile, read_operators):
        with pytest.raises(QbenchError, match=r"^a LiteRT file with BuiltinOperator 999, which"):
            read(content)
    with pytest.raises(QbenchError, match=r"^no kernel for operator 999 of a newer runtime"):
        LiteFile(content, "builtin")
