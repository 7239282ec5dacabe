"""Named choices with arguments: how a configuration describes them, and how they are built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qbench.base import checks
from qbench.base.allowed import Allowed
from qbench.base.errors import QbenchError


@dataclass(frozen=True)
class Buildable:
    """Something that is built from named arguments, such as an optimizer.

    Attributes:
        build: the function that makes it.
        defaults: by argument, its value if the configuration does not set it.
        limits: by numeric argument, its smallest and largest value; None means no largest value.
        checks: by argument that is neither a number nor a switch, the values that are allowed.
        needs_steps: for a schedule, whether its rates depend on the number of steps of a run.
    """

    build: Callable[..., Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)
    checks: Mapping[str, Allowed] = field(default_factory=dict)
    needs_steps: bool = True

    def check(self, group: str, choice: str, arguments: Mapping[str, Any]) -> None:
        """Check all arguments of `choice` in `group`, for example of sgd in train.optimizer."""
        for name, value in arguments.items():
            if name not in self.defaults:
                raise QbenchError(
                    f"{group}.{name} is not a setting of {choice}; choose with"
                    f" {group.replace('.', '/')}={choice}, which brings its own settings:"
                    f" {', '.join(f'{group}.{key}' for key in self.defaults) or 'none'}."
                )
            self._check(f"{group}.{name}", name, value)

    def _check(self, key: str, name: str, value: Any) -> None:
        default = self.defaults[name]
        low, high = self.limits.get(name, (0, None))
        if name in self.checks:
            self.checks[name].read(key, value)
        elif isinstance(default, bool):
            checks.boolean(key, value)
        elif isinstance(default, int):
            checks.whole(key, value, int(low), None if high is None else int(high))
        else:
            checks.number(key, value, low, high)

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given arguments, else the defaults, in their stored form.

        It is the form of their check; without one, each value has the type of its default.
        """
        return {
            name: self._stored(name, given.get(name, old)) for name, old in self.defaults.items()
        }

    def _stored(self, name: str, value: Any) -> Any:
        if name in self.checks:
            return self.checks[name].read(name, value)
        return type(self.defaults[name])(value)
