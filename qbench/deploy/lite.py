"""Writes LiteRT files with TensorFlow's converter, and runs them with the LiteRT interpreter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError, disk_full
from qbench.base.reasons import reason
from qbench.deploy.file_graph import FileGraph, read_graph
from qbench.deploy.integer.graph import read_operators
from qbench.deploy.silence import silenced

# The kernel paths of the runtime; a file may give different answers on each.
KERNELS = {
    "xnnpack": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
# The kernel paths whose intermediate tensors can be read; XNNPACK does not keep them.
TRACEABLE = ("reference", "builtin")


def convert(
    model: Any,
    kind: str,
    calibration: NDArray[np.float32] | None = None,
    entry: str | None = None,
) -> bytes:
    """Convert a Keras model with one input into a LiteRT file.

    Args:
        model: the model to convert.
        kind: `float`; `int8`, with the grids in the model, or with ranges measured on the
            calibration inputs; `16x8`, with 16-bit activations and 8-bit weights, which needs
            calibration inputs.
        calibration: network inputs (N, H, W, C) to measure ranges on, or None.
        entry: `uint8` if an int8 file takes codes from 0 to 255; None for the codes of its kind.

    Raises:
        NotConvertible: the converter refuses the model; the layers are named if they can be found.
        MemoryError, OSError, tf.errors.ResourceExhaustedError: there is too little memory or disk.
    """
    import tensorflow as tf

    from qbench.deploy.refused import refusal  # imports Keras

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")
    traced = tf.function(lambda image: model([image], training=False), autograph=False)
    function = traced.get_concrete_function(signature)
    held = tf.Module()  # with a Keras model, the converter would lose the values of variables
    held.variables_read = list(function.graph.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], held)
    if kind != "float":
        dtype = tf.int16 if kind == "16x8" else tf.int8
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = dtype
        if entry == "uint8":
            converter.inference_input_type = tf.uint8
    if calibration is not None:
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in calibration)
        converter.target_spec.supported_ops = [_operators(kind)]
    try:
        with silenced():
            content: bytes = converter.convert()
    except (MemoryError, OSError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:
        if full := disk_full(error):
            raise full from error
        raise refusal(error, model) from error
    return content


def _operators(kind: str) -> Any:
    import tensorflow as tf

    if kind == "16x8":
        return tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    return tf.lite.OpsSet.TFLITE_BUILTINS_INT8


@dataclass(frozen=True)
class Detail:
    """Index, grid and dtype of a file's input or output; the scale is 0 for float32."""

    index: int
    scale: float
    zero_point: int
    dtype: Any


INPUT, OUTPUT = "the file's input", "the file's output"


@dataclass(frozen=True)
class FileTensor:
    """The input of a file, or a tensor that one of its operators made.

    Attributes:
        layers: the scopes of the last op that the converter fused into the operator; also INPUT or
            OUTPUT if the tensor is the input or output of the file.
        scale: the scale of its grid; 0 for float32.
        values: its values (N, ...) float32, dequantized.
    """

    layers: tuple[str, ...]
    scale: float
    values: NDArray[np.float32]


