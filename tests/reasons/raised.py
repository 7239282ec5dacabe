"""Mistakes that Keras, TensorFlow, its converter, LiteRT and h5py answer with long messages.

`python tests/reasons/raised.py` makes each of them and stores what was said in messages.json, with
the versions that said it; the line to keep is entered there by hand. A few that are stored are not
here: want of memory, which TensorFlow waits ten seconds for, and two devices that fail at once.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import Input, layers

STORED = Path(__file__).with_name("messages.json")


def zeros(*shape: int) -> Any:
    return tf.zeros(shape)


def model(*stack: Any) -> Any:
    return keras.Sequential(list(stack))


class Product(layers.Layer):
    """Multiplies by a matrix of three rows, whatever it is given."""

    def call(self, x: Any) -> Any:
        return tf.matmul(x, zeros(3, 3))


class Same(layers.Layer):
    """A layer whose output is as large as its input."""

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Table(Same):
    """Raises an error of its own."""

    def call(self, x: Any) -> Any:
        raise RuntimeError("the lookup table is empty")


class Branch(Same):
    """Decides by a value."""

    def call(self, x: Any) -> Any:
        return x if tf.reduce_sum(x) > 0 else -x


class Block(layers.Layer):
    """Calls layers that do not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.add = layers.Dense(4), layers.Add()

    def call(self, x: Any) -> Any:
        return self.add([x, self.dense(x)])


def _call(network: Any, *shape: int) -> Any:
    return network(np.zeros(shape, np.float32))


def _traced(function: Any, *values: Any) -> Any:
    return tf.function(function)(*values)


def _converted(function: Any, *specs: Any) -> bytes:
    traced = tf.function(function).get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module())
    content: bytes = converter.convert()
    return content


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content)


def _fit(network: Any, x: Any, y: Any, loss: str) -> None:
    network.compile("sgd", loss)
    network.fit(x, y, verbose=0)


