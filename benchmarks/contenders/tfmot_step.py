"""The same network in Keras 2 (tf_keras), float or through tfmot's `quantize_model`.

qbench's own model builders are run with tf_keras in the place of Keras 3, so that layer for layer
the network is the same.
"""

from __future__ import annotations

import legacy_keras
from protocol import batch_of, serve, start_tensorflow, task

WANTED = task()
tf = start_tensorflow(WANTED["threads"])
import tf_keras  # noqa: E402

legacy_keras.start(tf_keras)

from qbench.models import MODELS  # noqa: E402


def main() -> None:
    """Serve steps."""
    images, labels = batch_of(WANTED)
    model = MODELS[WANTED["model"]](images.shape[1:], 10, **WANTED["arguments"])
    parameters = model.count_params()
    if WANTED["variant"] == "quantize_model":
        import tensorflow_model_optimization as tfmot

        model = tfmot.quantization.keras.quantize_model(model)
    model.compile(
        tf_keras.optimizers.SGD(0.01, momentum=0.9),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batch = (tf.constant(images, tf.float32) / 127.5 - 1.0, tf.constant(labels))
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    train_function = model.make_train_function()

    def steps(count: int) -> float:
        for _ in range(count):
            logs = train_function(batches)
        return float(logs["loss"])

    packages = ("tensorflow", "tf_keras", "tensorflow-model-optimization")
    serve(steps, packages, parameters=parameters)


main()
