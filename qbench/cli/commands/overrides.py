"""Overrides of verbs that do not use Hydra: the configuration of a finished run is fixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qbench.base.checks import known_keys
from qbench.cli.overrides import read


def values_of(overrides: Sequence[str], allowed: Sequence[str]) -> dict[str, Any]:
    """Values by key from `key=value` arguments, in the grammar of the other verbs.

    Raises:
        QbenchError: an argument cannot be read, or its key is not allowed.
    """
    values = dict(read(text) for text in overrides)
    known_keys("", values, allowed)
    return values
