"""The configuration of a run as frozen, checked dataclasses; other modules use no other form.

Each group of the configuration is one dataclass. A setting is declared at its field and checked
when its value is stored. So every `Experiment` that exists is valid. `qbench.planning.factors` says
whether a combination makes sense (for example an op and a setting that it lacks).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from qbench.base import allowed, checks
from qbench.base.errors import QbenchError
from qbench.base.model_names import KERAS_APPLICATION
from qbench.base.outside import is_reference
from qbench.base.setting import Group, Setting, declared, setting
from qbench.config.groups import Choice, Data, Evaluate, group_from, named
from qbench.config.inputs import FileInput
from qbench.config.model import Model
from qbench.config.quant import Quant
from qbench.config.train import Train
from qbench.data.preprocessing import PREPROCESSING
from qbench.quantize.entry import PixelQuantizer
from qbench.quantize.scheme import QuantizationScheme
from qbench.schemes import SCHEMES, Scheme
from qbench.schemes.phases import FLOAT, PhaseEnd


@dataclass(frozen=True, kw_only=True)
class Experiment(Group):
    """The description of one run: everything that its result depends on, except the data."""

    data: Data
    model: Model
    quant: Quant
    train: Train
    eval: Evaluate
    deploy: FileInput = field(default_factory=FileInput)
    threads: int = setting(
        2,
        check=allowed.whole(1, 1024),
        help="threads an op may use; results are identical only at equal numbers",
    )
    deterministic: bool = setting(
        False,
        check=allowed.switch(),
        help="TensorFlow's op determinism, which GPUs need for repeatable results",
    )
    seed: int = setting(
        0, check=allowed.whole(0, 2**31 - 1), help="the seed of one run, one of `seeds`"
    )

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of settings; the last one is the experiment itself, with all others."""
        return (self.data, self.model, self.quant, self.train, self.eval, self.deploy, self)

    @cached_property
    def quantization_start(self) -> int:
        """The first quantized step, ceil(delay x steps); the number of steps for a float run.

        Some schemes begin earlier, see `SchemeKind.early_steps`. It is computed with decimal
        numbers, so that 0.07 x 100 is exactly 7.
        """
        if not self.quant.enabled:
            return self.train.number_of_steps
        start: int = math.ceil(Decimal(str(self.quant.delay)) * self.train.number_of_steps)
        return max(start - SCHEMES[self.quant.scheme.name].early_steps, 0)

    @property
    def scheme(self) -> Scheme | None:
        """The quantization scheme; None for a float run."""
        scheme = self.quant.chosen_scheme
        return scheme and scheme.of_pixels(self.pixels)

    @property
    def quantization(self) -> QuantizationScheme | None:
        """The quantization of the finished network; None for a float run."""
        scheme = self.scheme
        return scheme.quantization if scheme else None

    @property
    def pixels(self) -> PixelQuantizer | None:
        """The grid of the image, if int8 files take raw pixels; None if they do not.

        It is None too if the preprocessing has no such grid, with which no experiment can be run;
        see `qbench.planning.factors.impossible`.
        """
        if not self.deploy.takes_pixels:
            return None
        scale = PREPROCESSING[self.data.preprocessing].pixel
        return PixelQuantizer(f"deploy.input={self.deploy.input}", scale) if scale else None

    @property
    def phases(self) -> tuple[PhaseEnd, ...]:
        """The phases of the run: the float phase, then the phases of the scheme."""
        start, scheme = self.quantization_start, self.scheme
        later = scheme.checked_phases(start, self.train.number_of_steps) if scheme else ()
        return (PhaseEnd(FLOAT, start), *later)

    def with_values(self, values: Mapping[str, Any]) -> Experiment:
        """A copy with some values changed, given by dotted keys such as `quant.bits`."""
        changed = self
        for key, value in values.items():
            changed = _with_value(changed, key, key.split("."), value)
        return changed

    def as_config(self) -> dict[str, Any]:
        """Plain nested dicts and lists, as `from_config` reads them."""
        return {entry.name: plain(getattr(self, entry.name)) for entry in fields(self)}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Experiment:
        """The experiment from a plain nested configuration."""
        checks.known_keys("", config, [entry.name for entry in fields(Experiment)])
        checks.required_keys("", config, ("data", "model", "quant", "train", "eval"))
        parts = dict(config)
        parts["data"] = group_from(Data, config["data"])
        parts["model"] = named(Model, "model", config["model"])
        parts["quant"] = group_from(Quant, config["quant"])
        parts["train"] = group_from(Train, config["train"])
        parts["eval"] = group_from(Evaluate, config["eval"])
        parts["deploy"] = group_from(FileInput, config.get("deploy", {}))
        return Experiment(**parts)


class Variants:
    """Makes experiments from others by changing values.

    Experiments with the same changes in a group share this group, so that what follows from a group
    can be worked out once for all of them.
    """

    def __init__(self) -> None:
        """No experiment is made yet."""
        self._made: dict[tuple[int, str, str], tuple[Any, Any]] = {}

    def of(self, experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
        """The same as `experiment.with_values(values)`."""
        changes: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            changes.setdefault(key.partition(".")[0], {})[key] = value
        parts = {name: self._part(experiment, name, own) for name, own in changes.items()}
        return replace(experiment, **parts) if parts else experiment

    def _part(self, experiment: Experiment, name: str, changes: Mapping[str, Any]) -> Any:
        """A changed group, or a changed setting at the top level.

        Changes are the same if they are the same text: 1 and 1.0 are equal, but not as text. The
        old group is kept with the new one, so that no other group gets its id.
        """
        old = getattr(experiment, name, None)
        key = (id(old), name, repr(changes))
        if key not in self._made:
            self._made[key] = old, getattr(experiment.with_values(changes), name)
        return self._made[key][1]


SETTINGS: tuple[Setting, ...] = tuple(
    found
    for group in (Data, Model, Quant, Train, Evaluate, FileInput, Experiment)
    for found in declared(group)
)
"""Every setting of a run."""


def plain(value: Any) -> Any:
    """A group or a value as plain data."""
    if is_dataclass(value):
        found = {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
        return found | found.pop("arguments", {})
    return list(value) if isinstance(value, tuple) else value


def _has_argument(node: Any, name: str) -> bool:
    """Whether a name is an argument.

    Code from outside and Keras' applications check their arguments when they are called.
    """
    if not isinstance(node, Model | Choice | Data) or name in {one.name for one in fields(node)}:
        return False
    return name in node.arguments or is_reference(node.name) or node.name == KERAS_APPLICATION


def _with_value(node: Any, key: str, path: list[str], value: Any) -> Any:
    """A copy of a dataclass with the value at `path` replaced; error messages name `key`."""
    name, *rest = path
    if not rest and _has_argument(node, name):
        return replace(node, arguments={**node.arguments, name: value})
    if name not in {entry.name for entry in fields(node)} or name == "arguments":
        raise QbenchError(f"{key} is not a setting.")
    child = getattr(node, name)
    if rest and is_dataclass(child):
        return replace(node, **{name: _with_value(child, key, rest, value)})
    if rest or is_dataclass(child):
        raise QbenchError(f"{key} is not a single setting.")
    return replace(node, **{name: value})
