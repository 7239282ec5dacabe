"""How long the seeds of a sweep take, and whether the next one fits into its budget."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qbench.planning.plan import Plan, Run
from qbench.planning.segments import Tree, batches, makespan
from qbench.storage import layout, records
from qbench.storage.manifests import read_manifest

_JOBS = 200  # the last jobs of the log, and as many records, tell how long a step takes
_LIKE = 3  # the last seeds of a kind tell how long the next one takes


@dataclass(frozen=True)
class Work:
    """What is left to do of a seed.

    Attributes:
        steps: steps from start to end on all workers, as `segments.makespan` counts them.
        runs: number of runs to train.
        files: number of files to make.
    """

    steps: int = 0
    runs: int = 0
    files: int = 0

    def __bool__(self) -> bool:
        """Whether anything is left to do."""
        return bool(self.steps or self.runs or self.files)

    def share_of(self, other: Work) -> float:
        """This work as a share of other work: the largest of the shares of steps, runs, files."""
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return max((mine / theirs for mine, theirs in pairs if theirs), default=1.0)


@dataclass(frozen=True)
class Measured:
    """The work of a seed that was done, and the seconds that passed until it was done."""

    work: Work
    seconds: float

    def as_config(self) -> dict[str, Any]:
        """Plain data for a manifest."""
        return {**asdict(self.work), "seconds": round(self.seconds, 3)}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Measured:
        """From plain data."""
        work = Work(config["steps"], config["runs"], config["files"])
        return Measured(work, config["seconds"])


@dataclass(frozen=True)
class Pace:
    """How long the parts of a seed take, from jobs and records on disk.

    Attributes:
        step: seconds of a step.
        run: seconds of a run besides its steps.
    """

    step: float
    run: float = 0.0

    def seconds(self, work: Work, workers: int) -> float:
        """The seconds of some work, without those of its files, which no record has."""
        return work.steps * self.step + work.runs * self.run / workers


def elapsed(plan: Plan, runs: Sequence[Run], workers: int) -> int:
    """Steps from start to end of some runs of a plan, see `segments.makespan`."""
    alone = None if plan.settings.engine.share else [str(number) for number in range(len(runs))]
    return makespan(batches(Tree([plan.phases(run, None) for run in runs], alone)), workers)


def pace(root: Path, step_seconds: float | None = None) -> Pace | None:
    """How long steps and runs of the study in a folder take; None if nothing tells.

    Args:
        root: holds `runs/`.
        step_seconds: seconds of a step; None to take those of the finished jobs, or else records.
    """
    steps, rest = _of_records(root)
    known = [step_seconds, _of_jobs(root), statistics.median(steps) if steps else None]
    step = next((value for value in known if value is not None), None)
    return None if step is None else Pace(step, statistics.median(rest) if rest else 0.0)


def measured(folder: Path, workers: int) -> list[Measured]:
    """The seconds that the seeds of a sweep took in earlier commands with as many workers.

    Args:
        folder: the folder of its table.
        workers: number of jobs at once.

    Raises:
        QbenchError: the manifest is damaged.
    """
    has_table = (folder / layout.MANIFEST).is_file()
    told = read_manifest(folder).get("by_seed", {}) if has_table else {}
    same = told.get("workers") == workers
    return [Measured.from_config(one) for one in told.get("measured", [])] if same else []


def _of_jobs(root: Path) -> float | None:
    """The seconds of a step by the log of jobs; tracing and compiling are part of them."""
    try:
        lines = layout.jobs_log(root).read_text().splitlines()[-_JOBS:]
    except (OSError, UnicodeDecodeError):
        return None
    seconds, steps = 0.0, 0
    for line in lines:
        try:
            job = json.loads(line)
            trained, took = int(job["steps"]), float(job["train_seconds"])
        except (ValueError, KeyError, TypeError):
            continue  # a line that was cut off; this is only an estimate
        if trained > 0:
            seconds, steps = seconds + took, steps + trained
    return seconds / steps if steps else None


def _of_records(root: Path) -> tuple[list[float], list[float]]:
    """The seconds of a step in each phase, and of the rest of a run, for each finished run."""
    steps: list[float] = []
    rest: list[float] = []
    for path in layout.record_files(root)[:_JOBS]:
        try:
            record = json.loads(path.read_bytes())
            if record["schema"] == records.SCHEMA and "derived" not in record:
                found, parts = record["step_seconds"].values(), dict(record["seconds"])
                parts.pop("train", None)
                rest.append(float(sum(parts.values())))
                steps += map(float, found)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # this is only an estimate; other commands report damaged records
    return steps, rest


class Budget:
    """The time of one command, from the moment in which it is made."""

    def __init__(
        self,
        seconds: float | None,
        clock: Callable[[], float],
        workers: int = 1,
        known: Callable[[], Pace | None] = lambda: None,
        measured: Iterable[Measured] = (),
    ) -> None:
        """Start the time.

        Args:
            seconds: the budget; None if there is none.
            clock: returns seconds, as `time.monotonic`.
            workers: number of jobs at once.
            known: says how long steps took in the jobs that are finished by then.
            measured: the seeds that earlier commands did.
        """
        self._clock = clock
        self._end = math.inf if seconds is None else clock() + seconds
        self._workers = workers
        self._known = known
        self.measured = list(measured)

    @property
    def is_limited(self) -> bool:
        """Whether there is a budget."""
        return self._end < math.inf

    @property
    def left(self) -> float:
        """The seconds that are left; negative if none are; infinite without a budget."""
        return self._end - self._clock()

    def expected(self, work: Work) -> float | None:
        """The seconds that some work will take; None if nothing tells.

        The last seeds that were done tell, those with files for work with files. Before there are
        any the finished jobs tell. If only seeds with files are done, which take longer than work
        without files, the smaller of both counts.
        """
        alike = [one for one in self.measured if bool(one.work.files) == bool(work.files)]
        last = (alike or self.measured)[-_LIKE:]
        found = []
        if last:
            found.append(statistics.fmean(one.seconds * work.share_of(one.work) for one in last))
        if not last or not (alike or work.files):
            known = self._known()
            found += [] if known is None else [known.seconds(work, self._workers)]
        return min(found, default=None)

    def allows(self, work: Work) -> bool:
        """Whether some work is expected to fit; work of which nothing is known fits."""
        expected = self.expected(work)
        return expected is None or expected <= self.left

    def timed(self, work: Work, do: Callable[[], bool]) -> bool:
        """Do some work and remember how long it took; returns what it returns.

        It is not remembered if it returns false, because then it was cut short.
        """
        began = self._clock()
        done = do()
        if done and work:
            self.measured.append(Measured(work, self._clock() - began))
        return done


def seeds_that_fit(budget: float, first: float, later: float, most: int) -> int:
    """How many seeds a budget gives: at least one, at most `most`.

    Args:
        budget: its seconds.
        first: the seconds of the first seed, whose files may be the only ones.
        later: the seconds of each further seed.
        most: the number of seeds that there are.
    """
    if later <= 0:
        return most
    return max(1, min(most, 1 + int((budget - first) / later)))


def duration(seconds: float) -> str:
    """Seconds for people: `45 seconds`, `12 minutes`, `2.5 hours`."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
