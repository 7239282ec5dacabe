"""Rows of a table that compute the same, although their settings differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from qbench.config.experiment import SETTINGS, Experiment, plain
from qbench.planning.designs import Row
from qbench.planning.identity import identity

ALIKE = "alike"  # the key of a manifest's row; rows with the same value compute the same

_SAME = tuple(setting for setting in SETTINGS if setting.same)


def alike_rows(rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """By label, what the manifest says of a row that computes the same as another.

    Such rows differ only in settings whose values differ in rare events (`Setting.same`). They all
    name the first of them.
    """
    possible = [row for row in rows if row.reason is None]
    if not any(_other_values(row.experiment) for row in possible):
        return {}
    groups: dict[str, list[str]] = {}
    for row in possible:
        groups.setdefault(_content(row.experiment), []).append(row.label)
    return {
        label: {ALIKE: labels[0]}
        for labels in groups.values()
        if len(labels) > 1
        for label in labels
    }


def _other_values(experiment: Experiment) -> dict[str, Any]:
    """The defaults of the settings that could have their defaults just as well."""
    found = {}
    for setting in _SAME:
        group = getattr(experiment, setting.group)
        own = getattr(group, setting.name)
        if own != setting.default and setting.same and setting.same(group):
            found[setting.key] = setting.default
    return found


def _content(experiment: Experiment) -> str:
    """What an experiment computes, apart from these settings."""
    at_defaults = experiment.with_values(_other_values(experiment))
    data = at_defaults.data
    # The hash of the data is not known yet, so what chooses them counts.
    chosen = [data.dir, plain(dict(data.arguments))]
    return json.dumps([identity(at_defaults), chosen], sort_keys=True)
