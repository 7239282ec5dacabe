"""What depends on the kind of target: the contract of a task.

Only a task knows what a target is, what a network's output means, and which metrics there are.
Everything else reads `Task.metrics` and knows no metric by name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.tasks.metric import Metric, check_metrics

Values = NDArray[Any]


class Task(ABC):
    """A kind of target, for a data set with a number of outputs.

    Instances are equal if their class, number of outputs and whatever else they hold are. A module
    of a task imports TensorFlow and Keras inside its functions alone: reports read its metrics.

    Attributes:
        name: its name in records. It is part of a run's identity, unless it is `classification`.
        outputs: the number of values that a network returns for an image; functions that build
            models get it as `classes`.
        output_name: the name of the output values, in the plural.
        prediction_name: the name of the prediction, in the singular.
        loss_name: the name of the training loss on the axis of a figure.
        decided: describes the images with a clear prediction, with {} for a number of steps; see
            `margins`.
        targets_are_images: whether targets may have the shape of images.
    """

    name: ClassVar[str]
    output_name: ClassVar[str] = "outputs"
    prediction_name: ClassVar[str] = "prediction"
    loss_name: ClassVar[str] = "loss"
    decided: ClassVar[str] = "whose prediction is decided by more than {} steps"
    targets_are_images: ClassVar[bool] = False

    def __init__(self, outputs: int) -> None:
        """`outputs` is the data set's number of classes or, for other targets, its counterpart."""
        self.outputs = outputs

    def __eq__(self, other: object) -> bool:
        """Whether the other object is the same task."""
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        """The hash of the values that make tasks equal."""
        return hash((type(self).__name__, self.outputs))

    @property
    def identity(self) -> str:
        """What of it the results of a run depend on: its name, outputs and whatever else it holds.

        Whoever holds what does not read the same in every process says it here in another way.
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
            name: the data set, for messages.
            which: `training` or `test`.
            values: the reader's values (N, ...), one for each image.

        Returns:
            (N, ...), one row for each image.

        Raises:
            QbenchError: they are no targets of this task; the sentence says what was found.
        """

    @abstractmethod
    def check_shape(self, output: Any) -> None:
        """Check that a network's output has the shape that the loss takes.

        Args:
            output: the network's output, a KerasTensor.

        Raises:
            QbenchError: it has another shape; the sentence says what to change.
        """

    @abstractmethod
    def check_output(self, model: Any, calls: Any, end: Any, shape: tuple[int, int, int]) -> None:
        """Check that a network's output has the meaning that the loss needs.

        Args:
            model: functional, with one input and one output.
            calls: the calls of its graph, see `qbench.tasks.calls.Call`.
            end: the model's output, as a tensor of these calls.
            shape: (height, width, channels) of an image.

        Raises:
            QbenchError: it has another meaning; the sentence says what to change.
        """

    def augmented(self, images: Any, targets: Any, augment: Any) -> tuple[Any, Any]:
        """Augment a batch of images and targets together.

        Args:
            images: (B, H, W, C) uint8.
            targets: (B, ...).
            augment: the function that augments images of these shapes.
        """
        return augment(images), targets

    @abstractmethod
    def loss(self, outputs: Any, targets: Any) -> Any:
        """The loss of each example, (B,) float32, in TensorFlow; training minimizes its mean."""

    @abstractmethod
    def predictions(self, outputs: Values, targets: Values) -> dict[str, Values]:
        """The arrays that a run stores for the test set, by name; they should be small."""

    @abstractmethod
    def score(self, outputs: Values, targets: Values) -> dict[str, float]:
        """The value of every metric, by name, for finite outputs (N, ...)."""

    def checked_score(self, outputs: Values, targets: Values) -> dict[str, float]:
        """What `score` says, by metric and in their order, as records can hold it.

        Raises:
            QbenchError: a metric has no finite number.
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
        """Whether two outputs (N, ...) mean the same prediction, (N,) bool."""

    def margins(self, outputs: Values) -> NDArray[Any] | None:
        """How clearly each prediction is decided, in output units, (N,); None if it cannot say."""
        return None

    def as_record(self) -> dict[str, Any]:
        """The task as records store it, so that reports do not need its code; see `recorded`.

        Raises:
            QbenchError: no table can hold its metrics.
        """
        check_metrics(self.name, self.metrics)
        return {
            "name": self.name,
            "output_name": self.output_name,
            "prediction_name": self.prediction_name,
            "loss_name": self.loss_name,
            "metrics": [metric.as_config() for metric in self.metrics],
        }


@dataclass(frozen=True)
class Recorded:
    """A task as records store it; `Task` explains the attributes."""

    name: str
    output_name: str
    prediction_name: str
    loss_name: str
    metrics: tuple[Metric, ...]


def recorded(data: Mapping[str, Any] | None) -> Recorded:
    """The task of a run, from the part of its record about the data.

    Records without a task are records of classification with six classes or more.
    """
    if data and "task" in data:
        said = data["task"]
    else:
        from qbench.tasks.classification import Classification

        said = Classification(10).as_record()
    return Recorded(**{**said, "metrics": tuple(map(Metric.from_config, said["metrics"]))})


def metrics_of(data: Mapping[str, Any] | None) -> tuple[Metric, ...]:
    """The metrics of a run, from the part of its record about the data."""
    return recorded(data).metrics
