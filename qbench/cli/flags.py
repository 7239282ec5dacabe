"""Reads the arguments of verbs that work without Hydra: words, and flags with values."""

from __future__ import annotations

from collections.abc import Collection

from qbench.base.errors import QbenchError


def words_and_flags(
    arguments: list[str], alone: Collection[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Words in their order, and the value of each flag (`--flag value` or `--flag=value`).

    Args:
        arguments: the arguments as they were typed.
        alone: the flags that take no value; theirs is "". The verb says which others there are.

    Raises:
        QbenchError: a flag has no value, has one that it does not take, or is given twice.
    """
    words: list[str] = []
    flags: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            words.append(argument)
            continue
        flag, equals, value = argument.partition("=")
        if flag in flags:
            raise QbenchError(f"{flag} is given twice; expected it once.")
        if flag in alone and equals:
            raise QbenchError(f"{flag} takes no value.")
        if flag not in alone and not equals:
            if not rest:
                raise QbenchError(f"{flag}: expected a value behind it.")
            value = rest.pop(0)
        flags[flag] = value
    return words, flags
