"""Overrides that choose code from outside: `model=FILE.py:FUNCTION` in a group of configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override

from qbench.base.outside import is_reference
from qbench.cli.known import groups
from qbench.cli.quoting import in_hydra

OWN = "own"
"""The choice of a group whose name may be code from outside."""


def takes_outside(group: str) -> bool:
    """Whether a choice of this group of configuration may refer to code from outside."""
    return OWN in groups().get(group, ())


def chosen(group: str, name: str) -> list[str]:
    """The overrides that choose a name in a group, which may refer to code from outside."""
    if is_reference(name) and takes_outside(group):
        return [f"{group}={OWN}", f"{group.replace('/', '.')}.name={in_hydra(name, literal=True)}"]
    return [f"{group}={name}"]


def written_out(overrides: Iterable[str]) -> list[str]:
    """Overrides for Hydra, in which references to code from outside are written out.

    `model=FILE.py:FUNCTION` becomes `model=own` and `model.name=FILE.py:FUNCTION`. The arguments of
    the function are in no file of the configuration, so `model.width=16` becomes
    `++model.width=16`; the function's signature says later whether they exist.
    """
    parser = OverridesParser.create()
    parsed = [(text, parser.parse_override(text)) for text in overrides]
    own = {
        override.key_or_group.replace("/", ".")
        for _, override in parsed
        if takes_outside(override.key_or_group) and any(map(_is_own, _values(override)))
    }
    return [one for text, override in parsed for one in _written_out(text, override, own)]


def _written_out(text: str, override: Override, own: Iterable[str]) -> list[str]:
    key = override.key_or_group
    if override.is_sweep_override() or not text.startswith(f"{key}="):
        return [text]
    if takes_outside(key) and is_reference(override.value()):
        return chosen(key, str(override.value()))
    group, _, name = key.rpartition(".")
    return [f"++{text}"] if group in own and name != "name" else [text]


def _values(override: Override) -> Iterator[str]:
    """The values of an override as texts."""
    value = override.value()
    if override.is_discrete_sweep() and not isinstance(value, Glob):
        yield from map(str, override.sweep_string_iterator())
    else:
        yield str(value)


def _is_own(value: str) -> bool:
    return value == OWN or is_reference(value)
