"""Keras 3 as it comes: what `compile` and `fit` run for each batch, one batch held in memory."""

from __future__ import annotations

import sys

from protocol import REPOSITORY, batch_of, serve, start_tensorflow, task

WANTED = task()
sys.path.insert(0, str(REPOSITORY))

tf = start_tensorflow(WANTED["threads"])
import keras  # noqa: E402

from qbench.models import build_model  # noqa: E402
from qbench.tasks.classification import Classification  # noqa: E402

JIT = {"as it comes": "auto", "no XLA": False, "XLA": True}


def main() -> None:
    """Serve steps."""
    images, labels = batch_of(WANTED)
    model = build_model(WANTED["model"], WANTED["arguments"], images.shape[1:], Classification(10))
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=JIT[WANTED["variant"]],
    )
    batch = (tf.constant(images, tf.float32) / 127.5 - 1.0, tf.constant(labels))
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()

    def steps(count: int) -> float:
        for _ in range(count):
            logs = model.train_function(batches)
        return float(logs["loss"])

    serve(
        steps,
        ("tensorflow", "keras"),
        parameters=model.count_params(),
        jit=bool(model.jit_compile),
    )


main()
