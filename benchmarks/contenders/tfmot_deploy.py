"""Trains a qbench configuration with tf_keras and tfmot, and converts it to an int8 file.

`python tfmot_deploy.py '{"config": ..., "arguments": ..., "folder": ..., "threads": ...}'` leaves
`model.tflite` and `logits.npy`, the logits of its simulation on the test set, in the folder.
Batches, augmentation, network, schedule and loss are qbench's own; only the quantization is
tfmot's. The optimizer keeps its momentum when quantization starts, as qbench's does.
"""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import legacy_keras
from protocol import start_tensorflow, task

WANTED = task()
tf = start_tensorflow(WANTED["threads"])
import numpy as np  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402
import tf_keras  # noqa: E402

legacy_keras.start(tf_keras)

from qbench.data import load  # noqa: E402
from qbench.data.augmentation import AUGMENTATIONS, DRAWS  # noqa: E402
from qbench.data.batches import Batches  # noqa: E402
from qbench.data.preprocessing import PREPROCESSING, input_shape, network_input  # noqa: E402
from qbench.models import MODELS  # noqa: E402

CONFIG = WANTED["config"]
TRAIN = CONFIG["train"]
DATA = load(CONFIG["data"]["name"], CONFIG["data"]["dir"])
AUGMENT = AUGMENTATIONS[PREPROCESSING[CONFIG["data"]["preprocessing"]].augment]
RESOLUTION = CONFIG["data"].get("resolution")


def read(images: Any) -> Any:
    """The network's input."""
    return network_input(images, CONFIG["data"]["preprocessing"], RESOLUTION)


def make_step(model: Any, optimizer: Any) -> Any:
    """A compiled step: (indices, seed, step) -> loss."""
    images, labels = tf.constant(DATA.train_images), tf.constant(DATA.train_labels)
    kernels = [v for v in model.trainable_variables if "kernel" in v.name]

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int64)])
    def step(indices: Any, number: Any) -> Any:
        chosen = tf.gather(images, indices)
        seed = tf.stack([tf.constant(CONFIG["seed"], tf.int64), number])
        draws = tf.random.stateless_uniform((tf.shape(chosen)[0], DRAWS), seed, alg="philox")
        x = read(AUGMENT(chosen, draws, DATA.flip))
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.gather(labels, indices), logits
            )
            penalty = tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
            loss = tf.reduce_mean(losses) + TRAIN["weight_decay"] * penalty
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def sgd(model: Any, start: int, before: Any = None) -> Any:
    """The optimizer of the steps from `start` on, with the momentum of the one before.

    Args:
        model: whose variables it updates.
        start: the steps that were made before.
        before: None, or the optimizer and the model of these steps.
    """
    schedule = tf_keras.optimizers.schedules.CosineDecay(TRAIN["learning_rate"], TRAIN["steps"])
    optimizer = tf_keras.optimizers.SGD(schedule, momentum=TRAIN["optimizer"]["momentum"])
    optimizer.build(model.trainable_variables)
    optimizer.iterations.assign(start)
    if before is not None:
        earlier, trained = before
        pairs = zip(trained.trainable_variables, model.trainable_variables, strict=True)
        if not all(np.array_equal(old, new) for old, new in pairs):
            raise SystemExit("the quantized model has its variables in another order")
        for old, new in zip(earlier.momentums, optimizer.momentums, strict=True):
            new.assign(old)
    return optimizer


def train(model: Any, optimizer: Any, first: int, end: int) -> None:
    """Train the steps from `first` up to but without `end`."""
    step = make_step(model, optimizer)
    batches = Batches(len(DATA.train_labels), TRAIN["batch_size"], CONFIG["seed"])
    for number in range(first, end):
        loss = step(batches.indices(number), tf.constant(number, tf.int64))
        if number % 200 == 0:
            print(f"tfmot: step {number} of {end}, loss {float(loss):.3f}", flush=True)


def main() -> None:
    """Float steps, quantized steps, evaluation, conversion."""
    tf_keras.utils.set_random_seed(CONFIG["seed"])
    shape = input_shape(DATA.test_images.shape[1:], RESOLUTION)
    model = MODELS[CONFIG["model"]["name"]](shape, DATA.task.outputs, **WANTED["arguments"])
    start = math.ceil(Decimal(str(CONFIG["quant"]["delay"])) * TRAIN["steps"])
    optimizer = sgd(model, 0)
    train(model, optimizer, 0, start)
    quantized = tfmot.quantization.keras.quantize_model(model)
    train(quantized, sgd(quantized, start, (optimizer, model)), start, TRAIN["steps"])
    count = len(DATA.test_images)
    parts = [
        quantized(read(DATA.test_images[k : k + 100]), training=False) for k in range(0, count, 100)
    ]
    folder = Path(WANTED["folder"])
    np.save(folder / "logits.npy", tf.concat(parts, 0).numpy())
    converter = tf.lite.TFLiteConverter.from_keras_model(quantized)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (folder / "model.tflite").write_bytes(converter.convert())


main()
