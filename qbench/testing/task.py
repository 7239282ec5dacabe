"""Checks that a task keeps its contract, on a few images with their targets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data import arrays
from qbench.planning.table_metrics import check_columns
from qbench.tasks.recorded import metrics_of
from qbench.tasks.task import Task
from qbench.testing.assertions import calling, refuses, see
from qbench.testing.process import check_import

Values = NDArray[Any]


def check_task(task: Task, images: Any, targets: Any, outputs: Any = None) -> None:
    """Check that a task keeps the contract of `qbench.tasks.task.Task`.

    Args:
        task: an instance of the task, with the number of outputs that the targets need.
        images: at least two images, (N, H, W, C) or (N, H, W) uint8.
        targets: their targets (N, ...), in the form that a reader returns.
        outputs: possible outputs (N, ...) of a network, float32; None for normally distributed
            random numbers of shape (N, task.outputs).

    Raises:
        AssertionError: the task breaks the contract; the message says what was found and what is
            expected.
    """
    see(isinstance(task, Task), f"the task is of type {_kind(task)}; expected an instance of Task.")
    with calling("the task"):
        _check_equality(task)
        _check_words(task)
        _check_metrics(task)
        check_import(type(task), task.outputs, task.identity)
    pixels = np.asarray(images)
    pixels = pixels[..., np.newaxis] if pixels.ndim == 3 else pixels
    with calling("targets"):
        wanted = _check_targets(task, pixels, targets)
    if outputs is None:
        outputs = np.random.default_rng(0).normal(size=(len(wanted), task.outputs))
    given = np.asarray(outputs, np.float32)
    checks: dict[str, Callable[[], None]] = {
        "strata": lambda: _check_strata(task, wanted),
        "check_shape": lambda: _check_shape(task, given),
        "augmented": lambda: _check_augmented(task, pixels, wanted),
        "loss": lambda: _check_loss(task, given, wanted),
        "score": lambda: _check_score(task, given, wanted),
        "predictions": lambda: _check_predictions(task, given, wanted),
        "agree or margins": lambda: _check_agreement(task, given),
        "kept_outputs or combined": lambda: _check_kept(task, given, wanted),
    }
    for what, check in checks.items():
        with calling(what):
            check()


def _kind(value: Any) -> str:
    return type(value).__name__


def _check_equality(task: Task) -> None:
    """Check equality: qbench looks up networks and compiled steps by their task."""
    twin = type(task)(task.outputs)
    see(twin == task, "two instances for the same number of outputs differ; see Task.__eq__.")
    see(hash(twin) == hash(task), "two equal instances have different hashes.")
    see(twin.identity == task.identity, "two equal instances have different identities.")
    see(isinstance(task.identity, str), f"identity is {task.identity!r}; expected a text.")
    see(task != object(), "the task equals any object.")


def _check_words(task: Task) -> None:
    for key in ("name", "output_name", "prediction_name", "loss_name"):
        value = getattr(task, key)
        word = isinstance(value, str) and value.strip() and value.isprintable()
        see(word, f"{key} is {value!r}; expected a word.")
    see("3" in task.decided.format("3"), f"decided is {task.decided!r}; expected a text with {{}}.")


def _check_metrics(task: Task) -> None:
    """Check that tables can hold the metrics, and that records store them without change."""
    try:
        check_columns(task)
        record = json.loads(json.dumps(task.as_record()))
    except QbenchError as error:
        raise AssertionError(str(error)) from error
    again = metrics_of({"task": record})
    see(again == task.metrics, "its metrics are others when they are read back from a record.")


def _check_targets(task: Task, images: Values, targets: Any) -> Values:
    """Check the targets; return them in the form for training."""
    see(len(images) > 1, "one image is too few to tell anything; give two at least.")
    shape = images.shape[1:]

    def read(values: Any) -> Values:
        return arrays.part("check_task", "training", images, values, shape, task)[1]

    before = np.array(targets)
    found = read(targets)
    see(np.array_equal(before, targets), "targets changes the values that it is given.")
    see(isinstance(found, np.ndarray), f"targets gives {type(found).__name__}; expected an array.")
    see(len(found) == len(images), f"targets gives {len(found)} rows of {len(images)} images.")
    again = read(found)
    same = again.dtype == found.dtype and np.array_equal(again, found)
    see(same, "targets changes what it returned itself.")
    refuses("targets that are not numbers (NaN)", read, np.full(found.shape, np.nan, np.float32))
    refuses("targets that are text", read, np.full(found.shape, "a"))
    refuses("fewer targets than images", read, found[:-1])
    refuses("targets with one axis more", read, np.stack([found, found], axis=-1))
    return found


def _check_strata(task: Task, targets: Values) -> None:
    labels = task.strata(targets.copy())
    if labels is None:
        return
    count = len(targets)
    see(
        isinstance(labels, np.ndarray) and labels.shape == (count,) and labels.dtype != object,
        f"strata gives {getattr(labels, 'dtype', type(labels).__name__)} of shape"
        f" {np.shape(labels)}; expected an array of shape ({count},).",
    )
    again: Any = task.strata(targets.copy())
    see(np.array_equal(labels, again), "strata gives other labels for the same targets.")


def _check_shape(task: Task, outputs: Values) -> None:
    """Check the symbolic output of a network, with any number of images."""
    import keras

    shape = (None, *outputs.shape[1:])
    try:
        task.check_shape(keras.KerasTensor(shape, "float32"))
    except QbenchError as error:
        raise AssertionError(f"check_shape refuses outputs of shape {shape}: {error}") from error
    wider = keras.KerasTensor((*shape, 3), "float32")
    refuses(f"outputs of shape {wider.shape}", task.check_shape, wider)


def _check_augmented(task: Task, images: Values, targets: Values) -> None:
    import tensorflow as tf

    pixels, wanted = task.augmented(tf.constant(images), tf.constant(targets), tf.identity)
    for what, new, old in (("images", pixels, images), ("targets", wanted, targets)):
        same = new.shape == old.shape and new.dtype == tf.as_dtype(old.dtype)
        see(
            same,
            f"augmented {what} are {new.dtype.name} of shape {new.shape}; expected {old.dtype} of"
            f" shape {old.shape}.",
        )


def _check_loss(task: Task, outputs: Values, targets: Values) -> None:
    """Check the loss and its gradient in a graph, as training steps compute it."""
    import tensorflow as tf

    @tf.function(autograph=False)
    def both(given: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            losses = task.loss(given, wanted)
        return losses, tape.gradient(losses, given)

    losses, gradient = both(tf.constant(outputs), tf.constant(targets))
    see(
        losses.shape == (len(outputs),) and losses.dtype == tf.float32,
        f"the loss is {losses.dtype.name} of shape {losses.shape}; expected float32 of shape"
        f" ({len(outputs)},), one for each example.",
    )
    see(np.isfinite(losses).all(), "the loss is not finite.")
    see(gradient is not None, "the loss has no gradient with respect to the outputs.")
    see(np.isfinite(gradient).all(), "the gradient of the loss is not finite.")
    see(np.any(gradient), "the gradient of the loss is zero everywhere.")
    alone = task.loss(tf.constant(outputs[:1]), tf.constant(targets[:1]))
    see(np.allclose(alone, losses[:1], rtol=1e-4), "an example's loss depends on other examples.")
    others = np.roll(targets, 1, axis=0)
    see(
        np.array_equal(others, targets)
        or not np.array_equal(task.loss(tf.constant(outputs), tf.constant(others)), losses),
        "the loss does not depend on the targets.",
    )


def _check_score(task: Task, outputs: Values, targets: Values) -> None:
    given, wanted = outputs.copy(), targets.copy()
    found = task.score(given, wanted)
    same = np.array_equal(given, outputs) and np.array_equal(wanted, targets)
    see(same, "score changes the arrays that it is given.")
    names = {metric.name for metric in task.metrics}
    see(set(found) == names, f"score has {sorted(found)}; its metrics are {sorted(names)}.")
    turned = task.score(given[::-1].copy(), wanted[::-1].copy())
    for name, value in found.items():
        same = np.allclose(value, turned[name], rtol=1e-4, equal_nan=True)
        see(same, f"score gives another {name} for the same images in another order.")
    for scores in (found, task.score(outputs[:1], targets[:1])):
        for name, value in scores.items():
            see(type(value) is float, f"score gives {name} as {type(value).__name__}, no float.")
            see(np.isfinite(value), f"score gives {name} as {value}; expected a finite number.")


def _check_predictions(task: Task, outputs: Values, targets: Values) -> None:
    given, wanted = outputs.copy(), targets.copy()
    found = task.predictions(given, wanted)
    same = np.array_equal(given, outputs) and np.array_equal(wanted, targets)
    see(same, "predictions changes the arrays that it is given.")
    for name, array in found.items():
        see(
            isinstance(name, str) and name.isidentifier(),
            f"a prediction is called {name!r}; expected a name of letters, digits and _.",
        )
        see(
            isinstance(array, np.ndarray) and len(array) == len(outputs),
            f"the prediction {name} does not have one row for each of {len(outputs)} images.",
        )
        see(
            array.dtype.kind in "biuf" and array.dtype.itemsize <= 4,
            f"the prediction {name} is {array.dtype}; expected numbers of four bytes at most.",
        )
    size, most = sum(array.nbytes for array in found.values()), outputs.nbytes + targets.nbytes
    see(size <= most, f"predictions have {size} bytes, outputs and targets together {most}.")
    _check_per_image(task, found, task.score(outputs, targets))


def _check_per_image(task: Task, predictions: Any, scores: dict[str, float]) -> None:
    """Check that what is said of single images gives the metric of all of them."""
    found = task.per_image(predictions)
    if found is None:
        return
    metric, values = found
    see(metric in task.metrics, f"per_image gives {metric!r}, which is not one of the metrics.")
    count = len(next(iter(predictions.values())))
    see(
        values.shape == (count,) and values.dtype.kind in "bf",
        f"per_image gives {values.dtype} of shape {values.shape}; expected bool or float of shape"
        f" ({count},).",
    )
    mean = float(values.mean()) * (100.0 if values.dtype == bool else 1.0)
    see(
        bool(np.isclose(mean, scores[metric.name], rtol=1e-4)),
        f"per_image gives {metric.name} as {mean}, score as {scores[metric.name]}.",
    )


def _check_agreement(task: Task, outputs: Values) -> None:
    count = len(outputs)
    same = np.asarray(task.agree(outputs, outputs.copy()))
    see(
        same.shape == (count,) and same.dtype == bool,
        f"agree gives {same.dtype} of shape {same.shape}; expected bool of shape ({count},).",
    )
    see(same.all(), "outputs do not agree with themselves.")
    other = (-outputs, np.roll(outputs, 1, axis=0), outputs[::-1].copy())
    see(
        not all(np.all(task.agree(outputs, one)) for one in other),
        "agree says that all outputs agree, also those of other images; expected bool that says"
        " whether both predictions are equal.",
    )
    margins = task.margins(outputs)
    if margins is None:
        return
    see(margins.shape == (count,), f"margins have shape {margins.shape}; expected ({count},).")
    see(np.all(margins >= 0), "margins are negative or not numbers; expected 0 or more.")


def _check_kept(task: Task, outputs: Values, targets: Values) -> None:
    """Check the outputs that runs keep, and how they are combined to those of an ensemble."""
    kept = task.kept_outputs(outputs.copy())
    if kept is None:
        return
    see(
        isinstance(kept, np.ndarray) and len(kept) == len(outputs) and kept.dtype.kind in "biuf",
        f"kept_outputs does not give numbers, one row for each of {len(outputs)} images.",
    )
    see(kept.nbytes <= outputs.nbytes, "kept_outputs gives more bytes than the outputs have.")
    members = [kept, kept[::-1].copy(), np.roll(kept, 1, axis=0)]
    before = [member.copy() for member in members]
    found = task.combined(members)
    same = all(map(np.array_equal, members, before))
    see(same, "combined changes the arrays that it is given.")
    see(
        found.dtype.kind == "f" and len(found) == len(outputs) and np.isfinite(found).all(),
        f"combined gives {found.dtype} of shape {found.shape}; expected finite numbers, one row for"
        f" each of {len(outputs)} images.",
    )
    again = task.combined(members[::-1])
    see(np.array_equal(found, again), "combined depends on the order of the networks.")
    alone = task.combined([member[:1] for member in members])
    same = np.allclose(found[:1], alone, rtol=1e-5)
    see(same, "an image's combined output depends on other images.")
    _check_score(task, found, targets)
    _check_predictions(task, found, targets)
