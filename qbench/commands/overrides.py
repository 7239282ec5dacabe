"""Overrides of verbs that go without Hydra: a finished run's configuration is fixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from qbench.checks import known_keys
from qbench.errors import QbenchError


def values_of(overrides: Sequence[str], allowed: Sequence[str]) -> dict[str, Any]:
    """Values by key from `key=value` arguments.

    Raises:
        QbenchError: an argument is of another form, or its key is not allowed.
    """
    values = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise QbenchError(f"{text}: expected key=value.")
        try:
            values[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError) as error:
            raise QbenchError(f"{text}: the value cannot be read; quote it.") from error
    known_keys("", values, allowed)
    return values