def _loaded(saved: Any, into: Any, lose: int = 0) -> None:
    """Weights of one network put into another, with the file's last bytes lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.weights.h5"
        saved.save_weights(path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) - lose])
        into.load_weights(path)


def _no_weights() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.weights.h5"
        path.write_bytes(b"x" * 2000)
        h5py.File(path, "r")


def _scope_name() -> None:
    network = model(Input((8, 8, 1)), layers.Conv2D(3, 3, name="my conv"))
    _traced(lambda x: network(x), zeros(1, 8, 8, 1))


def _unnamed_member() -> None:
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        file["layers/conv"]


def _missing_name(x: Any) -> Any:
    return {"float16": x}[x.dtype.name]


def _two_lines(x: Any) -> Any:
    raise ValueError("images: expected (28, 28)\nbut found (32, 32)")


def _generator() -> Any:
    yield 1
    raise ValueError("bad picture 7.png")


def _pictures() -> list[Any]:
    spec = tf.TensorSpec((), tf.int32)
    return list(tf.data.Dataset.from_generator(_generator, output_signature=spec))


def _looped(x: Any) -> Any:
    rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    for k in tf.range(tf.shape(x)[0]):
        rows = rows.write(k, x[k])
    return rows.stack()


def _labels(labels: Any, x: Any) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x)


def _checked(x: Any) -> Any:
    return tf.debugging.check_numerics(tf.math.log(x), "the loss is off")


def _asserted(x: Any) -> Any:
    tf.debugging.assert_less(x, 1.0, message="pixels lie outside")
    return x


def _compiled() -> Any:
    return tf.function(lambda x: tf.strings.as_string(x), jit_compile=True)(zeros(3))


def _integers_without_images() -> Any:
    traced = tf.function(lambda x: x * 2).get_concrete_function(tf.TensorSpec((3,)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def _wrong_input() -> None:
    interpreter = _interpreter(_converted(lambda x: x * 2, tf.TensorSpec((4, 3))))
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, np.zeros((5, 3), np.float32))


SQUARE = tf.TensorSpec((3, 3))

RAISED: dict[str, Callable[[], Any]] = {
    # Keras, while a network is built
    "dense, wrong width": lambda: _call(model(Input((5,)), layers.Dense(3)), 2, 7),
    "convolution, wrong rank": lambda: layers.Conv2D(3, 3, name="conv2d")(Input((8,))),
    "convolution, kernel too large": lambda: layers.Conv2D(3, 5)(Input((3, 3, 1))),
    "convolution, empty": lambda: _call(layers.Conv2D(4, 3), 1, 8, 8, 0),
    "concatenate": lambda: layers.Concatenate()([Input((4, 4, 3)), Input((5, 4, 3))]),
    "add": lambda: layers.Add()([Input((4, 4, 3)), Input((4, 4, 5))]),
    "add as an operation": lambda: keras.ops.add(Input((4, 4, 3)), Input((4, 4, 5))),
    "reshape": lambda: layers.Reshape((7,))(Input((8,))),
    "a layer's name": _scope_name,
    "a name twice": lambda: model(
        Input((3,)), layers.Dense(3, name="a"), layers.Dense(3, name="a")
    ),
    "own layer, shape unknown": lambda: Product()(Input((5,))),
    "own layer's own error": lambda: _call(Table(), 2, 3),
    "layers inside a layer": lambda: Block()(Input((5,))),
    "lambda": lambda: layers.Lambda(lambda x: x.nothing)(Input((3,))),
    "TensorFlow on a Keras tensor": lambda: tf.nn.relu(Input((3,))),
    "unknown argument": lambda: layers.Dense(3, unit=4),
    "unknown activation": lambda: layers.Activation("reluu"),
    "size unknown": lambda: layers.Dense(3)(layers.Flatten()(Input((None, None, 3)))),
    # Keras, while it trains or loads
    "fit, wrong width": lambda: _fit(
        model(Input((4,)), layers.Dense(3)), np.zeros((8, 5)), np.zeros((8, 3)), "mse"
    ),
    "fit, numbers of images": lambda: _fit(
        model(Input((4,)), layers.Dense(3)), np.zeros((8, 4)), np.zeros((7, 3)), "mse"
    ),
    "fit, label too large": lambda: _fit(
        model(Input((4,)), layers.Dense(3)),
        np.zeros((8, 4)),
        np.full(8, 7),
        "sparse_categorical_crossentropy",
    ),
    "weights of another width": lambda: _loaded(
        model(Input((4,)), layers.Dense(3)), model(Input((4,)), layers.Dense(5))
    ),
    "weights of fewer layers": lambda: _loaded(
        model(Input((4,)), layers.Dense(3)),
        model(Input((4,)), layers.Dense(3), layers.Dense(3)),
    ),
    "weights, truncated": lambda: _loaded(
        model(Input((4,)), layers.Dense(300)), model(Input((4,)), layers.Dense(300)), lose=500
    ),
    "weights, another file": _no_weights,
    "weights, no such member": _unnamed_member,
    # TensorFlow, while it traces
    "tracing, shapes": lambda: _traced(lambda x: tf.reshape(x, (2, 2)) @ zeros(3, 2), zeros(4)),
    "tracing, KeyError": lambda: _traced(_missing_name, zeros(4)),
    "tracing, two lines": lambda: _traced(_two_lines, zeros(4)),
    "tracing, a value decides": lambda: _traced(lambda x: Branch()(x), zeros(2, 3)),
    # TensorFlow's kernels
    "label too large": lambda: _traced(_labels, tf.constant([12, 3]), zeros(2, 10)),
    "labels as floats": lambda: _labels(zeros(2), zeros(2, 3)),
    "gather": lambda: tf.gather(zeros(3), tf.constant([5])),
    "gather, traced": lambda: _traced(lambda x: tf.gather(x, [5]), zeros(3)),
    "product": lambda: tf.matmul(zeros(3, 4), zeros(3, 4)),
    "types": lambda: tf.add(zeros(2), tf.zeros((2,), tf.float64)),
    "not a number": lambda: _traced(_checked, tf.constant([-1.0])),
    "assertion": lambda: _traced(_asserted, tf.constant([3.0])),
    "file": lambda: tf.raw_ops.ReadFile(filename="nowhere/at all.bin"),
    "python in a graph": lambda: _traced(
        lambda x: tf.numpy_function(lambda a: {}["missing"], [x], tf.float32), zeros(1)
    ),
    "a generator's error": _pictures,
    "compiled": _compiled,
    # The converter and LiteRT
    "converter, no such operator": lambda: _converted(lambda x: tf.linalg.svd(x)[0], SQUARE),
    "converter, text": lambda: _converted(
        lambda x: tf.strings.regex_replace(x, "a", "b"), tf.TensorSpec((3,), tf.string)
    ),
    "converter, not legalized": lambda: _converted(_looped, tf.TensorSpec((None, 3))),
    "converter, no images": _integers_without_images,
    "not a file": lambda: _interpreter(b"x" * 300),
    "interpreter, wrong input": _wrong_input,
}


def store() -> None:
    """Make every mistake and store what was said, without this machine's paths."""
    known = json.loads(STORED.read_text())["messages"] if STORED.exists() else {}
    messages = {}
    for name, mistake in RAISED.items():
        try:
            mistake()
        except Exception as error:
            text = str(error).replace(__file__[1:], "home/me/network.py")
            text = re.sub(r"/[^\s\"]*/(site-packages|lib/python3\.\d+)/", r"/usr/lib/\1/", text)
            text = re.sub(r"/[^\s\"]*/__autograph_generated_file\w+", "/home/me/generated", text)
            keep = known.get(name, {}).get("keep", "")
            messages[name] = {"type": type(error).__name__, "text": text, "keep": keep}
        else:
            sys.exit(f"{name}: nothing was raised")
    messages |= {name: message for name, message in known.items() if name not in messages}
    content = {
        "from": f"keras {keras.__version__}, tensorflow {tf.__version__}, h5py {h5py.__version__}",
        "messages": messages,
    }
    STORED.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    store()
