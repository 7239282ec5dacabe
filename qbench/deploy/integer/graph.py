"""The graph of a LiteRT file: its tensors, and its operators in the order of execution."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError

IDENTIFIER = b"TFL3"
# Values are read for these types of the schema; for other types only the name is read.
_STORED = {"INT8": np.int8, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32}
# For each operator: the schema's table of its options, and the fields that are read.
_CONVOLUTION = (
    "Padding",
    "StrideH",
    "StrideW",
    "DilationHFactor",
    "DilationWFactor",
    "FusedActivationFunction",
)
_POOL = ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction")
_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", _CONVOLUTION),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _CONVOLUTION),
    "FULLY_CONNECTED": (
        "FullyConnectedOptions",
        ("FusedActivationFunction", "WeightsFormat", "KeepNumDims"),
    ),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "REDUCE_MAX": ("ReducerOptions", ("KeepDims",)),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", ("AlignCorners", "HalfPixelCenters")),
    "RESIZE_NEAREST_NEIGHBOR": (
        "ResizeNearestNeighborOptions",
        ("AlignCorners", "HalfPixelCenters"),
    ),
    "TRANSPOSE_CONV": (
        "TransposeConvOptions",
        ("Padding", "StrideH", "StrideW", "FusedActivationFunction"),
    ),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"),
    ),
}
# Reading a file with wrong offsets or lengths raises one of these errors.
_DAMAGE = (
    struct.error,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
_UNKNOWN = (
    "a LiteRT file with {}, which the installed ai-edge-litert does not know; the file is newer, or"
    " damaged."
)
# A function that takes an operator's name and the schema's operator, and returns its options.
_Options = Callable[[str, Any], dict[str, float]]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of a file.

    Attributes:
        index: its index in the file.
        name: its name; other tensors may have the same name.
        shape: its shape in the file; the first axis of a computed tensor is the batch, of size 1.
        dtype: the type's name in lower case, such as `int8`.
        scales: S of eq. 1, one scale or one scale per channel; empty if the file states none.
        zero_points: Z of eq. 1, one zero point per scale.
        axis: the axis of the channels, if there is one scale per channel.
        data: its values if it is a constant, else None.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: NDArray[Any] | None


@dataclass(frozen=True)
class Operator:
    """An operator of a file.

    Attributes:
        name: its name in the schema, such as `CONV_2D`.
        inputs: the indices of its input tensors; -1 for an absent input.
        outputs: the indices of its output tensors.
        options: the values of the fields in _OPTIONS by name; empty for all other operators.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, float]


