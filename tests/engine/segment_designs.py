"""Random designs for the segment tree, and the plainest way to count what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from qbench.planning.segments import Job, Phase, Tree

Schedule = tuple[Phase, ...]


@st.composite
def schedules(draw: Any) -> Schedule:
    """One run: phases in alternating phases; the first and the last may be empty."""
    count = draw(st.integers(1, 4))
    phases = draw(st.sampled_from([("float", "quantized"), ("quantized", "float")]))
    seed = draw(st.sampled_from("01"))
    end, result = 0, []
    for number in range(count):
        may_be_empty = number in (0, count - 1)
        end += draw(st.integers(0 if may_be_empty else 1, 4))
        content = seed + draw(st.sampled_from("ab"))
        result.append(Phase(phases[number % 2], content, end))
    if end == 0:
        result[-1] = Phase(result[-1].name, result[-1].content, 1)
    return tuple(result)


@st.composite
def qbench_schedules(draw: Any) -> Schedule:
    """One run as qbench has them: float steps, then quantized ones, each possibly none."""
    steps = draw(st.integers(1, 8))
    start = draw(st.integers(0, steps))
    seed = draw(st.sampled_from("012"))
    floats = Phase("float", seed + draw(st.sampled_from("ab")), start)
    if start == steps:
        return (floats,)
    return (floats, Phase("quantized", seed + draw(st.sampled_from("abc")), steps))


designs = st.lists(st.one_of(schedules(), qbench_schedules()), min_size=0, max_size=9)


def history(schedule: Schedule) -> tuple[tuple[str, str], ...]:
    """(phase, content) of every step of a run."""
    steps: list[tuple[str, str]] = []
    for phase in schedule:
        steps += [(phase.name, phase.content)] * (phase.end - len(steps))
    return tuple(steps)


def distinct_steps(runs: Sequence[Schedule]) -> int:
    """Steps to train once, counted as different (history, step) pairs."""
    return len({history(run)[: k + 1] for run in runs for k in range(len(history(run)))})


def states(tree: Tree, runs: Sequence[Schedule]) -> dict[tuple[tuple[str, str], ...], str]:
    """The id of every state that the tree cuts at, by the history that leads to it."""
    return {
        history(run)[: segment.end]: segment.id
        for number, run in enumerate(runs)
        for segment in tree.last[number].path
    }


def simulated(batches: Sequence[Sequence[Job]], workers: int) -> int:
    """The makespan, step by step: idle workers take the next job, batches wait for each other."""
    time = 0
    for batch in batches:
        queue = [job.steps for job in batch]
        busy: list[int] = []
        while queue or busy:
            while queue and len(busy) < workers:
                busy.append(queue.pop(0))
                busy = [left for left in busy if left]
            time += bool(busy)
            busy = [left - 1 for left in busy if left > 1]
    return time
