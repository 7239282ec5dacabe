"""The states of the runs of a sweep, once or until it ends; reads only."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from qbench.base.plain import one_line
from qbench.planning.derived import run_name
from qbench.storage import layout, manifests, records
from qbench.storage.decisions import WAITING as DECISIONS
from qbench.storage.decisions import Decisions, all_decisions
from qbench.storage.locks import is_held
from qbench.storage.store import Store

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"
_KINDS = (DONE, RUNNING, FAILED, WAITING)

States = list[tuple[str, str]]
"""(label, state) of every run, in the order of the table."""

_POLL_SECONDS = 1.0
_QUIET_SECONDS = 600.0  # without any change; then no process works on the sweep any more

ENDED = "the sweep has ended."
QUIET = (
    "nothing has changed for ten minutes and no process trains, so the sweep seems to have been"
    " interrupted; the same command goes on from there."
)


def run_states(folder: Path, done: set[str] | None = None) -> States:
    """The states of the sweep in a folder.

    A run is done if it has a record, even if it diverged. It is running while a living process
    trains a segment on its path. A derived run, which no process trains, waits for its members.

    Args:
        folder: the folder of the sweep.
        done: ids of runs that were done at an earlier look and are not read again; new ones are
            added.

    While a first stage decides the number of steps, the runs are not known. Then the state is that
    of the decision.
    """
    deciding = _deciding(folder)
    if deciding:
        return deciding
    manifest = manifests.read_manifest(folder)
    root = layout.root_of_sweep(folder, manifest)
    store = Store(root, lambda text: None)
    known = set() if done is None else done
    states = []
    for row in manifest["rows"]:
        for run in row["runs"]:
            state = DONE if run["id"] in known else _state(root, store, run["id"], run["segments"])
            if state == DONE:
                known.add(run["id"])
            states.append((run_name(row, run), state))
    return states


def _deciding(folder: Path) -> States:
    """The states of the decisions that a sweep waits for; empty if it waits for none."""
    path = folder / layout.DECIDING
    if not path.is_file():
        return []
    told = records.read_json(path, DECISIONS)
    root = layout.root_of_sweep(folder, told)
    decisions = Decisions(root, lambda text: None)
    done = {one["decision"] for one in all_decisions(root)}
    states = []
    for one in told["decisions"]:
        waits = RUNNING if is_held(decisions.lock(one["id"])) else WAITING
        waits = FAILED if waits == WAITING and decisions.failure(one["id"]) else waits
        states.append((one["label"], DONE if one["id"] in done else waits))
    over = all(state == DONE for _, state in states) and (folder / layout.MANIFEST).is_file()
    return [] if over else states


def _state(root: Path, store: Store, run: str, segments: list[str]) -> str:
    if records.finished(root, run):
        return DONE
    if any(is_held(store.lock(segment)) for segment in segments):
        return RUNNING
    try:
        return FAILED if records.existing_record(root, run) else WAITING
    except records.DamagedRun:
        return WAITING


def counts(states: States) -> str:
    """`3 done, 1 running, 0 failed, 12 waiting`."""
    numbers = [sum(state == kind for _, state in states) for kind in _KINDS]
    return ", ".join(f"{count} {kind}" for count, kind in zip(numbers, _KINDS, strict=True))


@dataclass(frozen=True)
class _Look:
    """What a look at a sweep finds.

    Attributes:
        states: the states of its runs.
        converted: number of its runs that were converted, or could not be.
        reported: whether its page was written after its manifest, which begins a sweep.
    """

    states: States
    converted: int
    reported: bool

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return counts(self.states) + (f", {self.converted} converted" if self.converted else "")

    @property
    def is_running(self) -> bool:
        """Whether a process trains."""
        return any(state == RUNNING for _, state in self.states)


def watch(
    folder: Path,
    out: TextIO,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Show the states of a sweep whenever they change, until it ends or Ctrl-C is pressed.

    Args:
        folder: the folder of the sweep.
        out: where to; a terminal shows the present states, and anything else every change.
        pause: waits for a number of seconds.
        clock: seconds that do not go back.

    Raises:
        QbenchError: the folder holds no sweep.
    """
    done: set[str] = set()
    shown = _Screen(out) if out.isatty() else _Lines(out)
    before, since = None, clock()
    try:
        while True:
            now = _look(folder, done)
            if now != before:
                shown.show(now)
                before, since = now, clock()
            if now.reported and not now.is_running:
                return shown.end(ENDED)
            if not now.is_running and clock() - since >= _QUIET_SECONDS:
                return shown.end(QUIET)
            pause(_POLL_SECONDS)
    except KeyboardInterrupt:
        return None


def _look(folder: Path, done: set[str]) -> _Look:
    manifest, page = folder / layout.MANIFEST, folder / layout.PAGE
    if deciding := _deciding(folder):
        return _Look(deciding, converted=0, reported=False)
    states = run_states(folder, done)
    try:
        reported = page.stat().st_mtime_ns >= manifest.stat().st_mtime_ns
    except OSError:  # no page yet
        reported = False
    content = manifests.read_manifest(folder)
    root = layout.root_of_sweep(folder, content)
    report = layout.conversion_report(None)
    runs = manifests.trained_in(content)
    converted = sum((layout.run_folder(root, run) / report).is_file() for run in runs)
    return _Look(states, converted, reported)


class _Lines:
    """A line for every change, for files and pipes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._before: dict[str, str] | None = None
        self._last = ""

    def show(self, now: _Look) -> None:
        """Print what is new."""
        states = dict(now.states)
        if self._before is None:
            self._print(now.summary)
        else:
            for label, state in states.items():
                if self._before.get(label) != state:
                    self._print(f"{state:<8} {label}")
        self._before, self._last = states, now.summary

    def end(self, why: str) -> None:
        """Print the last counts."""
        self._print(f"{self._last}; {why}")

    def _print(self, text: str) -> None:
        print(one_line(text), file=self._out, flush=True)


class _Screen:
    """The present states, in place of the earlier ones on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._height = 0

    def show(self, now: _Look) -> None:
        """Draw the states over the earlier ones."""
        from qbench.report.texts import short

        width, rows = shutil.get_terminal_size()
        lines = [f"{state:<8} {label}" for label, state in _chosen(now.states, rows - 3)]
        left = len(now.states) - len(lines)
        lines += [f"... and {left} more"] if left else []
        lines.append(now.summary)
        up = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        drawn = "\n".join(short(line, max(width - 1, 10)) for line in lines)
        print(f"{up}{drawn}", file=self._out, flush=True)
        self._height = len(lines)

    def end(self, why: str) -> None:
        """Say why nothing more comes."""
        print(why, file=self._out, flush=True)


def _chosen(states: States, most: int) -> States:
    """The states that there is room for: running and failed runs before the others."""
    if len(states) <= most:
        return states
    order = {RUNNING: 0, FAILED: 1, WAITING: 2, DONE: 3}
    ranked = sorted(range(len(states)), key=lambda k: order[states[k][1]])
    return [states[k] for k in sorted(ranked[: max(most, 1)])]