@dataclass(frozen=True)
class Graph:
    """The only subgraph of a file; `inputs` and `outputs` are indices of tensors."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(content: bytes) -> Graph:
    """The graph of a file.

    Raises:
        QbenchError: the file is not a LiteRT file, is damaged, or has several subgraphs.
    """
    if content[4:8] != IDENTIFIER:
        raise QbenchError("not a LiteRT file: it does not begin like one.")
    try:
        return _Reader(content).graph()
    except _Unknown as unknown:
        raise QbenchError(_UNKNOWN.format(unknown)) from unknown
    except _DAMAGE as error:
        raise QbenchError(f"not a LiteRT file, or a damaged one: {error}.") from error


def read_operators(content: bytes) -> tuple[Operator, ...]:
    """The operators of the first subgraph of a file in order, without their options.

    This function also reads files that the integer reference refuses: files with several subgraphs
    or with other operators.

    Raises:
        QbenchError: the file is damaged.
    """
    try:
        return _Reader(content).operators()
    except _Unknown as unknown:
        raise QbenchError(_UNKNOWN.format(unknown)) from unknown
    except _DAMAGE as error:
        raise QbenchError(f"a damaged LiteRT file: {error}.") from error


class _Unknown(Exception):
    """A file uses a number that the schema of the installed runtime lacks."""


class _Reader:
    """Reads one file; raises one of the errors in _DAMAGE if the file is damaged."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.content = content
        self.model: Any = schema.Model.GetRootAs(content)

    def graph(self) -> Graph:
        count = self.model.SubgraphsLength()
        if count != 1:
            raise ValueError(f"it has {count} subgraphs, not one")
        part = self.model.Subgraphs(0)
        tensors = tuple(self._tensor(k, part.Tensors(k)) for k in self._range(part.TensorsLength()))
        operators = tuple(self._operators(part, self._options))
        ends = [_numbers(part.InputsAsNumpy()), _numbers(part.OutputsAsNumpy())]
        for number in ends[0] + ends[1]:
            _checked(number, 0, len(tensors), "a tensor's number")
        return Graph(tensors, operators, *ends)

    def _range(self, length: int) -> range:
        """The indices of a vector; each element takes 4 bytes or more, which limits the length."""
        return range(_checked(length, 0, len(self.content) // 4, "a length"))

    def _tensor(self, index: int, tensor: Any) -> Tensor:
        dtype = _name_of(self.schema.TensorType, tensor.Type())
        shape = _numbers(tensor.ShapeAsNumpy())
        if any(size < 0 for size in shape):
            raise ValueError(f"tensor {index} has the shape {shape}")
        scales: tuple[float, ...] = ()
        zero_points: tuple[int, ...] = ()
        axis = 0
        quantization = tensor.Quantization()
        if quantization is not None and quantization.ScaleLength():
            scales = tuple(float(scale) for scale in quantization.ScaleAsNumpy())
            zero_points = _numbers(quantization.ZeroPointAsNumpy()) or (0,) * len(scales)
            axis = int(quantization.QuantizedDimension())
        if not all(math.isfinite(scale) and scale > 0 for scale in scales):
            raise ValueError(f"tensor {index} has a scale that is not above 0")
        if len(zero_points) != len(scales):
            raise ValueError(f"tensor {index} has another number of zero points than of scales")
        name = (tensor.Name() or b"").decode()
        data = self._data(index, tensor.Buffer(), dtype, shape)
        return Tensor(index, name, shape, dtype.lower(), scales, zero_points, axis, data)

    def _data(
        self, index: int, number: int, dtype: str, shape: tuple[int, ...]
    ) -> NDArray[Any] | None:
        buffer = self.model.Buffers(_checked(number, 0, self.model.BuffersLength(), "a buffer"))
        if not buffer.DataLength() or dtype not in _STORED:
            return None
        data = np.array(buffer.DataAsNumpy()).view(_STORED[dtype])
        if data.size != math.prod(shape):
            raise ValueError(f"tensor {index} has {data.size} values for the shape {shape}")
        return data.reshape(shape)

    def operators(self) -> tuple[Operator, ...]:
        return tuple(self._operators(self.model.Subgraphs(0), lambda name, operator: {}))

    def _operators(self, part: Any, options: _Options) -> Iterator[Operator]:
        for k in self._range(part.OperatorsLength()):
            yield self._operator(part.Operators(k), part.TensorsLength(), options)

    def _operator(self, operator: Any, tensors: int, options: _Options) -> Operator:
        number = operator.OpcodeIndex()
        code = self.model.OperatorCodes(
            _checked(number, 0, self.model.OperatorCodesLength(), "an operator's code")
        )
        # Older files have only the deprecated field, which ends at operator 127.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = _name_of(self.schema.BuiltinOperator, builtin)
        if name == "CUSTOM":
            name = (code.CustomCode() or b"CUSTOM").decode()
        inputs, outputs = _numbers(operator.InputsAsNumpy()), _numbers(operator.OutputsAsNumpy())
        for each in inputs:
            _checked(each, -1, tensors, "an operator's input")
        for each in outputs:
            _checked(each, 0, tensors, "an operator's output")
        return Operator(name, inputs, outputs, options(name, operator))

    def _options(self, name: str, operator: Any) -> dict[str, float]:
        if name not in _OPTIONS:
            return {}
        kind, fields = _OPTIONS[name]
        union = operator.BuiltinOptions()
        if union is None or operator.BuiltinOptionsType() != getattr(
            self.schema.BuiltinOptions, kind
        ):
            raise ValueError(f"{name} without its options")
        options = getattr(self.schema, kind)()
        options.Init(union.Bytes, union.Pos)
        found = {field: getattr(options, field)() for field in fields}
        return {
            field: value if isinstance(value, float) else int(value)
            for field, value in found.items()
        }


def _numbers(vector: Any) -> tuple[int, ...]:
    """A vector as a tuple; empty for a missing vector, for which the schema's classes give 0."""
    return tuple(int(number) for number in vector) if isinstance(vector, np.ndarray) else ()


def _checked(number: int, low: int, end: int, what: str) -> int:
    if not low <= number < end:
        raise ValueError(f"{what} is {number}, expected {low} to {end - 1}")
    return number


def _name_of(enumeration: Any, number: int) -> str:
    """The name of a number in an enumeration of the schema."""
    names = {value: name for name, value in vars(enumeration).items() if name.isupper()}
    if number not in names:
        raise _Unknown(f"{enumeration.__name__} {number}")
    return str(names[number])
