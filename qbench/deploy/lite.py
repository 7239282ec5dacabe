"""LiteRT files: written by TensorFlow's converter, run by the LiteRT interpreter."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.errors import QbenchError

# The kernel paths of the runtime; one file gives different answers on them.
KERNELS = {
    "xnnpack": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}


def convert(model: Any, kind: str, calibration: NDArray[np.float32] | None = None) -> bytes:
    """A LiteRT file from a Keras model with one input.

    Args:
        model: what to convert.
        kind: `float`; `int8`, from the grids that stand in the model or, with calibration inputs,
            from the ranges found on them; `16x8`, 16-bit activations and 8-bit weights, which needs
            calibration inputs.
        calibration: network inputs (N, H, W, C).

    Raises:
        QbenchError: the converter refuses the model.
    """
    import tensorflow as tf

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")
    traced = tf.function(lambda image: model(image, training=False))
    function = traced.get_concrete_function(signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    if kind != "float":
        dtype = tf.int16 if kind == "16x8" else tf.int8
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = dtype
    if calibration is not None:
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in calibration)
        converter.target_spec.supported_ops = [_operators(kind)]
    try:
        with _silenced():
            content: bytes = converter.convert()
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise QbenchError(f"the converter refuses this model: {reason}") from error
    return content


def _operators(kind: str) -> Any:
    import tensorflow as tf

    if kind == "16x8":
        return tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    return tf.lite.OpsSet.TFLITE_BUILTINS_INT8


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Nothing of what the converter and its libraries print."""
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as aside:
        try:
            for number in (1, 2):
                os.dup2(aside.fileno(), number)
            with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
                yield
        finally:
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)


@dataclass(frozen=True)
class Detail:
    """Scale and zero point of a file's input or output; scale 0 for float32."""

    index: int
    scale: float
    zero_point: int
    dtype: Any


class LiteFile:
    """A file, ready to be run on one kernel path."""

    def __init__(self, content: bytes, kernels: str = "xnnpack", threads: int = 1) -> None:
        """Raises QbenchError if the content is not a LiteRT file."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        try:
            with _silenced():
                self._interpreter = Interpreter(
                    model_content=content,
                    num_threads=threads,
                    experimental_op_resolver_type=OpResolverType[KERNELS[kernels]],
                )
        except ValueError as error:
            reason = str(error).strip().split("\n")[0]
            raise QbenchError(f"not a LiteRT file: {reason}") from error
        self._allocated = -1

    def logits(self, images: NDArray[np.float32], batch: int = 100) -> NDArray[np.float32]:
        """Dequantized outputs (N, classes) of network inputs (N, H, W, C)."""
        parts = [self._run(images[k : k + batch]) for k in range(0, len(images), batch)]
        return np.concatenate(parts)

    def output_step(self) -> float:
        """The output's scale; 0 for a float file."""
        return self._detail(self._interpreter.get_output_details()).scale

    def operators(self) -> list[str]:
        """The names of the file's operators, in their order."""
        return [op["op_name"] for op in self._interpreter._get_ops_details()]

    def dtypes(self) -> set[str]:
        """The types of all tensors."""
        return {np.dtype(t["dtype"]).name for t in self._interpreter.get_tensor_details()}

    def _detail(self, details: list[dict[str, Any]]) -> Detail:
        (one,) = details
        scale, zero_point = one["quantization"]
        return Detail(one["index"], float(scale), int(zero_point), one["dtype"])

    def load(self, images: NDArray[np.float32]) -> None:
        """Put network inputs (N, H, W, C), or their codes, where `invoke` reads them."""
        interpreter = self._interpreter
        entry = self._detail(interpreter.get_input_details())
        if self._allocated != len(images):
            with _silenced():
                interpreter.resize_tensor_input(entry.index, images.shape)
                interpreter.allocate_tensors()
            self._allocated = len(images)
        values: Any = images
        if entry.scale:
            codes = np.round(images / np.float32(entry.scale)) + entry.zero_point
            limits = np.iinfo(entry.dtype)
            values = np.clip(codes, limits.min, limits.max).astype(entry.dtype)
        interpreter.set_tensor(entry.index, values)

    def fill(self, batch: int = 1) -> None:
        """Put something into every input of any file: noise into small types, zeros into others.

        Raises:
            QbenchError: an input is not made of numbers, or has another fixed batch.
            RuntimeError: the runtime lacks an operator of the file on this kernel path.
        """
        interpreter = self._interpreter
        for entry in interpreter.get_input_details():
            shape = list(map(int, entry["shape"]))
            if list(entry["shape_signature"][:1]) == [-1]:
                interpreter.resize_tensor_input(entry["index"], [batch, *shape[1:]])
            elif batch != 1 and shape[:1] != [batch]:
                raise QbenchError(f"batch={batch}: the input {entry['name']} is fixed at {shape}.")
        with _silenced():
            interpreter.allocate_tensors()
        for entry in interpreter.get_input_details():
            interpreter.set_tensor(entry["index"], _noise(entry["shape"], np.dtype(entry["dtype"])))

    def invoke(self) -> None:
        """Run the file once on what was loaded."""
        self._interpreter.invoke()

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self.load(images)
        self.invoke()
        interpreter = self._interpreter
        leave = self._detail(interpreter.get_output_details())
        result = interpreter.get_tensor(leave.index)
        if not leave.scale:
            return np.asarray(result, np.float32)
        values = (result.astype(np.float32) - leave.zero_point) * np.float32(leave.scale)
        return np.asarray(values, np.float32)


def _noise(shape: Sequence[int], dtype: Any) -> NDArray[Any]:
    """The same values each time; wide integers are 0, since they may be indices."""
    if dtype.kind not in "iufb":
        raise QbenchError(f"an input of {dtype.name} values: only numbers can be made up.")
    generator = np.random.default_rng(0)
    if dtype.kind == "f":
        return np.asarray(generator.standard_normal(shape).astype(dtype))
    if dtype.itemsize > 2 or dtype.kind == "b":
        return np.zeros(shape, dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
