"""Checks that a model keeps its contract: it is built, trained, saved and loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from qbench.data import arrays
from qbench.engine import model_check
from qbench.schemes import uniform
from qbench.storage import layout
from qbench.tasks.classification import Classification
from qbench.tasks.task import Task
from qbench.testing import networks
from qbench.testing.assertions import calling, see

_STEPS = 4
_FLOAT_STEPS = 2
# So small that random images with targets of any unit do not make training diverge.
_RATE = 1e-7


def check_model(
    build: Callable[..., Any],
    shape: tuple[int, int, int] = networks.SHAPE,
    task: Task | None = None,
    targets: Any = None,
    **arguments: Any,
) -> None:
    """Check that qbench can train a model, with and without quantization, and load it again.

    Args:
        build: the function that builds the model, `(shape, outputs, **arguments)`.
        shape: (height, width, channels) of an image.
        task: the task; None for classification with 10 classes.
        targets: targets of at least 32 images in the form that a reader returns. Classification
            needs none.
        arguments: arguments of the function; the others have their defaults.

    Raises:
        AssertionError: qbench cannot train the model; the message says what was found and what is
            expected.
    """
    see(callable(build), f"the model is of type {type(build).__name__}; expected a function.")
    networks.start()
    from qbench.models import MODELS

    chosen = task or Classification(10)
    name = getattr(build, "__name__", type(build).__name__)
    pixels = networks.images(shape)
    wanted = _targets(chosen, pixels, targets)
    with MODELS.lent(name, build), calling(f"model={name}"):
        model_check.checked(name, arguments, shape, chosen)
        experiment = networks.experiment(
            name, arguments, _STEPS, _FLOAT_STEPS, {"name": uniform.NAME}, {}, _RATE
        )
        _check_training(experiment, networks.dataset(pixels, wanted, chosen))


def _targets(task: Task, pixels: Any, targets: Any) -> Any:
    """The targets in the form for training."""
    count = len(pixels)
    if targets is None:
        see(
            isinstance(task, Classification),
            f"the task {task.name} needs targets; give those of at least {count} images.",
        )
        targets = np.arange(count) % task.outputs
    see(len(targets) >= count, f"{len(targets)} targets are too few; give {count} at least.")
    with calling("the task's targets"):
        found = arrays.part("targets", "training", pixels, targets[:count], pixels.shape[1:], task)
    return found[1]


def _check_training(experiment: Any, data: Any) -> None:
    """Check gradients and steps in the float and in the quantized network, and saving."""
    from qbench.training.loop import train
    from qbench.training.network import Network

    network = Network(experiment, data)
    network.initialise(0)
    _check_each_alone(network, data)
    network.measure_ranges(data.train_images)  # some quantized views need ranges
    scheme = experiment.scheme
    for what, quantization in (("float", None), ("quantized", scheme.quantization)):
        _check_gradients(what, network, quantization, data)
    network.initialise(0)
    train(network, experiment, data, lambda new, loss: None)
    for weight in network.model.weights:
        finite = np.isfinite(weight.numpy()).all()
        see(finite, f"{weight.path} is not finite after {_STEPS} steps.")
    _check_saved(network, Network(experiment, data), experiment, data)


def _check_each_alone(network: Any, data: Any) -> None:
    """Check that an image has the same output in every batch."""
    forward = network.forward(None, None)
    together, alone = (np.asarray(forward(data.test_images[:n])) for n in (None, 1))
    if not np.isfinite(together).all():
        return  # this has a sentence of its own
    see(
        np.allclose(together[:1], alone, rtol=1e-3, atol=1e-4 * np.abs(together).max()),
        "the output for an image depends on the other images of its batch, so that metrics would"
        " depend on eval.batch_size.",
    )


def _check_gradients(what: str, network: Any, quantization: Any, data: Any) -> None:
    """Check the loss of one batch, and that a gradient reaches every trainable variable."""
    import tensorflow as tf

    x, wanted = network.steps.augmented(data.train_images, data.train_labels, 0, 0)
    view = network.view(quantization).model
    with tf.GradientTape() as tape:
        outputs, _ = view(x, training=True)
        loss = tf.reduce_mean(data.task.loss(outputs, wanted))
        total = tf.add_n([loss, *(tf.reduce_sum(added) for added in view.losses)])
    see(np.isfinite(loss), f"the loss of the {what} network is not finite.")
    variables = network.model.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(total, variables), strict=True):
        see(
            gradient is not None,
            f"no gradient of the {what} network reaches {variable.path}; use it for the output, or"
            " set trainable=False.",
        )
        finite = np.isfinite(tf.convert_to_tensor(gradient)).all()
        see(finite, f"the gradient of {variable.path} in the {what} network is not finite.")


def _check_saved(network: Any, other: Any, experiment: Any, data: Any) -> None:
    """Check that another network gives the same outputs when it loads the weights."""
    from qbench.storage.weights import weights_file

    other.initialise(1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / layout.WEIGHTS
        path.write_bytes(weights_file(network.model))
        other.restore(path, network.ranges())
    scheme = experiment.scheme
    for what, quantization in (("float", None), ("quantized", scheme.quantization)):
        first, second = (
            np.asarray(each.forward(quantization, scheme)(data.test_images))
            for each in (network, other)
        )
        see(np.isfinite(first).all(), f"the outputs of the {what} network are not finite.")
        see(
            np.array_equal(first, second),
            f"the {what} network gives other outputs after its weights are saved and loaded; keep"
            " in weights everything that its outputs depend on.",
        )
