"""Reads overrides with Hydra's grammar; reports mistakes in the user's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    RangeSweep,
    Sweep,
    Transformer,
)

from qbench.base.errors import QbenchError
from qbench.base.model_names import is_saved_network
from qbench.base.outside import is_reference
from qbench.cli.known import default, groups
from qbench.cli.quoting import in_hydra
from qbench.cli.wording import bad_key, bad_reference, bad_value, not_one_text, shown
from qbench.config.experiment import SETTINGS as OF_RUNS
from qbench.planning.settings import SETTINGS

TEXTS = tuple(s.key for s in SETTINGS if s.check.kind in ("text", "folder"))
"""Settings whose value is free text. It is always one value and may contain any character."""
_PATHS = tuple(s.key for s in SETTINGS if s.check.kind in ("folder", "path"))
# Settings that are lists but not factors. A comma list is then the list itself, not its levels.
_LISTS = tuple(s.key for s in SETTINGS if s.check.kind == "list" and s not in OF_RUNS)
_WHOLE = {s.key: s for s in SETTINGS if s.check.kind == "list" or isinstance(s.default, tuple)}
# Names of rows hold what Hydra reads as grammar, such as `quant.placement=[conv]`.
_ROWS = tuple(s.key for s in SETTINGS if s.check.kind == "row")
_MOST = 10_000  # values in one override
_KEY = re.compile(r"(~|\+\+?)?(?P<key>[A-Za-z_$][\w$-]*([./][\w$-]+)*)(@[\w.$:/-]*)?", re.ASCII)


def as_hydra_takes_it(text: str, several: bool) -> str:
    """An override for Hydra, with lists written out and the home folder quoted.

    Args:
        text: the override as it was typed.
        several: whether several levels of a factor are allowed.

    Raises:
        QbenchError: the override cannot be read, or its value has the wrong kind for its key.
    """
    key, value = split(text)
    text, value = _quoted_row(text, key, value)
    if value.startswith("~") and (key in _PATHS or is_reference(value) or is_saved_network(value)):
        _parsed(f"{key}=home{value[1:]}", key, value)
        return f"{text.partition('=')[0]}={in_hydra(value)}"
    override = _parsed(text, key, value)
    found = override.value()
    if key in _LISTS and (override.is_sweep_override() or _has_sweep(found)):
        return f"{override.get_key_element()}=[{','.join(_levels(text, found))}]"
    if not override.is_sweep_override():
        _check_one(text, key, override)
        return text
    if not several:
        hint = f" A list is written {key}=[{value}]." if isinstance(default(key), list) else ""
        raise QbenchError(
            f"{shown(text)}: several values; only qbench sweep and qbench plan take more than one."
            f"{hint}"
        )
    if isinstance(found, Glob) and (key in groups() or "/" in key):
        return text  # Hydra finds the files that match
    levels = _levels(text, found)
    if "null" in levels and len(levels) > 1:  # Hydra accepts null in a comma list, not in choice
        return f"{override.get_key_element()}={','.join(levels)}"
    return f"{override.get_key_element()}=choice({','.join(levels)})"


def read(text: str) -> tuple[str, Any]:
    """The key of an override and its value as plain data, for verbs that do not use Hydra.

    A comma list or a range becomes a list.

    Raises:
        QbenchError: the override cannot be read.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    key, value = split(text)
    text, value = _quoted_row(text, key, value)
    if key in _PATHS and value.startswith("~"):
        _parsed(f"{key}=home{value[1:]}", key, value)
        return key, value
    override = _parsed(text, key, value)
    if override.is_sweep_override():
        levels = ",".join(_levels(text, override.value()))
        override = OverridesParser.create().parse_override(f"{key}=[{levels}]")
    _check_one(text, key, override)
    try:
        plain: Any = OmegaConf.to_container(OmegaConf.create([override.value()]), resolve=True)
        return key, plain[0]
    except OmegaConfBaseException as error:
        why = bad_reference(str(error)) or "cannot be read."
        raise QbenchError(f"{shown(text)}: {why}") from error


