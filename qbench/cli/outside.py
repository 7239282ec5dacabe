"""Overrides that choose code from outside: `model=FILE.py:FUNCTION` in a group of configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override

from qbench.base.model_names import FILE_KEY, KERAS_APPLICATION, KERAS_FILE, is_saved_network
from qbench.base.outside import FORMS, is_reference
from qbench.base.outside.plugins import PLUGINS
from qbench.base.registry import nearest
from qbench.cli.known import groups
from qbench.cli.quoting import in_hydra

OWN = "own"
"""The choice of a group whose name may be code from outside."""
_MODEL = "model"  # the group whose choice may be a saved network
# The choices whose arguments are in no file of the configuration.
_OPEN = (OWN, KERAS_APPLICATION)

Files = Mapping[str, Collection[str]]
"""By group of configuration, the names of its files."""


def takes_outside(group: str) -> bool:
    """Whether a choice of this group of configuration may be code from outside."""
    return OWN in groups().get(group, ())


def chosen(group: str, name: str, files: Collection[str]) -> list[str]:
    """The overrides that choose a name in a group.

    Args:
        group: the group.
        name: the name of a file of the group, a reference, a name that a plugin registered, or the
            path of a saved network.
        files: the names of the group's files.
    """
    if _is_saved(group, name, files):
        return [f"{group}={KERAS_FILE}", f"{FILE_KEY}={in_hydra(name, literal=True)}"]
    if _is_outside(group, name, files):
        return [f"{group}={OWN}", f"{_dotted(group)}.name={in_hydra(name, literal=True)}"]
    return [f"{group}={name}"]


def written_out(overrides: list[str], files: Files) -> list[str]:
    """Overrides for Hydra, in which choices of code from outside are written out.

    `model=FILE.py:FUNCTION` becomes `model=own` and `model.name=FILE.py:FUNCTION`. The arguments of
    the function are in no file of the configuration, so `model.width=16` becomes
    `++model.width=16`; the function's signature says later whether they exist. `model=FILE.keras`
    becomes `model=keras_file` and `model.file=FILE.keras`.

    Args:
        overrides: the overrides, as Hydra takes them.
        files: the files of every group.
    """
    parser = OverridesParser.create()
    parsed = [(text, parser.parse_override(text)) for text in overrides]
    own = {
        _dotted(group)
        for group, override in ((one.key_or_group, one) for _, one in parsed)
        for value in _values(override)
        if value in _OPEN or _is_outside(group, value, files.get(group, ()))
    }
    return [one for text, override in parsed for one in _written_out(text, override, own, files)]


def _written_out(text: str, override: Override, own: Collection[str], files: Files) -> list[str]:
    key, value = override.key_or_group, override.value()
    if override.is_sweep_override() or not text.startswith(f"{key}="):
        return [text]
    if isinstance(value, str):
        names = files.get(key, ())
        if _is_outside(key, value, names) or _is_saved(key, value, names):
            return chosen(key, value, names)
    group, _, name = key.rpartition(".")
    return [f"++{text}"] if group in own and name != "name" else [text]


def _is_outside(group: str, name: str, files: Collection[str]) -> bool:
    """Whether a choice of a group is code from outside."""
    if not takes_outside(group) or name in files:
        return False
    return is_reference(name) or name in _of_plugins(group)


def _is_saved(group: str, name: str, files: Collection[str]) -> bool:
    """Whether a choice of a group is the path of a saved network."""
    return group == _MODEL and name not in files and is_saved_network(name)


def _of_plugins(group: str) -> list[str]:
    """The names of plugins that a group may choose."""
    PLUGINS.load()
    return [name for key, name in PLUGINS.origins if key == f"{_dotted(group)}.name"]


def _dotted(group: str) -> str:
    return group.replace("/", ".")


def _values(override: Override) -> Iterator[str]:
    """The values of an override as texts, if they choose in a group."""
    value: Any = override.value()
    if not takes_outside(override.key_or_group) or isinstance(value, Glob):
        return
    if override.is_discrete_sweep():
        yield from (text.replace("\\:", ":") for text in override.sweep_string_iterator())
    else:
        yield str(value)


def unknown_choice(group: str, name: str, files: Collection[str]) -> str:
    """The error message for a choice that a group does not have."""
    names, more, broken = sorted(files), "", ""
    if takes_outside(group):
        names += [one for one in _of_plugins(group) if one not in names]
        more = (", FILE.keras" if group == _MODEL else "") + f" or {FORMS}"
        broken = "".join(f" {sentence}" for sentence in PLUGINS.broken)
    allowed = f"{', '.join(names)}{more}"
    return f"{group}={name} is not known; allowed: {allowed}.{nearest(name, names)}{broken}"
