"""Experimental designs: levels of factors -> configurations. Pure; no Hydra, no TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
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

RESOLUTIONS = (3, 4, 5)

DESIGNS: Registry[Callable[..., list[Changes]]] = Registry("design.name", outside=False)
"""Functions of levels; a function with the argument `resolution` makes a fraction of a design."""


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


@DESIGNS.register("fractional")
def fractional(levels: Levels, resolution: int) -> list[Changes]:
    """A regular fraction of the cross product of two-level factors, with the default among it.

    The smallest fraction that pydoe finds. Of all fractions with the same generators up to signs it
    is the one that holds the default combination. The last factor varies fastest.

    Args:
        levels: the levels of each factor.
        resolution: 3: no main effect has the same sum as another one; 4: nor as an interaction of
            two factors; 5: nor have two such interactions.

    Raises:
        QbenchError: a factor has more than two levels, or there are too few factors.
    """
    factors = {key: values for key, values in levels.items() if len(values) > 1}
    for key, values in factors.items():
        if len(values) > 2:
            raise QbenchError(
                f"design=fractional: {key} has {len(values)} levels; expected two for each factor,"
                " or design=factorial."
            )
    if len(factors) < resolution:
        raise QbenchError(
            f"design.resolution={resolution} is not allowed with {len(factors)} factors that vary:"
            f" expected {resolution} or more, a lower resolution, or design=factorial."
        )
    from pydoe import fracfact_by_res

    signs = fracfact_by_res(len(factors), resolution)
    chosen = sorted(tuple(row) for row in (signs * -signs[0] > 0).tolist())
    return [
        {key: factors[key][1] for key, other in zip(factors, row, strict=True) if other}
        for row in chosen
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


def changes_of(
    design: str, levels: Levels, baseline: bool | str, resolution: int | None = None
) -> list[Changes]:
    """The changes of each configuration of a design, in the order of its table.

    Args:
        design: a name in DESIGNS.
        levels: the levels of each factor, the default first.
        baseline: whether a float row comes first; EACH for one float row before the rows of each
            network.
        resolution: the resolution of a fraction; None for other designs.

    Raises:
        QbenchError: there is a resolution and the design makes no fraction, or there is none and
            it does; or the design does not take these levels.
    """
    makes_fraction = "resolution" in signature(DESIGNS[design]).parameters
    if makes_fraction and resolution is None:
        allowed = ", ".join(map(str, RESOLUTIONS))
        raise QbenchError(
            f"design.resolution=null is not allowed with design.name={design}: expected {allowed}."
        )
    if resolution is not None and not makes_fraction:
        raise QbenchError(
            f"design.resolution={resolution}: design.name={design} makes no fraction; leave it out."
        )
    options = {"resolution": resolution} if makes_fraction else {}
    changes = DESIGNS[design](levels, **options)
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
