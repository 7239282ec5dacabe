"""Sweep progress on a terminal: a bar for the sweep, a bar for the run, lines for finished runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line, sentence
from qbench.deploy.silence import OUTPUT
from qbench.storage import layout, records
from qbench.tasks.metric import Metric
from qbench.tasks.recorded import metrics_of

_POLL_SECONDS = 0.3


def say(line: str) -> None:
    """Print a line on standard error without damage to the progress bars."""
    import sys

    with OUTPUT:  # a conversion in this process may be silent just now
        tqdm.write(one_line(line), file=sys.stderr)


@contextmanager
def run_bar(steps: int, name: str, position: int = 0) -> Iterator[Callable[[int, float], None]]:
    """A bar over the steps of one run; yields the function that a training loop reports to."""
    with tqdm(
        total=steps, desc=name, unit="step", position=position, leave=False, disable=None
    ) as bar:

        def report(new: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update(new)

        yield report


def figures_line(record: Mapping[str, Any], every: bool = False) -> str:
    """The result of a run in one line.

    Args:
        record: the record of the run.
        every: whether to show all metrics, not only those of tables, and on the validation images
            not only the first.
    """
    seconds = sum(record["seconds"].values())
    if record["status"] != "ok":
        return one_line(f"{record['status']}: {record['error']['message']}")
    metrics = [one for one in metrics_of(record["data"]) if every or one.place != "file"]
    shown = [_figure(metric, record["metrics"]) for metric in metrics]
    if "validation" in record:
        values = record["validation"]["metrics"]
        own = metrics if every else metrics[:1]
        shown += [f"validation {_figure(metric, values)}" for metric in own]
    return "  ".join([*shown, f"{seconds:.1f} s"])


def _figure(metric: Metric, values: Mapping[str, float]) -> str:
    """A metric with its value; percentages are aligned."""
    width = 6 if metric.unit == "%" else 0
    text = f"{metric.label} {metric.show(values[metric.name]):>{width}}"
    return f"{text} {metric.unit}".rstrip()


def remarks(data: Iterable[Mapping[str, Any]]) -> list[str]:
    """The notes on these data, one sentence for each data set; every output with values has them.

    Args:
        data: the facts about the data in each record.
    """
    noted = [one for one in data if one["note"].strip()]
    return sorted({sentence(f"Note on {one['name']}: {one['note']}") for one in noted})


class SweepProgress:
    """Follows the runs of a sweep through their records and reports; they may be on any machine."""

    def __init__(self, root: Path, runs: Mapping[str, str], reports: Iterable[Path] = ()) -> None:
        """Begin to follow.

        Args:
            root: holds `runs/`.
            runs: the labels of the runs to train, by id.
            reports: the files that conversions will write; older ones may be in their places.
        """
        self._root = root
        self._waiting = dict(runs)
        self._total = len(runs)
        self._reports = {path: _stamp(path) for path in reports}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> SweepProgress:
        """Start watching."""
        unit = "result" if self._reports else "run"
        total = self._total + len(self._reports)
        self._bar = tqdm(total=total, desc="sweep", unit=unit, disable=None)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Check a last time and stop."""
        self._stop.set()
        self._thread.join()
        self._look()
        self._bar.close()

    def _follow(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        for run, label in self._arrived():
            try:
                record = records.read_record(layout.run_folder(self._root, run))
            except QbenchError:  # another process replaces it at this moment
                continue
            del self._waiting[run]
            number = self._total - len(self._waiting)
            say(
                f"[{number:>{len(str(self._total))}}/{self._total}] {label:<40} "
                f"{figures_line(record)}"
            )
            self._bar.update(1)
        written = [path for path, before in self._reports.items() if _stamp(path) != before]
        for path in written:
            del self._reports[path]
        self._bar.update(len(written))

    def _arrived(self) -> Iterable[tuple[str, str]]:
        return [
            (run, label)
            for run, label in self._waiting.items()
            if (layout.run_folder(self._root, run) / layout.RECORD).is_file()
        ]


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes if a file is written anew; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