class LiteFile:
    """A file, ready to be run on one kernel path."""

    def __init__(
        self, content: bytes, kernels: str = "xnnpack", threads: int = 1, keep_all: bool = False
    ) -> None:
        """Open a file; QbenchError if it is not a LiteRT file, or if a kernel for it is missing.

        With `keep_all`, the values of all tensors can be read, if the kernel path keeps them.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        try:
            with silenced():
                self._interpreter = Interpreter(
                    model_content=content,
                    num_threads=threads,
                    experimental_op_resolver_type=OpResolverType[KERNELS[kernels]],
                    experimental_preserve_all_tensors=keep_all,
                )
        except ValueError as error:
            raise QbenchError(_cannot_run(error)) from error
        self._content = content
        self._allocated = -1

    def outputs(self, images: NDArray[Any], batch: int = 100) -> NDArray[np.float32]:
        """Dequantized outputs (N, ...) of inputs (N, H, W, C), see `codes`."""
        parts = [self._run(images[k : k + batch]) for k in range(0, len(images), batch)]
        return np.concatenate(parts)

    def tensors(self, images: NDArray[Any]) -> list[FileTensor]:
        """The input and the operators' outputs for inputs (N, H, W, C), without shape tensors."""
        self._run(images)
        interpreter = self._interpreter
        details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
        found = []
        for index in self._made():
            scale, zero_point = details[index]["quantization"]
            values = interpreter.get_tensor(index)
            if not scale and values.dtype.kind != "f":
                continue
            values = values.astype(np.float32)
            if scale:
                values = (values - zero_point) * np.float32(scale)
            layers = details[index]["name"].partition(";")[0].split("/")
            roles = [role for role, ends in self._ends().items() if index in ends]
            found.append(FileTensor((*layers, *roles), float(scale), values))
        return found

    def output(self) -> Detail:
        """The grid of the output."""
        return self._detail(self._interpreter.get_output_details())

    def output_step(self) -> float:
        """The output's scale; 0 for a float file."""
        return self.output().scale

    def operators(self) -> list[str]:
        """The names of the file's operators, in their order."""
        return [op.name for op in read_operators(self._content)]

    def dtypes(self) -> set[str]:
        """The types of all tensors."""
        return {np.dtype(t["dtype"]).name for t in self._interpreter.get_tensor_details()}

    def activation_grids(self) -> list[tuple[float, int]]:
        """(scale, zero point) of all tensors of the graph except weights and biases."""
        interpreter = self._interpreter
        interpreter.allocate_tensors()
        found = {t["index"]: t["quantization"] for t in interpreter.get_tensor_details()}
        return [(float(found[k][0]), int(found[k][1])) for k in self._made()]

    def graph(self) -> FileGraph:
        """The file's operators with the grids of their inputs and outputs."""
        return read_graph(self._content, self._interpreter)

    def _ends(self) -> dict[str, list[int]]:
        """The indices of the file's input and output."""
        entry, leave = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        return {INPUT: [t["index"] for t in entry], OUTPUT: [t["index"] for t in leave]}

    def _made(self) -> list[int]:
        """The indices of the input and of every operator's output, in their order."""
        entry = self._interpreter.get_input_details()[0]["index"]
        made = [k for op in read_operators(self._content) for k in op.outputs]
        return list(dict.fromkeys([int(entry), *made]))

    def _detail(self, details: list[dict[str, Any]]) -> Detail:
        (one,) = details
        scale, zero_point = one["quantization"]
        return Detail(one["index"], float(scale), int(zero_point), one["dtype"])

    def codes(self, images: NDArray[Any]) -> NDArray[Any]:
        """Inputs (N, H, W, C) in the form of the file.

        Floats become codes of the file's grid, or stay floats. Whole numbers are codes already.

        Raises:
            QbenchError: the codes are of another type than the input of the file.
        """
        entry = self._detail(self._interpreter.get_input_details())
        if images.dtype.kind in "iu":
            if images.dtype != entry.dtype:
                wanted = np.dtype(entry.dtype).name
                raise QbenchError(f"the file takes {wanted}, not codes of {images.dtype.name}.")
            return images
        if not entry.scale:
            return images
        codes = np.round(images / np.float32(entry.scale)) + entry.zero_point
        limits = np.iinfo(entry.dtype)
        return np.asarray(np.clip(codes, limits.min, limits.max), entry.dtype)

    def load(self, codes: NDArray[Any]) -> None:
        """Copy the result of `codes` to the input of the file, for `invoke`."""
        interpreter = self._interpreter
        entry = self._detail(interpreter.get_input_details())
        if self._allocated != len(codes):
            with silenced():
                interpreter.resize_tensor_input(entry.index, codes.shape)
                interpreter.allocate_tensors()
            self._allocated = len(codes)
        interpreter.set_tensor(entry.index, codes)

    def fill(self, batch: int = 1) -> None:
        """Fill every input: random numbers in floats and small integers, zeros in other types.

        Raises:
            QbenchError: an input does not hold numbers, or its batch is fixed at another size.
            RuntimeError: the runtime lacks an operator of the file on this kernel path.
        """
        interpreter = self._interpreter
        for entry in interpreter.get_input_details():
            shape = list(map(int, entry["shape"]))
            if list(entry["shape_signature"][:1]) == [-1]:
                interpreter.resize_tensor_input(entry["index"], [batch, *shape[1:]])
            elif batch != 1 and shape[:1] != [batch]:
                raise QbenchError(f"batch={batch}: the input {entry['name']} is fixed at {shape}.")
        with silenced():
            interpreter.allocate_tensors()
        for entry in interpreter.get_input_details():
            interpreter.set_tensor(entry["index"], _noise(entry["shape"], np.dtype(entry["dtype"])))

    def invoke(self) -> None:
        """Run the file once on the loaded input."""
        self._interpreter.invoke()

    def answer(self, codes: NDArray[Any]) -> NDArray[Any]:
        """The output (N, ...) of the file for the result of `codes`, not dequantized."""
        self.load(codes)
        self.invoke()
        interpreter = self._interpreter
        leave = self._detail(interpreter.get_output_details())
        return np.asarray(interpreter.get_tensor(leave.index))

    def _run(self, images: NDArray[Any]) -> NDArray[np.float32]:
        result = self.answer(self.codes(images))
        leave = self._detail(self._interpreter.get_output_details())
        if not leave.scale:
            return np.asarray(result, np.float32)
        values = (result.astype(np.float32) - leave.zero_point) * np.float32(leave.scale)
        return np.asarray(values, np.float32)


def _cannot_run(error: ValueError) -> str:
    """The reason why the runtime cannot run a file, in one sentence."""
    missing = re.search(r"Didn't find op for builtin opcode '(\w+)'", str(error))
    if missing:
        return f"no kernel for {missing.group(1)}"
    newer = re.search(r"builtin_code out of range: (\d+)", str(error))
    if newer:
        return f"no kernel for operator {newer.group(1)} of a newer runtime"
    return f"not a LiteRT file: {reason(error)}"


def _noise(shape: Sequence[int], dtype: Any) -> NDArray[Any]:
    """Random numbers, equal in each call; wide integers are 0, because they may be indices."""
    if dtype.kind not in "iufb":
        raise QbenchError(f"an input of {dtype.name} values: only numbers can be made up.")
    generator = np.random.default_rng(0)
    if dtype.kind == "f":
        return np.asarray(generator.standard_normal(shape).astype(dtype))
    if dtype.itemsize > 2 or dtype.kind == "b":
        return np.zeros(shape, dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
