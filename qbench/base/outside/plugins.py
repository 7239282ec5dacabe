"""Installed packages that register things in qbench's registries: the group `qbench.plugins`.

An entry point names a module, or a function in it that is called without arguments. Both register
things: `MODELS.add("mine", build)`. A plugin that cannot be loaded registers nothing, and the error
message for an unknown name names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qbench.base.errors import QbenchError
from qbench.base.outside.modules import quiet_tensorflow
from qbench.base.outside.session import Code, code_of_module
from qbench.base.reasons import summary

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "qbench.plugins"


@dataclass
class _Plugin:
    """A plugin that is being loaded.

    Attributes:
        code: the content of its module.
        taken_back: functions that remove what it has registered.
    """

    code: Code
    taken_back: list[Callable[[], object]] = field(default_factory=list)


class Plugins:
    """The plugins of this process."""

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self.origins: dict[tuple[str, str], Code] = {}
        """The content behind what plugins have registered, by registry key and name."""
        self.broken: list[str] = []
        """One sentence for each plugin that could not be loaded."""
        self._loaded = False
        self._current: _Plugin | None = None

    def load(self) -> None:
        """Load every plugin, once in a process; raises nothing."""
        if self._loaded:
            return
        self._loaded = True
        from importlib.metadata import entry_points  # slow to import; `qbench --help` needs none

        for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
            self._load(point)

    def note(self, key: str, name: str, take_back: Callable[[], object]) -> None:
        """Note that code which is not qbench's own registers something.

        Args:
            key: the key of the registry.
            name: the name.
            take_back: removes it from the registry.
        """
        if self._current:
            self.origins[key, name] = self._current.code
            self._current.taken_back += [take_back, lambda: self._forget(key, name)]

    def _forget(self, key: str, name: str) -> None:
        self.origins.pop((key, name), None)

    def _load(self, point: EntryPoint) -> None:
        if point.pattern.match(point.value) is None:
            why = f"its entry point is {point.value!r}; expected module or module:name"
            self._broke(point, why)
            return
        try:
            code = code_of_module(point.module)
        except QbenchError as error:
            self._broke(point, str(error).removeprefix(f"{point.module}: "))
            return
        if code is None:
            self._broke(point, f"{point.module} is not installed as Python")
            return
        self._register(point, code)

    def _register(self, point: EntryPoint, code: Code) -> None:
        """Let a plugin register what it has; if it fails, it registers nothing."""
        plugin = self._current = _Plugin(code)
        try:
            quiet_tensorflow(code.sources)
            target = point.load()
            if point.attr:
                target()
        except (Exception, SystemExit) as error:
            for take_back in plugin.taken_back:
                take_back()
            ended = RuntimeError("it ends Python")
            self._broke(point, summary(error if isinstance(error, Exception) else ended))
        finally:
            self._current = None

    def _broke(self, point: EntryPoint, why: str) -> None:
        of = f" of {point.dist.name}" if point.dist else ""
        self.broken.append(f"The plugin {point.name}{of} cannot be loaded: {why.rstrip('.')}.")


PLUGINS = Plugins()
