"""The tree of training segments: steps that several runs share are trained once.

A run is a path of phases: first its float steps, then the phases of its scheme. If everything that
can influence a phase is equal for several runs, they share its segments. A phase is cut into
segments where a run branches off. This module is pure: content in, tree out.
`qbench.planning.identity` defines the content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from qbench.storage.records import content_id


@dataclass(frozen=True)
class Phase:
    """The steps of one run in one phase.

    Attributes:
        name: the name of the phase.
        content: canonical text of everything that can influence these steps, except earlier phases.
        end: the step after the last one.
    """

    name: str
    content: str
    end: int


@dataclass(eq=False)
class Segment:
    """A node of the tree: the steps from `first` to `end`, without `end`.

    Attributes:
        id: a hash of everything that can influence the state at the segment's end.
        parent: the segment before this one; None at the root.
        phase: the name of its phase.
        runs: the numbers of the runs that end with this segment.
        uses: the number of runs that pass through this segment or end with it.
    """

    id: str
    parent: Segment | None
    phase: str
    first: int
    end: int
    runs: list[int] = field(default_factory=list)
    children: list[Segment] = field(default_factory=list)
    uses: int = 0

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.end - self.first

    @property
    def path(self) -> list[Segment]:
        """All segments from the root to this one."""
        path, node = [], self
        while True:
            path.append(node)
            if node.parent is None:
                return path[::-1]
            node = node.parent


class Tree:
    """The segments of a set of runs.

    Attributes:
        segments: all segments, each after its parent.
        last: the last segment of every run, by the number of the run.
    """

    def __init__(
        self,
        schedules: Sequence[Sequence[Phase]],
        apart: Sequence[str] | None = None,
    ) -> None:
        """Make the tree of runs from their phases.

        Args:
            schedules: the phases of each run, in order from step 0. Their content must include
                everything that all runs depend on (data, machine, software).
            apart: a name for each run, so that no runs share segments; None to share.
        """
        self.segments: list[Segment] = []
        numbered = [(number, tuple(schedule)) for number, schedule in enumerate(schedules)]
        if apart is None:
            self._grow(None, "", 0, numbered)
        else:
            for name, run in zip(apart, numbered, strict=True):
                self._grow(None, name, 0, [run])
        self.last: dict[int, Segment] = {
            number: segment for segment in self.segments for number in segment.runs
        }
        for segment in reversed(self.segments):
            segment.uses = len(segment.runs) + sum(child.uses for child in segment.children)

    def _grow(
        self,
        parent: Segment | None,
        origin: str,
        start: int,
        runs: list[tuple[int, tuple[Phase, ...]]],
    ) -> None:
        """Add the remaining steps of the runs from step `start` on."""
        alike: dict[tuple[str, str], list[tuple[int, tuple[Phase, ...]]]] = {}
        for number, rest in runs:
            if rest and rest[0].end == start:  # an empty phase
                rest = rest[1:]
            if rest:
                alike.setdefault((rest[0].name, rest[0].content), []).append((number, rest))
            elif parent is not None:
                parent.runs.append(number)
        for (phase, content), members in alike.items():
            self._cut(parent, origin, start, phase, content, members)

    def _cut(
        self,
        parent: Segment | None,
        origin: str,
        start: int,
        phase: str,
        content: str,
        members: list[tuple[int, tuple[Phase, ...]]],
    ) -> None:
        """Add one phase of several runs, cut into segments where a run leaves the phase.

        The id of a segment depends on the start of the phase and on the end of the segment, not on
        earlier cuts. So the same state has the same id in every sweep.
        """
        origin = parent.id if parent else origin
        members.sort(key=lambda member: member[1][0].end)
        for end, leaving in groupby(members, key=lambda member: member[1][0].end):
            name = content_id([origin, phase, content, end])
            segment = Segment(name, parent, phase, start, end)
            self.segments.append(segment)
            if parent is not None:
                parent.children.append(segment)
            self._grow(segment, origin, end, [(number, rest[1:]) for number, rest in leaving])
            parent, start = segment, end

    @property
    def steps_shared(self) -> int:
        """Number of steps if every segment is trained once."""
        return sum(segment.steps for segment in self.segments)

    @property
    def steps_unshared(self) -> int:
        """Number of steps if every run is trained alone."""
        return sum(segment.end for segment in self.last.values())

    @property
    def critical_path(self) -> int:
        """Steps of the longest run; with any number of workers a sweep takes at least as many."""
        return max((segment.end for segment in self.segments), default=0)

    def users(self, segment: Segment) -> Iterator[int]:
        """The runs that pass through a segment or end with it."""
        ahead = [segment]
        while ahead:
            node = ahead.pop()
            yield from node.runs
            ahead += reversed(node.children)


@dataclass(eq=False)
class Job:
    """One piece of work for a launcher: a chain of segments, then perhaps runs.

    Attributes:
        segments: the segments in training order; each is the parent of the next.
        runs: the runs to evaluate at the end of the chain; a job without runs is a trunk.
    """

    segments: list[Segment]
    runs: list[int]

    @property
    def steps(self) -> int:
        """Steps to train."""
        return sum(segment.steps for segment in self.segments)


def batches(tree: Tree) -> list[list[Job]]:
    """The jobs of a tree, in batches: a batch can run when the batches before it are done.

    Segments that several runs share are trunks. A chain of trunks without a branch is one job. The
    segments of a single run are one job with the run, in the batch after its trunk. The longest
    jobs of a batch come first, which keeps several workers busy to the end.
    """
    ready: list[list[Job]] = []
    depth: dict[str, int] = {}

    def put(level: int, job: Job) -> None:
        while len(ready) <= level:
            ready.append([])
        ready[level].append(job)

    def is_trunk(segment: Segment) -> bool:
        return segment.uses > 1

    continued: set[str] = set()
    for segment in tree.segments:
        if not is_trunk(segment) or segment.id in continued:
            continue
        chain = [segment]
        while True:
            onward = [child for child in chain[-1].children if is_trunk(child)]
            same = [child for child in onward if child.phase == chain[-1].phase]
            if not same:
                break
            chain.append(same[0])
            continued.add(same[0].id)
        level = depth[segment.parent.id] + 1 if segment.parent else 0
        depth.update((part.id, level) for part in chain)
        put(level, Job(chain, []))
    for number in sorted(tree.last):
        own = [segment for segment in tree.last[number].path if not is_trunk(segment)]
        above = own[0].parent if own else tree.last[number]
        put(depth[above.id] + 1 if above else 0, Job(own, [number]))
    for batch in ready:
        batch.sort(key=lambda job: -job.steps)
    return ready


def makespan(jobs: Sequence[Sequence[Job]], workers: int) -> int:
    """Steps from start to end on this number of workers, with a barrier between batches.

    Within a batch, the worker that becomes free first gets the next job, as with launchers.
    """
    total = 0
    for batch in jobs:
        busy = [0] * workers
        for job in batch:
            busy[busy.index(min(busy))] += job.steps
        total += max(busy)
    return total
