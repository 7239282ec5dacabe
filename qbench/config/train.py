"""The group `train` of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.base import allowed
from qbench.base.errors import QbenchError
from qbench.base.setting import EVALUATION, NEVER, Group, setting
from qbench.config.groups import Choice, chosen_from
from qbench.data.balance import WEIGHTS
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES

JIT = ("auto", "on", "off")
AUTO = "auto"
"""The value of `train.steps` that leaves the number of steps to a first stage of a sweep."""


def _switch_as_text(value: Any) -> Any:
    """`on` or `off` for a truth value, because YAML reads these words as truth values."""
    return value if not isinstance(value, bool) else "on" if value else "off"


@dataclass(frozen=True, kw_only=True)
class Train(Group, prefix="train"):
    """`train`: the number of steps, the optimizer, the schedule and how steps are run."""

    steps: int | str = setting(
        check=allowed.whole_or(AUTO, 1),
        help="number of training steps. `auto`: [early stopping](studies.md#the-number-of-steps) of"
        " the float network decides it, as a first stage of `qbench sweep`",
    )
    batch_size: int = setting(check=allowed.whole(1), help="images in a training step")
    learning_rate: float = setting(check=allowed.number(0), help="learning rate of the first step")
    optimizer: Choice = setting(
        check=chosen_from(OPTIMIZERS),
        help="the optimizer and its arguments, such as `train.optimizer.momentum`; choose it with"
        " `train/optimizer=NAME`. `rmsprop` has TensorFlow 1's form",
    )
    schedule: Choice = setting(
        check=chosen_from(SCHEDULES),
        help="the schedule of the learning rate and its arguments; choose it with"
        " `train/schedule=NAME`. `every` counts steps",
    )
    weight_decay: float = setting(
        0.0,
        check=allowed.number(0),
        help="L2 on the trainable kernels of convolutions and dense layers: the loss gets this"
        " value times half the sum of their squares. Training minimizes it together with the"
        " [losses that layers add](protocol.md#what-a-step-trains)",
    )
    class_weights: str = setting(
        "none",
        check=allowed.one_of(WEIGHTS),
        neutral="none",
        help="`balanced`: the loss of an image that training minimizes is weighted with N / (k n),"
        " for N training images in k classes, n of them in the class of the image. The loss in"
        " history.csv, records and tables has no weights",
    )
    balanced_batches: bool = setting(
        False,
        check=allowed.switch(),
        neutral=False,
        help="whether every class gives the same number of images to training; images of small"
        " classes are [repeated](protocol.md#classes-with-few-images)",
    )
    log_every: int = setting(
        1,
        check=allowed.whole(1),
        effect=EVALUATION,
        help="steps that one row of history.csv averages. Its loss is the task's loss alone",
    )
    checkpoint_every: int | None = setting(
        None,
        check=allowed.whole(1).or_null,
        effect=NEVER,
        help="number of steps between checkpoints within a segment",
    )
    jit: str = setting(
        "auto",
        check=allowed.one_of(JIT, spelled=_switch_as_text),
        help="compile training steps and evaluation with XLA. XLA's fake quantization differs from"
        " TensorFlow's ops by up to one step of the grid ([GPUs](gpu.md)). `auto` uses XLA where"
        " it was measured to be faster; so far this is nowhere ([benchmarks](benchmarks.md))",
    )

    @property
    def is_undecided(self) -> bool:
        """Whether the number of steps is not known yet."""
        return self.steps == AUTO

    @property
    def number_of_steps(self) -> int:
        """The number of steps; QbenchError as in `check_decided`."""
        self.check_decided()
        assert isinstance(self.steps, int)
        return self.steps

    def check_decided(self) -> None:
        """Raise QbenchError if the number of steps is not known yet."""
        if self.is_undecided:
            raise QbenchError(
                f"train.steps={self.steps}: only qbench sweep decides the number of steps; give it"
                " a number here."
            )

    @property
    def compiles(self) -> bool:
        """Whether XLA compiles the steps. `auto` means: only where XLA was measured to be faster.

        So far this is nowhere: on a CPU a step takes 2.2 times as long (docs/benchmarks.md), and
        no GPU has been measured.
        """
        return self.jit == "on"
