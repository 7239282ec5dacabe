"""The phases of a run, as a list of names and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FLOAT = "float"
"""The name of the first phase, which belongs to no scheme."""


class PhaseEnd(NamedTuple):
    """A phase of a run.

    Attributes:
        name: the name of the phase.
        end: the step after its last one; a phase without steps ends where it begins.
    """

    name: str
    end: int


class Span(NamedTuple):
    """A phase of a run, with its beginning.

    Attributes:
        name: the name of the phase.
        first: its first step.
        end: the step after its last one.
    """

    name: str
    first: int
    end: int


def spans(phases: Sequence[PhaseEnd]) -> tuple[Span, ...]:
    """The phases of a run from step 0, each with its first step."""
    starts = (0, *(phase.end for phase in phases[:-1]))
    pairs = zip(phases, starts, strict=True)
    return tuple(Span(phase.name, first, phase.end) for phase, first in pairs)


def beginning(phases: Sequence[PhaseEnd], phase: str, step: int) -> tuple[str, ...]:
    """The phases that begin before a step: this phase, after the empty phases before it.

    Args:
        phases: the phases of the run.
        phase: the phase of the step.
        step: the number of the step.

    Returns:
        The names in order; nothing if the step is not the first one of its phase. The float phase
        is not among them.
    """
    found: list[str] = []
    for one in spans(phases):
        if one.first == step and one.name != FLOAT:
            found.append(one.name)
        if one.name == phase:
            return tuple(found) if one.first == step else ()
    raise ValueError(f"{phase} is no phase of this run")


def tail(phases: Sequence[PhaseEnd]) -> tuple[str, ...]:
    """The phases after the last step, which have no steps; they begin before the evaluation."""
    last = phases[-1].end
    return tuple(one.name for one in spans(phases) if one.first == last and one.name != FLOAT)
