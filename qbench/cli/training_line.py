"""The command line that trains what a run's configuration says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.outside import is_reference
from qbench.base.paths import config_folder
from qbench.base.setting import UNSET
from qbench.cli.known import groups
from qbench.cli.outside import OWN, takes_outside
from qbench.cli.overrides import read
from qbench.cli.quoting import in_hydra, in_shell
from qbench.config.experiment import SETTINGS

# Groups whose choice has a name and arguments of its own.
_NAMED = ("data", "model", "train/optimizer", "train/schedule", "quant/scheme")
_PLAIN = re.compile(r"[A-Za-z_][\w./:-]*", re.ASCII)

Leaves = dict[str, Any]


def training_line(config: Mapping[str, Any], study: str) -> str:
    """The line with every setting that differs from the study; the seeds are those of the study.

    Args:
        config: the configuration of a run.
        study: the name of its study; if qbench has no such study, everything is told apart from
            the default study.

    Raises:
        QbenchError: a setting cannot be written as an override.
    """
    chosen: tuple[str, ...] = (f"study={study}",) if study in groups()["study"] else ()
    for group in _NAMED:
        chosen += _choice(chosen, group, config)
    composed = dict(_leaves("", _composed(chosen)))
    own = {key: value for key, value in _leaves("", config) if key != "seed"}
    wanted = {**_older(composed, own), **own}
    said = [_typed(key, value) for key, value in _differing(wanted, composed).items()]
    return " ".join(["qbench train", *chosen, *said])


def _choice(chosen: tuple[str, ...], group: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The choice in a group with which the fewest settings are left to be said; maybe none."""
    wanted = _part(config, group)
    if not isinstance(wanted, Mapping) or "name" not in wanted:
        return ()  # a record of a time before the group
    if takes_outside(group) and is_reference(str(wanted["name"])):
        return (f"{group}={OWN}",)
    studys = _part(_composed(chosen), group)
    if _fits(group, wanted, studys) and not _differing(wanted, studys):
        return ()
    options: list[tuple[str, ...]] = [()]
    options += [(f"{group}={name}",) for name in _named(group, wanted["name"])]
    parts = {one: _part(_composed((*chosen, *one)), group) for one in options}
    fitting = {one: part for one, part in parts.items() if _fits(group, wanted, part)}
    if not fitting:
        raise QbenchError(f"no choice of {group} has the name {wanted['name']} and its arguments")
    return min(fitting, key=lambda one: len(_differing(wanted, fitting[one])) + len(one))


def _named(group: str, wanted: str) -> list[str]:
    """The files of a group that choose this name, or that leave it to another file."""
    from omegaconf import OmegaConf

    folder = config_folder() / group
    own = {name: dict(OmegaConf.load(folder / f"{name}.yaml")) for name in groups()[group]}
    return [name for name, found in own.items() if found.get("name", wanted) == wanted]


def _fits(group: str, wanted: Mapping[str, Any], found: Any) -> bool:
    """Whether a choice has this name and exactly these arguments, apart from newer settings."""
    newer = {setting.name for setting in SETTINGS if setting.group == group.replace("/", ".")}
    return (
        isinstance(found, Mapping)
        and found.get("name") == wanted["name"]
        and set(wanted) <= set(found) <= set(wanted) | newer
    )


def _part(config: Mapping[str, Any], group: str) -> Any:
    part: Any = config
    for name in group.split("/"):
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


@lru_cache(maxsize=64)
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    """The configuration that overrides give."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            plain = OmegaConf.to_container(compose("config", list(overrides)))
    finally:
        GlobalHydra.instance().hydra = running
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _older(composed: Leaves, own: Leaves) -> Leaves:
    """Settings that are newer than the run, at the values that give the old behaviour."""
    values = {
        setting.key: setting.default if setting.neutral is UNSET else setting.neutral
        for setting in SETTINGS
        if setting.key in composed and setting.key not in own and setting.key != "seed"
    }
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not UNSET
    }


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Leaves:
    return {key: value for key, value in wanted.items() if key not in found or found[key] != value}


def _leaves(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(f"{prefix}{key}.", inner)
        else:
            yield f"{prefix}{key}", inner


def _typed(key: str, value: Any) -> str:
    """An override as it is typed in a shell; it is read again to be sure.

    Raises:
        QbenchError: qbench would not read this value.
    """
    forms = [f"{key}={_written(value)}"]
    if isinstance(value, str):
        forms = [in_shell(key, value, literal=True)]
        forms = [f"{key}={value}", *forms] if _PLAIN.fullmatch(value) else forms
    for form in forms:
        typed = form if isinstance(value, str) else shlex.quote(form)
        if read(shlex.split(typed)[0]) == (key, value):
            return typed
    raise QbenchError(f"{key} cannot be written as an override")


def _written(value: Any) -> str:
    """A value in Hydra's grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(_written(inner) for inner in value)}]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else in_hydra(value, literal=True)
    return repr(value)
