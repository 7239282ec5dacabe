"""Event files for TensorBoard: loss, metrics and hyperparameters of every run.

Every run has a folder with one file. A trunk, whose steps several runs share, has one too, with its
loss alone, and a first stage, with its loss and its scores. The values of the loss of a run are
those of history.csv.

A job that goes on from a stored state writes the file of each of its runs anew, because it knows
the losses of all steps from 0. So no file holds a step twice, and a file that a killed process left
incomplete goes. A file appears with its first values, when its segment is locked.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from qbench.base.checks import show
from qbench.config.experiment import Experiment
from qbench.engine.spec import JobSpec
from qbench.storage import layout

_ODD = re.compile(r"[^\w.,=+-]+", re.ASCII)
_LONGEST = 80
_VERSION = "brain.Event:2"  # of the format of event files

LOSS = "loss"
TEST = "test"
VALIDATION = "validation"


class EventFiles:
    """The files of one job: one for each of its runs, or one for its trunk or its first stage."""

    def __init__(self, spec: JobSpec) -> None:
        """No file is written yet."""
        self._files = {
            run.id: _EventFile(_folder(spec, run.label, run.id), run.experiment, run.id)
            for run in spec.runs
        }
        if spec.segments and not spec.runs:
            last = spec.segments[-1].id
            self._files[last] = _EventFile(_folder(spec, spec.label, last), spec.experiment)
        if spec.decision is not None:
            name = spec.decision.id
            self._files[name] = _EventFile(_folder(spec, spec.label, name), spec.experiment)

    def follow(self, losses: Sequence[float]) -> None:
        """See `Tracker`."""
        for file in self._files.values():
            file.add_losses(losses)

    def scored(self, metric: str, scores: Mapping[int, float]) -> None:
        """See `Tracker`."""
        for file in self._files.values():
            file.add_scores(metric, scores)

    def ended(
        self,
        run: str,
        experiment: Experiment,
        record: Mapping[str, Any],
        losses: Sequence[float],
    ) -> None:
        """See `Tracker`."""
        file = self._files[run]
        file.add_losses(losses, whole=True)
        file.add_end(record)


def hyperparameters(experiment: Experiment) -> dict[str, bool | float | str]:
    """The settings of a run by dotted key, as HParams takes them; unset ones are left out."""
    return dict(_flat("", experiment.as_config()))


def _flat(prefix: str, config: Mapping[str, Any]) -> list[tuple[str, bool | float | str]]:
    found: list[tuple[str, bool | float | str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            found += _flat(f"{prefix}{key}.", value)
        elif value is not None:
            plain = isinstance(value, bool | int | float | str)
            found.append((f"{prefix}{key}", value if plain else show(value)))
    return found


def _folder(spec: JobSpec, label: str, name: str) -> Path:
    """The folder of a run, a trunk or a first stage, with a name that people can read."""
    readable = _ODD.sub("_", label).strip("_.")[:_LONGEST]
    return layout.tracking_folder(spec.root, name, readable)


class _EventFile:
    """The event file of a run, of a trunk or of a first stage."""

    def __init__(self, folder: Path, experiment: Experiment, run: str | None = None) -> None:
        self._folder = folder
        self._experiment = experiment
        self._run = run
        self._written = 0  # steps whose losses are in the file
        self._scored = 0  # the last step whose score is in the file

    def add_losses(self, losses: Sequence[float], whole: bool = False) -> None:
        """Add the rows of the history that are new; with `whole` also a last incomplete row."""
        from qbench.training.loop import history

        phases, every = self._experiment.phases, self._experiment.train.log_every
        rows = history(losses, phases, every, since=self._written, growing=not whole)
        for row in rows:
            self._add_scalar(LOSS, float(row["loss"]), row["step"])
            self._written = row["step"]
        if rows:
            self._file.flush()

    def add_scores(self, metric: str, scores: Mapping[int, float]) -> None:
        """Add the scores, by step, that are new."""
        for step, score in scores.items():
            if step > self._scored:
                self._add_scalar(f"{VALIDATION}/{metric}", score, step)
                self._scored = step
                self._file.flush()

    def add_end(self, record: Mapping[str, Any]) -> None:
        """Add the metrics and how the run ended."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams.api_pb2 import Status
        from tensorboard.plugins.hparams.summary import session_end_pb

        step = self._experiment.train.number_of_steps
        held_out = record.get("validation") or {}
        for part, found in ((TEST, record["metrics"]), (VALIDATION, held_out.get("metrics"))):
            for name, value in (found or {}).items():
                self._add_scalar(f"{part}/{name}", value, step)
        status = "STATUS_SUCCESS" if record["status"] == "ok" else "STATUS_FAILURE"
        end = session_end_pb(Status.Value(status))  # TensorFlow's class of the same message
        self._add(Summary.FromString(end.SerializeToString()))
        self._file.close()

    def _add_scalar(self, tag: str, value: float, step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        # A simple value takes a third of the time of a tensor; TensorBoard reads both.
        self._add(Summary(value=[Summary.Value(tag=tag, simple_value=value)]), step)

    def _add(self, summary: Any, step: int = 0) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=step, summary=summary)
        self._writer.write(event.SerializeToString())

    @cached_property
    def _writer(self) -> Any:
        """Writes events into the file, which begins here; the files of earlier attempts go."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._folder.mkdir(parents=True, exist_ok=True)
        earlier = list(self._folder.iterdir())
        self._file = (self._folder / _file_name()).open("xb")
        writer = RecordWriter(self._file)
        now = time.time()
        first = [Event(wall_time=now, file_version=_VERSION)]
        if self._run is not None:
            settings = hyperparameters(self._experiment)
            start = hparams_pb(settings, trial_id=self._run, start_time_secs=now)
            first.append(Event(wall_time=now, summary=start))
        for event in first:
            writer.write(event.SerializeToString())
        for path in earlier:
            path.unlink(missing_ok=True)
        return writer


def _file_name() -> str:
    """A name that TensorBoard reads; later files come later in the order of names."""
    host = re.sub(r"[^\w.-]", "_", socket.gethostname())
    return f"events.out.tfevents.{time.time_ns():020d}.{host}.{os.getpid()}"
