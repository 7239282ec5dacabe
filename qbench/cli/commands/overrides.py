"""Reads the overrides of verbs that work on a finished run; these verbs do not use Hydra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qbench.base.checks import known_keys
from qbench.cli.overrides import read


def values_of(overrides: Sequence[str], allowed: Sequence[str]) -> dict[str, Any]:
    """The values of `key=value` arguments, by key; the grammar is the same as for other verbs.

    Raises:
        QbenchError: an argument cannot be read, or its key is not allowed.
    """
    values = dict(read(text) for text in overrides)
    known_keys("", values, allowed)
    return values
