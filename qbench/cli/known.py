"""All settings of the shipped configuration, and the error message for an unknown key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from qbench.base.paths import config_folder
from qbench.base.registry import nearest


@lru_cache(maxsize=1)
def known_keys() -> frozenset[str]:
    """All dotted keys of the default configuration."""
    return frozenset(_dotted("", _defaults()))


@lru_cache(maxsize=1)
def _defaults() -> dict[str, Any]:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        plain = OmegaConf.to_container(compose("config"))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def default(key: str) -> Any:
    """The shipped value of a setting or of a group; None if there is none."""
    found: Any = _defaults()
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _dotted(prefix: str, value: Any) -> Iterator[str]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _dotted(f"{prefix}{key}.", inner)
        else:
            yield f"{prefix}{key}"


@lru_cache(maxsize=1)
def groups() -> Mapping[str, tuple[str, ...]]:
    """The names to choose from, by group; a group is for example `data` or `train/schedule`."""
    folder = config_folder()
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.rglob("*.yaml")):
        group = path.parent.relative_to(folder).as_posix()
        if group != ".":
            found[group] = (*found.get(group, ()), path.stem)
    return found


def files(folders: Iterable[str]) -> dict[str, list[str]]:
    """Like `groups`, with the files that other folders of configuration have for these groups."""
    return {
        group: [*names, *(path.stem for one in folders for path in Path(one, group).glob("*.yaml"))]
        for group, names in groups().items()
    }


def hidden(folder: Path) -> list[str]:
    """The files of a folder of configuration that Hydra passes over: qbench has others there."""
    own = config_folder()
    return [
        path.relative_to(own).as_posix()
        for path in sorted(own.rglob("*.yaml"))
        if (there := folder / path.relative_to(own)).is_file()
        and there.read_bytes() != path.read_bytes()
    ]


def _of_files(group: str) -> dict[str, list[str]]:
    """The keys in the files of a group, such as `data`, and the names of the files."""
    from omegaconf import OmegaConf

    found: dict[str, list[str]] = {}
    for path in sorted((config_folder() / group).glob("*.yaml")) if group in groups() else ():
        for name in map(str, OmegaConf.load(path)):
            found.setdefault(f"{group}.{name}", []).append(path.stem)
    return found


def unknown(key: str) -> str:
    """The error message for a key that is not a setting."""
    group = key.rpartition(".")[0]
    of_files = _of_files(group)
    if key in of_files:
        names = ", ".join(f"{group}={name}" for name in of_files[key])
        return f"{key} is not a setting of this choice; it is one of {names}."
    known = sorted(known_keys() | set(groups()) | set(of_files))
    siblings = (
        [name for name in sorted(known_keys()) if name.startswith(f"{group}.")] if group else []
    )
    allowed = f" Allowed under {group}: {', '.join(siblings)}." if siblings else ""
    return f"{key} is not a setting.{nearest(key, known)}{allowed}"