def _quoted_row(text: str, key: str, value: str) -> tuple[str, str]:
    """The override and its value; the name of a row gets the quotes that Hydra needs."""
    if key not in _ROWS or value in ("", "null") or value[0] in "'\"":
        return text, value
    quoted = in_hydra(value)
    return f"{text.partition('=')[0]}={quoted}", quoted


def split(text: str) -> tuple[str, str]:
    """The key of an override, without prefix and package, and its value.

    Raises:
        QbenchError: the key is missing, or a value is missing that the override needs, or the key
            is one below a list.
    """
    typed, equals, value = text.partition("=")
    found = _KEY.fullmatch(typed)
    if found is None or not (equals or typed.startswith("~")):
        raise QbenchError(bad_key(text))
    _check_not_below_a_list(text, found["key"])
    return found["key"], value


def _check_not_below_a_list(text: str, key: str) -> None:
    for above, found in _WHOLE.items():
        if key.startswith(f"{above}."):
            expected = found.check.describe().replace("`", "")
            raise QbenchError(f"{shown(text)}: {above} is given as a whole; expected a {expected}.")


def _parsed(text: str, key: str, value: str) -> Override:
    try:
        override = OverridesParser.create().parse_override(text)
    except Exception as error:  # a function in the override may raise any exception
        if key in TEXTS:
            raise QbenchError(not_one_text(key, value)) from error
        raise QbenchError(bad_value(key, value)) from error
    if key in TEXTS and not override.is_delete():
        one = () if override.is_sweep_override() else override.value()
        if not isinstance(one, str | None):
            raise QbenchError(not_one_text(key, value))
    return override


def _levels(text: str, value: Any) -> list[str]:
    """The values of a comma list, a range or a function, each as text for an override."""
    try:
        found = list(islice(_flat(value), _MOST + 1))
    except _NoLevels as error:
        raise QbenchError(f"{shown(text)}: {error}") from error
    if not 0 < len(found) <= _MOST:
        many = "no value is" if not found else f"more than {_MOST:,} values are"
        raise QbenchError(f"{shown(text)}: {many} in this.")
    return found


class _NoLevels(Exception):
    """These levels cannot be listed; the argument says why."""


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, IntervalSweep):
        raise _NoLevels("a design takes single levels; list them, divided by commas.")
    if isinstance(value, Glob):
        raise _NoLevels("glob is for groups such as model, and stands alone.")
    if getattr(value, "shuffle", False):
        raise _NoLevels("the first level is the default; list them in order, without shuffle.")
    if isinstance(value, RangeSweep):
        if not value.step:
            raise _NoLevels("a range needs a step other than 0.")
        yield from (str(number) for number in value.range())
    elif isinstance(value, ChoiceSweep | list):
        items = value.list if isinstance(value, ChoiceSweep) else value
        for item in items:
            yield from _flat(item) if isinstance(item, Sweep | Glob) else [Transformer.str(item)]
    else:
        yield Transformer.str(value)


def _has_sweep(value: Any) -> bool:
    """Whether a function with several values is inside a list or a group."""
    if isinstance(value, dict):
        return any(map(_has_sweep, value.values()))
    if isinstance(value, list):
        return any(map(_has_sweep, value))
    return isinstance(value, Sweep | Glob)


def _check_one(text: str, key: str, override: Override) -> None:
    """Refuses values for which Hydra would print an error in its own words."""
    value = override.value()
    if _has_sweep(value):
        raise QbenchError(f"{shown(text)}: a function of several values stands alone.")
    group = key.replace(".", "/")
    if group != key and group in groups():
        raise QbenchError(f"{shown(text)}: {key} is a group; choose with {group}=NAME.")
    names = groups().get(key)
    if names and override.is_delete() and not value:
        raise QbenchError(f"{key.replace('/', '.')} is missing; give it a value.")
    if names and not override.is_delete() and not isinstance(value, str | list):
        raise QbenchError(f"{shown(text)}: {key} is chosen by a name, such as {key}={names[0]}.")
