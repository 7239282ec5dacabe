"""The contract of a task: a task has everything that depends on the kind of target.

Only a task knows what a target is, what a network's output means, and which metrics there are.
Everything else reads `Task.metrics` and knows no metric by name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.tasks.metric import Metric, check_metrics

Values = NDArray[Any]


class Task(ABC):
    """A kind of target, for a data set with a number of outputs.

    Two instances are equal if they have the same class and equal attributes. The module of a task
    imports TensorFlow and Keras only inside functions: commands that work without TensorFlow import
    the module too.

    Attributes:
        name: its name in records. It is part of a run's identity, unless it is `classification`.
        outputs: the number of values that a network returns for an image; functions that build
            models get it as `classes`.
        output_name: the name of the output values, in the plural.
        prediction_name: the name of the prediction, in the singular.
        loss_name: the name of the training loss on the axis of a figure.
        decided: a text that describes images with a clear prediction; {} stands for a number of
            steps. See `margins`.
        targets_are_images: whether targets may have the shape of images.
    """

    name: ClassVar[str]
    output_name: ClassVar[str] = "outputs"
    prediction_name: ClassVar[str] = "prediction"
    loss_name: ClassVar[str] = "loss"
    decided: ClassVar[str] = "whose prediction is decided by more than {} steps"
    targets_are_images: ClassVar[bool] = False

    def __init__(self, outputs: int) -> None:
        """`outputs` is the data set's number of classes, or of output values for other targets."""
        self.outputs = outputs

    def __eq__(self, other: object) -> bool:
        """Whether the other object is the same task."""
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        """A hash of the class and the number of outputs; equal tasks have equal hashes."""
        return hash((type(self).__name__, self.outputs))

    @property
    def identity(self) -> str:
        """The part of a run's identity that belongs to the task: name, outputs, other attributes.

        It must be the same text in every process. Override it if the `repr` of an attribute is not.
        """
        others = {key: value for key, value in sorted(vars(self).items()) if key != "outputs"}
        return f"{self.name} {self.outputs}" + (f" {others!r}" if others else "")

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics; the first one, with place `first`, leads tables and figures."""

    @abstractmethod
    def targets(self, name: str, which: str, values: Values) -> Values:
        """Check the targets of one part of a data set, and return them in the form for training.

        Args:
            name: the name of the data set, for messages.
            which: `training` or `test`.
            values: the reader's values (N, ...), one for each image.

        Returns:
            The targets (N, ...), one row for each image.

        Raises:
            QbenchError: the values are not targets of this task; the message says what was found.
        """

    def strata(self, targets: Values) -> Values | None:
        """The groups that a part of the training images gets in proportion.

        Args:
            targets: a copy of the targets (N, ...), in the form for training.

        Returns:
            A label for each image, (N,), of any dtype that numpy sorts, the same in every process;
            None if there are no groups. No group loses all of its training images to the part.
        """
        return None

    @abstractmethod
    def check_shape(self, output: Any) -> None:
        """Check that a network's output has the shape that the loss takes.

        Args:
            output: the network's output, a KerasTensor.

        Raises:
            QbenchError: the output has another shape; the message says what to change.
        """

    @abstractmethod
    def check_output(self, model: Any, calls: Any, end: Any, shape: tuple[int, int, int]) -> None:
        """Check that a network's output has the meaning that the loss needs.

        Args:
            model: the functional model, with one input and one output.
            calls: the calls of the model's graph, see `qbench.tasks.calls.Call`.
            end: the model's output, as a tensor of these calls.
            shape: (height, width, channels) of an image.

        Raises:
            QbenchError: the output has another meaning; the message says what to change.
        """

    def augmented(self, images: Any, targets: Any, augment: Any) -> tuple[Any, Any]:
        """Augment a batch of images and targets together.

        Args:
            images: the images (B, H, W, C) uint8.
            targets: the targets (B, ...) of the images.
            augment: the function that augments images of this shape.

        Returns:
            The augmented images and their targets, with the same shapes and dtypes.
        """
        return augment(images), targets

    @abstractmethod
    def loss(self, outputs: Any, targets: Any) -> Any:
        """The loss of each example, (B,) float32, in TensorFlow; training minimizes its mean.

        TensorFlow traces it without AutoGraph. So it contains no Python `if` or `while` on tensors.
        """

    @abstractmethod
    def predictions(self, outputs: Values, targets: Values) -> dict[str, Values]:
        """The arrays that a run stores for the test set, by name; they should be small."""

    def per_image(self, predictions: Mapping[str, Values]) -> tuple[Metric, Values] | None:
        """What the stored predictions say about each test image alone; see `qbench compare`.

        Args:
            predictions: what `predictions` returned, read back from the run's folder.

        Returns:
            One of the task's metrics and the value of each image, (N,): bool where an image is
            right or wrong, and the metric is the share of right images in percent; otherwise a
            number whose mean over the images is the metric. None, the default, if there is no such
            metric.
        """
        return None

    def kept_outputs(self, outputs: Values) -> Values | None:
        """The outputs that a run stores for the test set and the validation images, in their file.

        Derived rows, such as ensembles, are computed from them. By default these are the outputs
        themselves. A task with large outputs may return them in a smaller form that `combined`,
        `score` and `predictions` take, or None to store nothing: then there are no ensembles.

        Args:
            outputs: the outputs (N, ...) float32.
        """
        return outputs

    def combined(self, outputs: Sequence[Values]) -> Values:
        """The outputs of an ensemble of networks; by default the mean of their outputs.

        The result for an image depends only on the outputs for this image, and its bits do not
        depend on the order of the networks.

        Args:
            outputs: the outputs (N, ...) of each network, as `kept_outputs` returned them.

        Returns:
            The combined outputs (N, ...), computed in double precision. `score` and `predictions`
            take them; so they are float32, unless these two take float64 as well.
        """
        # A sum in ascending order has the same bits for every order of the networks.
        ascending = np.sort(np.stack(outputs).astype(np.float64), axis=0)
        return np.asarray(ascending.mean(axis=0), np.float32)

    @abstractmethod
    def score(self, outputs: Values, targets: Values) -> dict[str, float]:
        """The value of every metric, by name, for finite outputs (N, ...)."""

    def checked_score(self, outputs: Values, targets: Values) -> dict[str, float]:
        """The result of `score`, checked, in the order of the metrics.

        Raises:
            QbenchError: the value of a metric is missing or not finite.
        """
        found = self.score(outputs, targets)
        values: dict[str, float] = {}
        for metric in self.metrics:
            value = found.get(metric.name)
            if value is None or not math.isfinite(value):
                raise QbenchError(
                    f"task {self.name}: score gives {metric.name} as {value}; expected a finite"
                    " number."
                )
            values[metric.name] = float(value)
        return values

    @abstractmethod
    def agree(self, outputs: Values, expected: Values) -> NDArray[Any]:
        """For each pair of outputs (N, ...): whether their predictions are equal, (N,) bool."""

    def margins(self, outputs: Values) -> NDArray[Any] | None:
        """How clear each prediction is, (N,), in units of the outputs; None if undefined."""
        return None

    def as_record(self) -> dict[str, Any]:
        """The task as records store it, so that reports do not need its code; see `recorded`.

        Raises:
            QbenchError: tables cannot hold the task's metrics; see `check_metrics`.
        """
        check_metrics(self.name, self.metrics)
        return {
            "name": self.name,
            "output_name": self.output_name,
            "prediction_name": self.prediction_name,
            "loss_name": self.loss_name,
            "metrics": [metric.as_config() for metric in self.metrics],
        }
