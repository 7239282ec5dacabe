"""Experimental designs: levels of factors -> configurations. Pure; no Hydra, no TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qbench.base.checks import show
from qbench.base.errors import QbenchError
from qbench.base.registry import Registry
from qbench.config.experiment import Experiment
from qbench.planning.factors import FACTORS, impossible

Levels = Mapping[str, tuple[Any, ...]]
Changes = dict[str, Any]

BASELINE = "baseline"
DEFAULT = "default"
EACH = "each"  # one float row for each network
FLOAT: Changes = {"quant.enabled": False}

DESIGNS: Registry[Callable[[Levels], list[Changes]]] = Registry("design.name", outside=False)


@DESIGNS.register("ofat")
def one_factor_at_a_time(levels: Levels) -> list[Changes]:
    """The default row, then one row for each further level of each factor.

    All other factors of a row have their default level, which is the first one. Kwasniewska et al.
    2019, section III-A.
    """
    changes: list[Changes] = [{}]
    for key, values in levels.items():
        changes += [{key: value} for value in values[1:]]
    return changes


@DESIGNS.register("factorial")
def factorial(levels: Levels) -> list[Changes]:
    """The full cross product; the last factor varies fastest."""
    combinations = itertools.product(*levels.values())
    return [
        {k: v for k, v in zip(levels, combination, strict=True) if v != levels[k][0]}
        for combination in combinations
    ]


def levels_of(
    base: Experiment,
    chosen: Sequence[str] | None,
    given: Levels,
    use_paper: bool,
) -> dict[str, tuple[Any, ...]]:
    """The levels of every factor of a design, the default level first.

    Args:
        base: the default configuration.
        chosen: `design.factors`; None for no restriction.
        given: levels from comma lists; they replace the paper's levels and always take part.
        use_paper: whether the other factors take part with the paper's levels.

    Raises:
        QbenchError: a chosen factor is neither in the table nor in `given`.
    """
    table = {factor.key: factor for factor in FACTORS}
    for key in chosen or ():
        if key not in table and key not in given:
            raise QbenchError(
                f"design.factors: {key} is not one of the factors {', '.join(table)}; give it"
                f" levels as well: {key}=first,second."
            )
    levels: dict[str, tuple[Any, ...]] = {}
    for key, factor in table.items():
        wanted = key in chosen if chosen is not None else use_paper
        if key in given:
            levels[key] = _unique(given[key])
        elif wanted:
            default = _at(base, key)
            levels[key] = _unique((default, *factor.levels))
    for key in given:
        levels.setdefault(key, _unique(given[key]))
    return levels


def _unique(values: Sequence[Any]) -> tuple[Any, ...]:
    """The values without repeats, in order. Lists become tuples; 1 and true stay different."""
    kept: dict[str, Any] = {}
    for value in values:
        kept.setdefault(show(value), tuple(value) if isinstance(value, list) else value)
    return tuple(kept.values())


def _at(experiment: Experiment, key: str) -> Any:
    value: Any = experiment
    for name in key.split("."):
        value = getattr(value, name)
    return value


@dataclass(frozen=True)
class Row:
    """One configuration of a design: one row of its table.

    Attributes:
        label: `baseline`, `default`, or the settings that differ from the default.
        changes: keys and values that differ from the default.
        experiment: the configuration, with the first seed.
        reason: the reason why the row is not applicable, or None.
    """

    label: str
    changes: Changes
    experiment: Experiment
    reason: str | None = None


def changes_of(design: str, levels: Levels, baseline: bool | str) -> list[Changes]:
    """The changes of each configuration of a design, in the order of its table.

    Args:
        design: a name in DESIGNS.
        levels: the levels of each factor, the default first.
        baseline: whether a float row comes first; EACH for one float row before the rows of each
            network.
    """
    changes = DESIGNS[design](levels)
    if baseline == EACH:
        return _with_floats(changes)
    return [FLOAT, *changes] if baseline else changes


def rows(table: Sequence[Changes], at_changes: Callable[[Changes], Experiment]) -> list[Row]:
    """The configurations of a table.

    Args:
        table: the changes of each configuration.
        at_changes: a function that returns the experiment with these changes from the default.
    """
    result: list[Row] = []
    for changes in table:
        experiment = at_changes(changes)
        result.append(Row(label(changes), changes, experiment, impossible(experiment, changes)))
    return result


def network_part(changes: Mapping[str, Any]) -> Changes:
    """The changes outside `quant`; the float row with these changes is the baseline."""
    return {key: value for key, value in changes.items() if key.partition(".")[0] != "quant"}


def _with_floats(table: Sequence[Changes]) -> list[Changes]:
    """The table in groups, one for each network; each group begins with a float row."""
    networks: dict[str, list[Changes]] = {}
    for changes in table:
        network = network_part(changes)
        group = networks.setdefault(repr(network), [network | FLOAT])
        if changes not in group:
            group.append(changes)
    return [changes for group in networks.values() for changes in group]


def label(changes: Changes) -> str:
    """The label of a row: `baseline`, `default`, or its changes, such as `quant.bits=4`."""
    if changes == FLOAT:
        return BASELINE
    return " ".join(f"{key}={_written(value)}" for key, value in changes.items()) or DEFAULT


def _written(value: Any) -> str:
    """A level as text for a label: one line, in quotes if it has blanks or hidden characters."""
    text = show(value)
    plain = text.isprintable() and not any(character.isspace() for character in text)
    return text if plain or isinstance(value, Mapping) else repr(text)
