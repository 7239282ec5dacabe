"""Does one job in the current process: trains its path, evaluates its runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from qbench.base import device
from qbench.base.errors import Diverged, QbenchError
from qbench.base.files import append_line
from qbench.config.experiment import Experiment
from qbench.data import Dataset, load_chosen, split
from qbench.deploy.kernel_facts import kernel_facts, named_kernels
from qbench.deploy.sizes import float_values, folded_values
from qbench.engine import imagenet, run_record, tracking
from qbench.engine.deciding import decide
from qbench.engine.networks import network_for
from qbench.engine.spec import JobSpec, SegmentSpec, check_code
from qbench.quantize.kernels import SLOPES
from qbench.schemes import Scheme
from qbench.schemes.phases import FLOAT, tail
from qbench.storage import layout, records
from qbench.storage.outputs import outputs_file
from qbench.storage.state import State
from qbench.storage.store import Store
from qbench.storage.weights import weights_file

Report = Callable[[int, float], None]
Say = Callable[[str], None]


def execute(spec: JobSpec, report: Report, say: Say) -> None:
    """Do a job. Afterwards its decision, states of segments and records of runs are on disk.

    Args:
        spec: the job.
        report: called with (new steps, last loss) during training.
        say: called with a line of text for the user.

    Raises:
        QbenchError: the job was planned for another device, other code or other data.
        DiskFull: there is no room for the results.
    """
    experiment = spec.experiment
    device.start(experiment.threads, experiment.deterministic)
    if device.kind() != spec.device:
        raise QbenchError(
            f"device: planned for {spec.device}, but TensorFlow finds {device.kind()} here; set"
            " device=cpu or device=gpu as the worker's machine has it."
        )
    if spec.runs and all(records.finished(spec.root, run.id) for run in spec.runs):
        return
    used = [experiment, *(run.experiment for run in spec.runs)]
    check_code(spec.code, imagenet.hashes_of(used))
    data = load_chosen(replace(experiment.data, dir=spec.data_dir))
    if data.hash != spec.data["hash"]:
        raise QbenchError(f"data.dir={experiment.data.dir}: the data are not those planned with.")
    run_record.check_part(experiment, data, spec.data)
    if spec.decision is not None:
        return decide(spec, spec.decision, split(data, experiment.data), report, say)
    _Execution(spec, split(data, experiment.data), report, say).run()


class _Execution:
    """One job in progress."""

    def __init__(self, spec: JobSpec, data: Dataset, report: Report, say: Say) -> None:
        self.spec = spec
        self.root = spec.root
        self.data = data
        self.tracker = tracking.tracker_of(spec, say)
        self.report = tracking.reporting(self.tracker, lambda: self.losses, report)
        self.say = say
        self.store = Store(spec.root, say)
        self.store.make_folder()
        self.clock = run_record.Clock()
        self.seconds: dict[str, float] = {}
        self.step_seconds: dict[str, float] = {}
        self.losses: list[float] = []
        self.taken = 0  # steps taken over from stored states
        self.held = ""  # the segment whose lock is held during the whole job

    def run(self) -> None:
        """Train and evaluate, under the lock of the last segment if there are runs."""
        if not (self.spec.runs and self.spec.segments):
            self._run()
            return
        self.held = self.spec.segments[-1].id
        with self.store.locked(self.held):
            if not all(records.finished(self.root, run.id) for run in self.spec.runs):
                self._run()
                for segment in self.spec.segments:
                    if not segment.keep:
                        self.store.drop_partial(segment.id)
                self.store.drop_partial(self.held)

    def _run(self) -> None:
        self.network = network_for(self.spec.experiment, self.data)
        self.network.start_facts()  # reads the trained weights while they are known to be there
        self.seconds["set_up"] = self.clock.lap()
        try:
            self._train()
        except Diverged as error:
            self.seconds["train"] = self.clock.lap()
            self._diverged(error.args[0])
        else:
            self.seconds["train"] = self.clock.lap()
            self._evaluate_all()
        self._log()

    def _log(self) -> None:
        """Add the job to the study's log."""
        line = {
            "job": self.spec.id,
            "label": self.spec.label,
            "steps": len(self.losses) - self.taken,
            "train_seconds": self.seconds["train"],
            "finished": run_record.now(),
        }
        append_line(layout.jobs_log(self.root), line)

    def _train(self) -> None:
        """Train the network to the end of the path, from the last stored state."""
        segments = self.spec.segments
        done = self._resume(segments)
        for segment in segments[done:]:
            held = segment.id == self.held
            with nullcontext() if held else self.store.locked(segment.id):
                if not self._take(self.store.load(segment.id) if segment.keep else None, segment):
                    self._train_segment(segment)

    def _resume(self, segments: tuple[SegmentSpec, ...]) -> int:
        """Load the deepest stored state or checkpoint; returns the number of complete segments."""
        for index in range(len(segments) - 1, -1, -1):
            if self._take(self.store.load(segments[index].id), segments[index]):
                return index + 1
            if self._take_checkpoint(segments[index]):
                return index
        self.network.initialise(self.spec.experiment.seed)
        return 0

    def _scheme_in(self, segment: SegmentSpec | None) -> Scheme | None:
        """The scheme whose variables are part of the states in a segment; None for float steps."""
        floats = segment is None or segment.phase == FLOAT
        return None if floats else self.spec.experiment.scheme

    def _state(self, segment: SegmentSpec) -> State:
        state: State = self.network.state(self.losses, self._scheme_in(segment))
        return state

    def _take(self, state: State | None, segment: SegmentSpec) -> bool:
        """Continue from a stored state of a segment, if there is one."""
        if state is None:
            return False
        self.losses = [float(loss) for loss in state.losses]
        self.taken = state.step
        if state.diverged is not None:
            raise Diverged(state.diverged)
        self.network.set_state(state, self._scheme_in(segment))
        return True

    def _take_checkpoint(self, segment: SegmentSpec) -> bool:
        """Continue from the last checkpoint within a segment, if it is further than the network."""
        partial = self.store.load_partial(segment.id)
        if (
            partial is None
            or not max(segment.first, len(self.losses)) <= partial.step < segment.end
        ):
            return False
        return self._take(partial, segment)

    def _train_segment(self, segment: SegmentSpec) -> None:
        from qbench.training.loop import train_phase

        self._take_checkpoint(segment)
        step_seconds = train_phase(
            self.network,
            self.spec.experiment,
            self.data,
            segment.phase,
            (len(self.losses), segment.end),
            self.losses,
            self.report,
            lambda: self.store.save_partial(segment.id, self._state(segment)),
        )
        if step_seconds is not None:
            self.step_seconds[segment.phase] = round(step_seconds, 6)
        if segment.keep:
            self.store.save(segment.id, self._state(segment))

    def _diverged(self, step: int) -> None:
        """Record that every run of the job has diverged.

        The states of shared segments store the step, so that the other runs on them diverge too.
        """
        for segment in self.spec.segments:
            if segment.keep and segment.end > step:
                losses = np.asarray(self.losses, np.float32)
                self.store.save(segment.id, State({}, losses, step))
        for run in self.spec.runs:
            record = self._header(run.id, run.experiment)
            message = f"the loss was not finite at step {step + 1}"
            if step >= run.experiment.quantization_start:
                message += run_record.possible_reason(run.experiment)
            record |= {"status": "diverged", "error": {"message": message}}
            self._write(run.id, run.experiment, record)

    def _header(self, run: str, experiment: Experiment) -> run_record.Record:
        machine = {"kind": device.kind(), "name": device.name()}
        record = run_record.header(experiment, run, self.spec.data, machine, self.spec.code)
        record["steps"]["taken_over"] = self.taken
        start = self.network.start_facts()
        return record | ({"start": start} if start else {})

    def _evaluate_all(self) -> None:
        """Evaluate every run of the job at the end of its own phases.

        Phases without steps may end a run, and then they change the network. So each such run
        begins with the state at the end of the path.
        """
        from qbench.training.loop import finish

        last = self._scheme_in(self.spec.segments[-1] if self.spec.segments else None)
        changing = any(_changes_at_end(run.experiment, last) for run in self.spec.runs)
        state = self.network.state(self.losses, last) if changing else None
        for run in self.spec.runs:
            if state is not None:
                self.network.set_state(state, last and run.experiment.scheme)
            finish(self.network, run.experiment)
            self._evaluate(run.id, run.experiment)

    def _evaluate(self, run: str, experiment: Experiment) -> None:
        """Run the test set and the validation images, and write the run's record."""
        from qbench.quantize.kept_float import slope_values
        from qbench.training.inference import run_test_set, run_validation

        record = self._header(run, experiment)
        outputs, targets = run_test_set(self.network, experiment, self.data)
        held_out = run_validation(self.network, experiment, self.data)
        self.seconds["evaluate"] = self.clock.lap()
        model = self.network.model
        applied = self.network.applied(experiment.scheme)
        values, slopes = folded_values(model), slope_values(model, experiment.quantization)
        floats, side = float_values(model) - slopes, applied.side_bits() + slopes * SLOPES.bits
        record["size"] = run_record.size_of(values, floats, experiment, side)
        facts = record["kernels"] = kernel_facts(model, applied.entered_kernels())
        if mostly := facts.get("mostly_zero"):
            self.say(f"{self.spec.label}: {named_kernels(mostly)}")
        record["weights_sha256"] = self.network.weights_hash()
        files: dict[str, Any] = {
            "ranges": self.network.ranges(),
            "scheme": applied.saved(),
            "weights": weights_file(model),
        }
        task, finite = self.data.task, bool(np.all(np.isfinite(outputs)))
        if finite and (held_out is None or np.all(np.isfinite(held_out[0]))):
            record["metrics"] = task.checked_score(outputs, targets)
            if held_out is not None:
                record["validation"]["metrics"] = task.checked_score(*held_out)
            files["predictions"] = task.predictions(outputs, targets)
            kept = task.kept_outputs(outputs)
            if kept is None:
                record["keeps_outputs"] = False
            else:
                apart = None if held_out is None else task.kept_outputs(held_out[0])
                files["outputs"] = outputs_file(kept, apart)
        else:
            record["status"] = "diverged"
            where = " on the validation images" if finite else ""
            record["error"] = {
                "message": f"the evaluation{where} gave {task.output_name} that are not finite"
                + run_record.possible_reason(experiment)
            }
        self._write(run, experiment, record, **files)

    def _write(
        self, run: str, experiment: Experiment, record: run_record.Record, **files: Any
    ) -> None:
        from qbench.training.loop import history

        record["seconds"] = dict(self.seconds)
        record["step_seconds"] = dict(self.step_seconds)
        record["finished"] = run_record.now()
        rows = history(self.losses, experiment.phases, experiment.train.log_every)
        config = experiment.as_config()
        self.store.check(self.held)
        self.tracker.ended(run, experiment, record, self.losses)
        records.write_run(self.root, run, config=config, record=record, history=rows, **files)


def _changes_at_end(experiment: Experiment, trained: Scheme | None) -> bool:
    """Whether phases begin after a run's last step, or its scheme is not the trained one."""
    last = experiment.scheme if trained else None
    return bool(tail(experiment.phases)) or last != trained
