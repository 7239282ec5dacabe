"""Optimizers and learning-rate schedules that a configuration can name."""

from __future__ import annotations

from typing import Any

from qbench.base.buildable import Buildable
from qbench.base.registry import Registry

OPTIMIZERS: Registry[Buildable] = Registry("train.optimizer.name", outside=False)
SCHEDULES: Registry[Buildable] = Registry("train.schedule.name", outside=False)


def _sgd(learning_rate: Any, momentum: float, nesterov: bool) -> Any:
    """Stochastic gradient descent with momentum."""
    from qbench.optimizers.fused import FusedSGD

    return FusedSGD(learning_rate, momentum=momentum, nesterov=nesterov)


def _adam(learning_rate: Any, beta_1: float, beta_2: float, epsilon: float) -> Any:
    """Adam (Kingma and Ba 2015), Keras' form."""
    import keras

    return keras.optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)


def _rmsprop(learning_rate: Any, rho: float, momentum: float, epsilon: float) -> Any:
    """RMSProp in TensorFlow 1's form, which the paper's training script used."""
    from qbench.optimizers.fused import TensorFlow1RMSprop

    return TensorFlow1RMSprop(learning_rate, rho=rho, momentum=momentum, epsilon=epsilon)


OPTIMIZERS.add("sgd", Buildable(_sgd, {"momentum": 0.9, "nesterov": False}, {"momentum": (0, 1)}))
OPTIMIZERS.add(
    "adam",
    Buildable(
        _adam,
        {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        {"beta_1": (0, 1), "beta_2": (0, 1)},
    ),
)
OPTIMIZERS.add(
    "rmsprop",
    Buildable(
        _rmsprop,
        {"rho": 0.9, "momentum": 0.9, "epsilon": 1.0},
        {"rho": (0, 1), "momentum": (0, 1)},
    ),
)


def _constant(learning_rate: float, steps: int) -> Any:
    """The initial rate in every step."""
    return learning_rate


def _cosine(learning_rate: float, steps: int, end_fraction: float) -> Any:
    """Half a cosine from the initial rate to `end_fraction` of it at the last step."""
    import keras

    return keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=end_fraction)


def _exponential(learning_rate: float, steps: int, factor: float, every: int) -> Any:
    """After every `every` steps the rate is multiplied by `factor`; it is constant in between."""
    import keras

    return keras.optimizers.schedules.ExponentialDecay(
        learning_rate, decay_steps=every, decay_rate=factor, staircase=True
    )


SCHEDULES.add("constant", Buildable(_constant, needs_steps=False))
SCHEDULES.add("cosine", Buildable(_cosine, {"end_fraction": 0.0}, {"end_fraction": (0, 1)}))
SCHEDULES.add(
    "exponential",
    Buildable(
        _exponential,
        {"factor": 0.94, "every": 1000},
        {"factor": (0, 1), "every": (1, None)},
        needs_steps=False,
    ),
)


def build_optimizer(train: Any, start: Any = None) -> Any:
    """The optimizer, with its schedule, that a `qbench.config.experiment.Train` describes.

    Args:
        train: the settings.
        start: a variable, () int64, with the step at which the optimizer starts: its first update
            gets the learning rate of this step. Its own count of updates starts at 0, as the bias
            correction of Adam needs. None: it starts at step 0.
    """
    schedule = SCHEDULES[train.schedule.name]
    rate = schedule.build(
        train.learning_rate, train.number_of_steps, **schedule.arguments(train.schedule.arguments)
    )
    if start is not None and callable(rate):
        rate = _started_at(start, rate)
    optimizer = OPTIMIZERS[train.optimizer.name]
    return optimizer.build(rate, **optimizer.arguments(train.optimizer.arguments))


def _started_at(start: Any, schedule: Any) -> Any:
    """A schedule that begins at a step of another one."""
    import keras

    class StartedAt(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return schedule(keras.ops.cast(step, start.dtype) + start.value)

    return StartedAt()
