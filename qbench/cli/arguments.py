"""Reads the arguments of a verb that Hydra configures: flags and overrides."""

from __future__ import annotations

from itertools import pairwise

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.base.registry import nearest
from qbench.cli.known import files, hidden
from qbench.cli.outside import written_out
from qbench.cli.overrides import as_hydra_takes_it

# Hydra's own flags; qbench passes them on to Hydra. The flags in _WITH_VALUE need a value.
_WITH_VALUE = (
    *("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--cfg", "-c"),
    *("--package", "-p", "--experimental-rerun"),
)
_INFO = ("--info", "-i")  # the value is optional
_ALONE = (
    *("--resolve", "--multirun", "-m", "--run", "-r", "--hydra-help", "--shell-completion", "-sc"),
    *_INFO,
)
_CHOICES = {
    **dict.fromkeys(("--cfg", "-c"), ("job", "hydra", "all")),
    **dict.fromkeys(_INFO, ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")),
}
_FOLDERS = ("--config-dir", "-cd")
_OURS = ("--json", "--workers", "--step-seconds", "--help")


def understood(arguments: list[str], *, several: bool) -> list[str]:
    """Order arguments as Hydra needs them: first flags, then overrides.

    Args:
        arguments: the arguments as they were typed.
        several: whether overrides may give several levels of a factor.

    Raises:
        QbenchError: an argument is neither a flag nor an override. Without this check, Hydra prints
            its whole usage text, or an error about its grammar.
    """
    flags: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument.startswith("-"):
            flags += _flag(argument, rest)
        else:
            overrides.append(as_hydra_takes_it(argument, several))
    folders = [value for flag, value in pairwise(flags) if flag in _FOLDERS]
    return [*flags, *written_out(overrides, files(folders))]


def _flag(argument: str, rest: list[str]) -> list[str]:
    """A flag with its value, which may be the next argument."""
    flag, equals, value = argument.partition("=")
    if flag not in (*_WITH_VALUE, *_ALONE):
        hint = nearest(flag, (*_WITH_VALUE, *_ALONE, *_OURS))
        if equals:
            hint = f" An override has no dashes: {argument.lstrip('-')}"
        raise QbenchError(f"{flag} is not an option.{hint}")
    if flag in _INFO and not equals:
        return [flag, rest.pop(0) if rest and rest[0] in _CHOICES[flag] else "all"]
    if flag in _ALONE and not equals:
        return [argument]
    if not equals:
        if not rest:
            raise QbenchError(f"{flag}: expected a value behind it.")
        value = rest.pop(0)
    allowed = _CHOICES.get(flag)
    if allowed and value not in allowed:
        raise QbenchError(f"{flag} {value}: expected one of {', '.join(allowed)}.")
    folder = given(value)
    if flag in _FOLDERS and not folder.is_dir():
        raise QbenchError(f"{flag} {value}: no such folder.")
    if flag in _FOLDERS and (names := hidden(folder)):
        raise QbenchError(
            f"{flag} {value}: qbench has its own {names[0]}, which comes first; call the file"
            " otherwise."
        )
    return [flag, str(folder.absolute()) if flag in _FOLDERS else value]
