"""The words that a shell can complete after `qbench`, and the scripts that complete them.

A script holds all words, so a shell starts no Python to complete one. It is made anew after an
upgrade.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from qbench.base.paths import config_folder
from qbench.cli.known import groups
from qbench.planning.settings import SETTINGS

SHELLS = ("bash", "zsh", "fish")

_NAMES = re.compile(r"`([^`]+)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w-])")
_SAFE = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)  # no shell reads more in such a word


@dataclass(frozen=True)
class Verb:
    """What can follow a verb.

    Attributes:
        does: what it does, in one line.
        options: words that begin with dashes.
        words: other words.
        overrides: whether it takes overrides.
        paths: whether it takes files or folders.
    """

    does: str
    options: tuple[str, ...]
    words: tuple[str, ...]
    overrides: bool
    paths: bool


def script(shell: str, verbs: Mapping[str, tuple[str, str]]) -> str:
    """The script for a shell in SHELLS.

    Args:
        shell: the name of the shell.
        verbs: the arguments and the description of each verb, see `qbench.cli.main`.
    """
    template = files("qbench.cli").joinpath("shells", f"completion.{shell}").read_text()
    return Template(template).substitute(_PARTS[shell](described(verbs), values()))


def described(verbs: Mapping[str, tuple[str, str]]) -> dict[str, Verb]:
    """What can follow each verb; options are those that its help names."""
    found = {}
    for name, (takes, does) in verbs.items():
        module = importlib.import_module(f"qbench.cli.commands.{name.replace('-', '_')}")
        options = {"--help", *_OPTION.findall(module.HELP)}
        words = tuple(word for word in re.split(r"[\s|]+", takes) if word.islower())
        plain = tuple(word for word in words if _SAFE.fullmatch(word))
        found[name] = Verb(
            does,
            tuple(sorted(options)),
            plain,
            overrides="[overrides]" in takes,
            paths=any(word in takes for word in ("DIR", "RUN", "FILE", "FOLDER")),
        )
    return found


@cache
def values() -> dict[str, tuple[str, ...]]:
    """The values to choose from by key, of every key and group; empty if there is no list."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(sorted(_keys_of_files()), ())
    for setting in SETTINGS:
        said = setting.check.describe()
        names = ["true", "false"] if said.startswith("true, false") else _NAMES.findall(said)
        if setting.check.kind == "list":
            names = []  # a list has brackets, which a shell would read
        elif names and said.endswith("or null"):
            names.append("null")
        found[setting.key] = tuple(name for name in names if _SAFE.fullmatch(name))
    return dict(sorted(found.items())) | dict(groups())


def _keys_of_files() -> Iterator[str]:
    """The keys that the files of groups set, such as arguments of networks."""
    import yaml

    for group in groups():
        if group not in ("study", "design"):
            for path in (config_folder() / group).glob("*.yaml"):
                yield from _dotted(f"{group.replace('/', '.')}.", yaml.safe_load(path.read_text()))


def _dotted(prefix: str, content: Any) -> Iterator[str]:
    for key, inner in (content or {}).items():
        if isinstance(inner, dict):
            yield from _dotted(f"{prefix}{key}.", inner)
        elif _SAFE.fullmatch(f"{prefix}{key}") and key != "defaults":
            yield f"{prefix}{key}"


def _with(verbs: Mapping[str, Verb], kind: str) -> list[str]:
    return [name for name, verb in verbs.items() if getattr(verb, kind)]


def _in_bash(verbs: Mapping[str, Verb], known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The parts of the scripts for bash and zsh, whose `case` is the same."""

    def cases(found: Mapping[str, tuple[str, ...]]) -> str:
        lines = [f"        {name}) echo '{' '.join(own)}' ;;" for name, own in found.items() if own]
        return "\n".join(lines)

    return {
        "verbs": " ".join(verbs),
        "options": cases({name: verb.options for name, verb in verbs.items()}),
        "words": cases({name: verb.words for name, verb in verbs.items()}),
        "overriding": "|".join(_with(verbs, "overrides")),
        "with_paths": "|".join(_with(verbs, "paths")),
        "keys": " ".join(f"{key}=" for key in known),
        "values": cases(known),
    }


def _in_fish(verbs: Mapping[str, Verb], known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    lines = []
    for name, verb in verbs.items():
        lines.append(f'complete -c qbench -n __fish_use_subcommand -a {name} -d "{verb.does}"')
        after = f"complete -c qbench -n '__fish_seen_subcommand_from {name}'"
        lines += [f"{after} -l {option.removeprefix('--')}" for option in verb.options]
        lines += [f"{after} -a '{' '.join(verb.words)}'"] if verb.words else []
        lines += [f"{after} -a '(__qbench_overrides)'"] if verb.overrides else []
        lines += [f"{after} -F"] if verb.paths else []
    cases = [
        f"            case {key}\n                printf '{key}=%s\\n' {' '.join(names)}"
        for key, names in known.items()
        if names
    ]
    keys = " ".join(f"{key}=" for key in known)
    return {"keys": keys, "values": "\n".join(cases), "verbs": "\n".join(lines)}


_PARTS = {"bash": _in_bash, "zsh": _in_bash, "fish": _in_fish}
