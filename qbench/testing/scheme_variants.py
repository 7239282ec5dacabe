"""A scheme with other values of its arguments, to check from which phase on they count."""

from __future__ import annotations

from typing import Any, NamedTuple

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.schemes import SCHEMES, Scheme


class Variant(NamedTuple):
    """The scheme with another value of an argument.

    Attributes:
        argument: the name of the argument.
        scheme: the scheme with the other value.
        counts_from: the number of the first phase that may depend on the argument.
    """

    argument: str
    scheme: Scheme
    counts_from: int


def variants(chosen: Experiment) -> list[Variant]:
    """A variant for each argument that counts from a later phase on and is a number or a switch."""
    quant = chosen.quant
    name, kind = quant.scheme.name, SCHEMES[quant.scheme.name]
    given, found = kind.arguments(quant.scheme.arguments), []
    names = kind.made(name, quant, given).names
    for argument, phase in kind.first_phase.items():
        index = names.index(phase)
        for value in (
            _others(given[argument], kind.limits.get(argument, (0, None))) if index else ()
        ):
            try:
                kind.check(name, name, {argument: value})
            except QbenchError:
                continue
            arguments = {**given, argument: value}
            if not kind.refuses(quant, **arguments):
                found.append(Variant(argument, kind.made(name, quant, arguments), index))
                break
    return found


def _others(value: Any, limits: tuple[float, float | None]) -> list[Any]:
    """Other values of an argument, which may be outside its limits."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if not isinstance(value, float):
        return []
    low, high = limits
    return [one for one in ((value + low) / 2, high, value + 1) if one not in (None, value)]
