"""The groups of an experiment: data, model, training, evaluation. `quant` is in `quantize`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qbench.base import allowed, checks
from qbench.base.allowed import Allowed
from qbench.base.setting import EVALUATION, NEVER, UNSET, Group, declared, setting
from qbench.data.preprocessing import PREPROCESSING
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES

JIT = ("auto", "on", "off")

G = TypeVar("G", bound=Group)


@dataclass(frozen=True, kw_only=True)
class Data(Group, prefix="data"):
    """`data`: which images, and how they are prepared. A null resolution means their own."""

    name: str = setting(
        check=allowed.anything("name"),
        help="the data set, under the name of its reader; chosen with `data=NAME`",
    )
    dir: str | None = setting(
        None,
        check=allowed.text_or_null("folder"),
        effect=NEVER,
        help="where the [files](#files) lie; null: download through Keras (digits: nothing needed)",
    )
    preprocessing: str = setting(
        "vgg",
        check=allowed.one_of(PREPROCESSING),
        column="preprocessing",
        place=4,
        levels=("vgg", "inception"),
        help="subtract channel means, or rescale to [-1, 1]; each with its augmentation",
    )
    augment: bool = setting(
        True,
        check=allowed.switch(),
        help="whether training images are cropped, mirrored and recoloured",
    )
    resolution: int | None = setting(
        None,
        check=allowed.whole(1, 1024).or_null,
        neutral=None,
        help="side of the square images that the network reads, resized after augmentation; null:"
        " as they are",
    )
    note: str | None = setting(
        None,
        check=allowed.text_or_null(),
        effect=NEVER,
        help="printed with every table and figure of these data, as it is: it is no markup and no"
        " mathematics. Not part of a run's identity; a sweep prints the note that it was given"
        " last, also where its runs are finished; commands on one RUN print that of its training",
    )


@dataclass(frozen=True, kw_only=True)
class Model(Group, prefix="model"):
    """`model`: the name of a builder and its arguments."""

    name: str = setting(
        check=allowed.name(),
        help="the function that builds the network, under its name; chosen with `model=NAME`",
    )
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_key(self) -> str:
        """The same text for the same model."""
        return json.dumps([self.name, self.arguments], sort_keys=True, default=list)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A name and its arguments: an optimizer or a schedule."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def _chosen_from(table: Any) -> Allowed:
    """A choice among the entries of a table, with the arguments that the entry has."""

    def read(key: str, value: Any) -> Any:
        choice = value if isinstance(value, Choice) else named(Choice, key, value)
        checks.one_of(f"{key}.name", choice.name, table.names())
        table[choice.name].check(key, choice.name, choice.arguments)
        return choice

    def describe() -> str:
        found = ((name, ", ".join(table[name].defaults) or "none") for name in table.names())
        return "; ".join(f"`{name}`: {arguments}" for name, arguments in found)

    return Allowed(read, describe)


def _switch_as_text(value: Any) -> Any:
    """YAML reads on and off as truth values."""
    return value if not isinstance(value, bool) else "on" if value else "off"


@dataclass(frozen=True, kw_only=True)
class Train(Group, prefix="train"):
    """`train`: how long, with what optimizer and schedule."""

    steps: int = setting(check=allowed.whole(1), help="how many steps are trained")
    batch_size: int = setting(check=allowed.whole(1), help="images of a training step")
    learning_rate: float = setting(check=allowed.number(0), help="the rate of the first step")
    optimizer: Choice = setting(
        check=_chosen_from(OPTIMIZERS),
        help="the optimizer and its arguments, as `train.optimizer.momentum`; chosen with"
        " `train/optimizer=NAME`. `rmsprop` has TensorFlow 1's form",
    )
    schedule: Choice = setting(
        check=_chosen_from(SCHEDULES),
        help="the schedule of the learning rate and its arguments; chosen with"
        " `train/schedule=NAME`. `every` counts steps",
    )
    weight_decay: float = setting(
        0.0,
        check=allowed.number(0),
        help="L2 on the trainable kernels of convolutions and dense layers, in the loss: this times"
        " half their squared sum; it is trained, beside the"
        " [losses that layers add](protocol.md#what-a-step-trains)",
    )
    log_every: int = setting(
        1,
        check=allowed.whole(1),
        effect=EVALUATION,
        help="steps averaged into a row of history.csv; its loss is that of the task alone",
    )
    checkpoint_every: int | None = setting(
        None,
        check=allowed.whole(1).or_null,
        effect=NEVER,
        help="steps between checkpoints within a segment",
    )
    jit: str = setting(
        "auto",
        check=allowed.one_of(JIT, spelled=_switch_as_text),
        help="compile training steps and evaluation with XLA, whose fake quantization differs from"
        " TensorFlow's ops by up to a step ([GPUs](gpu.md)); `auto` does so where it was measured"
        " to be faster, which so far is nowhere ([benchmarks](benchmarks.md))",
    )

    @property
    def compiles(self) -> bool:
        """Whether steps are compiled by XLA; `auto` where it has been measured to be faster.

        So far that is nowhere: on a CPU a step takes 2.2 times as long (docs/benchmarks.md), and
        no GPU has been measured.
        """
        return self.jit == "on"


@dataclass(frozen=True, kw_only=True)
class Evaluate(Group, prefix="eval"):
    """`eval`: how the test set is run. A null limit means all of it."""

    batch_size: int = setting(
        100,
        check=allowed.whole(1),
        effect=EVALUATION,
        help="test images that are run at once; the last batch holds what is left, without"
        " padding. Where ranges are measured of each tensor, results depend on it",
    )
    limit: int | None = setting(
        None,
        check=allowed.whole(1).or_null,
        effect=EVALUATION,
        help="evaluate the first so many test images only",
    )


def group_from(group: type[G], value: Any, needed: Iterable[str] | None = None) -> G:
    """A group of settings from plain data.

    Args:
        group: its dataclass.
        value: the plain data.
        needed: the keys that must be there; None for those without a default.

    Raises:
        QbenchError: this is no group, or a key or a value of it is not allowed.
    """
    values = checks.group_of_settings(group.prefix, value)
    known = declared(group)
    checks.known_keys(group.prefix, values, [found.name for found in known])
    required = [found.name for found in known if found.default is UNSET]
    checks.required_keys(group.prefix, values, required if needed is None else needed)
    return group(**values)


def named(kind: Any, key: str, values: Any) -> Any:
    """A `Model` or `Choice` from plain data: a name and its arguments."""
    arguments = dict(checks.group_of_settings(key, values))
    name = allowed.name().read(f"{key}.name", arguments.pop("name", None))
    return kind(name=name, arguments=arguments)
