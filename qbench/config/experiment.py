"""The configuration of a run as frozen, checked dataclasses; the core knows no other form.

Each group of the configuration is one dataclass, and every check of a value is made where that
value is stored, so that an `Experiment` that exists is a valid one. Whether a combination makes
sense (an op and a setting it does not have) is said by `qbench.planning.factors`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from qbench.base import checks
from qbench.base.errors import QbenchError
from qbench.data.preprocessing import PREPROCESSING
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES
from qbench.quantize.settings import Quant

JIT = ("auto", "on", "off")


@dataclass(frozen=True, kw_only=True)
class Data:
    """`data`: which images, and how they are prepared. A null resolution means their own."""

    name: str
    dir: str | None = None
    preprocessing: str = "vgg"
    augment: bool = True
    resolution: int | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        """Checks every value."""
        checks.text_or_null("data.dir", self.dir)
        checks.text_or_null("data.note", self.note)
        checks.one_of("data.preprocessing", self.preprocessing, PREPROCESSING.names())
        checks.boolean("data.augment", self.augment)
        checks.whole_or_null("data.resolution", self.resolution, 1, 1024)


@dataclass(frozen=True, kw_only=True)
class Model:
    """`model`: the name of a builder and its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_key(self) -> str:
        """The same text for the same model."""
        return json.dumps([self.name, self.arguments], sort_keys=True, default=list)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A name and its arguments: an optimizer or a schedule."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Train:
    """`train`: how long, with what optimizer and schedule."""

    steps: int
    batch_size: int
    learning_rate: float
    optimizer: Choice
    schedule: Choice
    weight_decay: float = 0.0
    log_every: int = 1
    checkpoint_every: int | None = None
    jit: str = "auto"

    def __post_init__(self) -> None:
        """Checks every value."""
        checks.whole("train.steps", self.steps, 1)
        checks.whole("train.batch_size", self.batch_size, 1)
        checks.number("train.learning_rate", self.learning_rate, 0)
        checks.number("train.weight_decay", self.weight_decay, 0)
        checks.whole("train.log_every", self.log_every, 1)
        checks.whole_or_null("train.checkpoint_every", self.checkpoint_every, 1)
        if isinstance(self.jit, bool):  # YAML reads on and off as truth values
            object.__setattr__(self, "jit", "on" if self.jit else "off")
        checks.one_of("train.jit", self.jit, JIT)
        checks.as_floats(self, "learning_rate", "weight_decay")
        for key, choice, table in (
            ("train.optimizer", self.optimizer, OPTIMIZERS),
            ("train.schedule", self.schedule, SCHEDULES),
        ):
            checks.one_of(f"{key}.name", choice.name, table.names())
            table[choice.name].check(key, choice.name, choice.arguments)

    @property
    def compiles(self) -> bool:
        """Whether steps are compiled by XLA; `auto` where it has been measured to be faster.

        So far that is nowhere: on a CPU a step takes 2.2 times as long (docs/benchmarks.md), and
        no GPU has been measured.
        """
        return self.jit == "on"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """`eval`: how the test set is run. A null limit means all of it."""

    batch_size: int = 100
    limit: int | None = None

    def __post_init__(self) -> None:
        """Checks every value."""
        checks.whole("eval.batch_size", self.batch_size, 1)
        checks.whole_or_null("eval.limit", self.limit, 1)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One run: everything that its result depends on, given the data."""

    data: Data
    model: Model
    quant: Quant
    train: Train
    eval: Evaluate
    threads: int = 2
    deterministic: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values at the top."""
        checks.whole("threads", self.threads, 1, 1024)
        checks.boolean("deterministic", self.deterministic)
        checks.whole("seed", self.seed, 0, 2**31 - 1)

    @property
    def quantization_start(self) -> int:
        """The first quantized step, ceil(delay x steps); the number of steps for a float run.

        Computed on the decimal that was written, so that 0.07 x 100 is 7.
        """
        if not self.quant.enabled:
            return self.train.steps
        return math.ceil(Decimal(str(self.quant.delay)) * self.train.steps)

    def with_values(self, values: Mapping[str, Any]) -> Experiment:
        """A copy with some values changed, given by dotted keys such as `quant.bits`."""
        changed = self
        for key, value in values.items():
            changed = _with_value(changed, key, key.split("."), value)
        return changed

    def as_config(self) -> dict[str, Any]:
        """Plain nested dicts and lists, as `from_config` reads them."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Experiment:
        """The experiment that a plain nested configuration describes."""
        checks.known_keys("", config, [entry.name for entry in fields(Experiment)])
        checks.required_keys("", config, ("data", "model", "quant", "train", "eval"))
        parts = dict(config)
        parts["data"] = _group(Data, "data", config)
        parts["model"] = _choice(Model, "model", config["model"])
        parts["quant"] = _group(Quant, "quant", config)
        parts["train"] = _group(Train, "train", config)
        parts["eval"] = _group(Evaluate, "eval", config)
        return Experiment(**parts)


def _plain(value: Any) -> Any:
    """A group or a value as plain data."""
    if isinstance(value, Model | Choice):
        return {"name": value.name, **value.arguments}
    if is_dataclass(value):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _choice(kind: Any, key: str, values: Mapping[str, Any]) -> Any:
    arguments = dict(checks.group_of_settings(key, values))
    if not isinstance(arguments.get("name"), str):
        raise checks.wrong(f"{key}.name", arguments.get("name"), "a name")
    return kind(name=arguments.pop("name"), arguments=arguments)


def _group(kind: Any, key: str, config: Mapping[str, Any]) -> Any:
    values = checks.group_of_settings(key, config[key])
    entries = fields(kind)
    checks.known_keys(key, values, [entry.name for entry in entries])
    needed = [e.name for e in entries if e.default is MISSING and e.default_factory is MISSING]
    checks.required_keys(key, values, needed)
    return kind(**{name: _value(f"{key}.{name}", values[name]) for name in values})


def _value(key: str, value: Any) -> Any:
    """A configuration value in the form that a group stores."""
    if key in ("train.optimizer", "train.schedule"):
        return _choice(Choice, key, value)
    return tuple(value) if isinstance(value, list) else value


def _with_value(node: Any, key: str, path: list[str], value: Any) -> Any:
    """`node`, a dataclass of this module, with the value at `path` replaced; `key` names it."""
    name, *rest = path
    if isinstance(node, Model | Choice) and name in node.arguments and not rest:
        return replace(node, arguments={**node.arguments, name: value})
    if name not in {entry.name for entry in fields(node)} or name == "arguments":
        raise QbenchError(f"{key} is not a setting.")
    child = getattr(node, name)
    if rest and is_dataclass(child):
        return replace(node, **{name: _with_value(child, key, rest, value)})
    if rest or is_dataclass(child):
        raise QbenchError(f"{key} is not a single setting.")
    return replace(node, **{name: tuple(value) if isinstance(value, list) else value})
