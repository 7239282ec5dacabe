"""A task, a data set and a network of somebody's own: where a spot lies in an image, in pixels.

Nothing in qbench knows them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.base.errors import QbenchError
from qbench.base.given_arrays import real_numbers, said
from qbench.data import DATASETS, Source
from qbench.tasks.metric import Metric
from qbench.tasks.task import Task


class Regression(Task):
    """One number for each image; targets (N,) float32, outputs (N, 1), in pixels."""

    name = "regression"
    output_name = "positions"
    prediction_name = "position"
    metrics = (
        Metric("mean_absolute_error", "mean absolute error", "px", 3, False, "first"),
        Metric("loss", "squared error", "px^2", 4, False),
    )

    def targets(self, name: str, which: str, values: Any) -> Any:
        """Any finite real numbers, (N,) or (N, 1)."""
        numbers = real_numbers(values)
        if numbers is None or numbers.size != len(values) or not np.isfinite(numbers).all():
            raise QbenchError(
                f"{name}: the {which} labels are {said(values)}; expected a finite number for each"
                f" of {len(values)} images."
            )
        return numbers.reshape(-1).astype(np.float32)

    def check_shape(self, output: Any) -> None:
        """(None, 1)."""
        if output.shape != (None, 1):
            raise QbenchError(f"its output has shape {output.shape}, expected (None, 1).")

    def check_output(self, model: Any, calls: Any, end: Any, shape: Any) -> None:
        """Any number is a position."""

    def loss(self, outputs: Any, targets: Any) -> Any:
        """Squared error."""
        import tensorflow as tf

        return tf.square(outputs[:, 0] - targets)

    def predictions(self, outputs: Any, targets: Any) -> dict[str, Any]:
        """Both in float32."""
        return {"target": targets, "position": outputs[:, 0]}

    def score(self, outputs: Any, targets: Any) -> dict[str, float]:
        """In double precision."""
        apart = outputs[:, 0].astype(np.float64) - targets
        return {
            "mean_absolute_error": float(np.abs(apart).mean()),
            "loss": float(np.square(apart).mean()),
        }

    def agree(self, outputs: Any, expected: Any) -> Any:
        """Less than a tenth of a pixel apart."""
        return np.abs(outputs - expected)[:, 0] < 0.1


def spots(folder: Any) -> Any:
    """Images of 8x8 pixels with a bright spot, and the column that it lies in, 1 to 6."""
    random = np.random.default_rng(0)
    row, column = random.uniform(1, 6, (2, 260, 1, 1))
    y, x = np.mgrid[:8, :8]
    bright = 200 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2)
    images = (bright + random.uniform(0, 40, bright.shape)).astype(np.uint8)
    targets = column[:, 0, 0]
    return images[:200], targets[:200], images[200:], targets[200:]


def small(shape: Any, outputs: int, **others: Any) -> Any:
    """Convolution, ReLU, pooling, dense layer; arguments of the model in whose place it stands."""
    import keras
    from keras import layers

    image = keras.Input(shape)
    x = layers.Conv2D(8, 3, padding="same", name="conv")(image)
    x = layers.AveragePooling2D(2, name="pool")(layers.ReLU(name="relu")(x))
    return keras.Model(image, layers.Dense(outputs, name="head")(layers.Flatten()(x)))


SPOTS = Source((8, 8, 1), 1, flip=False, read=spots, known={}, task=Regression)


def register() -> None:
    """For `data.name=spots` and `model.name=small`, in this process."""
    from qbench.models import MODELS

    DATASETS.add("spots", SPOTS)
    MODELS.add("small", small)


# Becomes sitecustomize.py in front of the path of qbench's processes.
AT_START = """
import sys

if "qbench.engine.worker" in sys.orig_argv:
    import regression_task

    regression_task.register()
"""
