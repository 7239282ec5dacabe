"""LiteRT files of one operator, written without a converter, and the runtime's own answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from qbench.deploy.lite import KERNELS

TYPES = {"int8": 9, "int32": 2, "float32": 0, "int16": 7, "uint8": 3}


@dataclass(frozen=True)
class Part:
    """A tensor of a file; with `data` a constant."""

    shape: tuple[int, ...]
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    dtype: str = "int8"
    data: Any = None

    def packed(self, number: int, buffer: int) -> Any:
        quantization = schema.QuantizationParametersT(
            scale=np.array(self.scales, np.float32),
            zeroPoint=np.array(self.zero_points, np.int64),
            quantizedDimension=self.axis,
        )
        return schema.TensorT(
            shape=np.array(self.shape, np.int32),
            type=TYPES[self.dtype],
            buffer=buffer,
            name=f"part_{number}",
            quantization=quantization if self.scales else None,
        )


def part(shape: Any, scale: float, zero_point: int, data: Any = None) -> Part:
    """An int8 tensor with one scale."""
    return Part(tuple(shape), (scale,), (zero_point,), data=data)


def constant(data: Any, *scales: float, axis: int = 0, dtype: str = "int8") -> Part:
    """A constant, symmetric where it has scales."""
    data = np.asarray(data, dtype)
    return Part(data.shape, tuple(scales), (0,) * len(scales), axis, dtype, data)


def file_of(name: str, inputs: list[Part | None], output: Part, options: Any = None) -> bytes:
    """A file with one operator.

    Args:
        name: as in schema.BuiltinOperator.
        inputs: its inputs; None for an absent one. Those without data are inputs of the file.
        output: its output, the file's.
        options: an options object of the schema, such as schema.PadOptionsT().
    """
    present = [each for each in inputs if each is not None]
    parts = [*present, output]
    buffers = [schema.BufferT()]
    tensors = []
    for number, each in enumerate(parts):
        if each.data is not None:
            raw = np.frombuffer(np.ascontiguousarray(each.data).tobytes(), np.uint8)
            buffers.append(schema.BufferT(data=raw))
        tensors.append(each.packed(number, len(buffers) - 1 if each.data is not None else 0))
    numbers = iter(range(len(present)))
    indices = [-1 if each is None else next(numbers) for each in inputs]
    code = getattr(schema.BuiltinOperator, name)
    operator = schema.OperatorT(opcodeIndex=0, inputs=indices, outputs=[len(present)])
    if options is not None:
        kind = type(options).__name__[:-1]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = options
    graph = schema.SubGraphT(
        tensors=tensors,
        inputs=[number for number, each in enumerate(present) if each.data is None],
        outputs=[len(present)],
        operators=[operator],
        name="main",
    )
    return packed(
        schema.ModelT(
            version=3,
            operatorCodes=[
                schema.OperatorCodeT(
                    deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=1
                )
            ],
            subgraphs=[graph],
            buffers=buffers,
        )
    )


def packed(model: Any) -> bytes:
    """A model object of the schema as a file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def edited(content: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after `change` was applied to its model object."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    change(model)
    return packed(model)


def runtime(content: bytes, *codes: Any, kernels: str = "reference") -> Any:
    """What a kernel path of the runtime answers to int8 inputs (N, ...), run one by one."""
    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType[KERNELS[kernels]],
    )
    interpreter.allocate_tensors()
    entries = [entry["index"] for entry in interpreter.get_input_details()]
    (leave,) = [end["index"] for end in interpreter.get_output_details()]
    answers = []
    for images in zip(*codes, strict=True):
        for index, image in zip(entries, images, strict=True):
            interpreter.set_tensor(index, image[np.newaxis])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(leave))
    return np.concatenate(answers)


def codes(generator: Any, *shape: int) -> Any:
    """Random int8 codes, some images of them extreme."""
    made = generator.integers(-128, 128, shape).astype(np.int8)
    if len(made) > 2:
        made[0], made[1] = -128, 127
    return made
