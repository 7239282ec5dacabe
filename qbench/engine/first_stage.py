"""The first stage of a sweep with `train.steps=auto`, as a job of the sweep's launcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qbench.base.errors import DiskFull, QbenchError
from qbench.base.plain import sentence
from qbench.config.train import AUTO
from qbench.engine import job_files, run_record
from qbench.engine.inputs import Inputs, unstarted
from qbench.engine.progress import say
from qbench.engine.spec import DecisionSpec, JobSpec
from qbench.planning.early_stopping import MOST, Decided
from qbench.planning.first_stage import (
    Trial,
    deciding_run,
    is_undecided,
    planned_key,
    trial_of,
    with_decision,
)
from qbench.planning.plan import Plan
from qbench.storage import layout, records
from qbench.storage.decisions import SCHEMA, Decisions, Record
from qbench.storage.manifests import read_manifest, trained_in

if TYPE_CHECKING:
    from qbench.engine.client import Ended


@dataclass(frozen=True)
class FirstStage:
    """Decides the number of steps of a sweep.

    Attributes:
        root: holds `runs/` and `decisions/`.
        folder: the folder of the sweep's table.
        device: kind of device.
        inputs: the inputs of the sweep's plan.
        launch: see `qbench.engine.sweep.Launch`.
    """

    root: Path
    folder: Path
    device: str
    inputs: Inputs
    launch: Callable[[list[Path], Path], list[Ended]]

    def decided(self, plan: Plan, check: Callable[[Plan], None]) -> Plan:
        """The plan with a number of steps in every row; a decision that is missing is made.

        Args:
            plan: the plan.
            check: called with the plan before the first training.

        Raises:
            QbenchError: the data have no validation images, a network cannot be trained, the folder
                holds the table of another sweep, or the first stage failed or diverged.
            DiskFull: there was no room.
        """
        if not is_undecided(plan):
            self.forget()
            return plan
        number = deciding_run(plan)
        data, weights = self.inputs.data[number], self.inputs.weights[number]
        if "validation_images" not in data:
            raise QbenchError(
                f"train.steps={AUTO}: {data['name']} has no validation images to decide on; set"
                " data.validation, such as data.validation=0.1."
            )
        trial = trial_of(plan, run_record.common_content(data["hash"], self.device, weights))
        decisions = Decisions(self.root, say)
        if decisions.read(trial.id) is None:
            self._refuse_other_table(plan, trial.id)
            check(plan)
            self._make(plan, trial, number)
        return with_decision(plan, _decided(trial, decisions))

    def forget(self) -> None:
        """Remove the note of the decision that the sweep waited for."""
        (self.folder / layout.DECIDING).unlink(missing_ok=True)

    def _refuse_other_table(self, plan: Plan, decision: str) -> None:
        """Refuse a folder with runs that are not of this sweep, before hours are spent.

        Runs with a number from the decision are of this sweep.
        """
        if not (self.folder / layout.MANIFEST).is_file():
            return
        known = {
            run_record.run_id(run.experiment, data["hash"], self.device, weights)
            for run, data, weights in zip(
                plan.runs, self.inputs.data, self.inputs.weights, strict=True
            )
            if not run.experiment.train.is_undecided
        }
        told = read_manifest(self.folder)
        mine = [one for one in told.get("decided", ()) if one["id"] == decision]
        decided = {row for one in mine for row in one["rows"]}
        rows = [row for row in told["rows"] if row["label"] not in decided]
        if trained_in({"rows": rows}) - known:
            raise QbenchError(
                f"out={self.folder}: holds the table of another sweep, some of whose runs are not"
                " part of this one; choose another folder."
            )

    def _make(self, plan: Plan, trial: Trial, number: int) -> None:
        """Make the decision; `number` is that of the run whose float training decides."""
        decisions = Decisions(self.root, say)
        decisions.make_folder()
        decisions.forget_failures()
        say(
            f"{plan.settings.study}: the first stage decides the number of steps by the float"
            f" network of {trial.rows[0]}, at most {plan.settings.auto.auto_most:,} steps; results"
            f" in {self.folder}"
        )
        jobs = [self._job(plan, trial, number)]
        self._list(plan, trial)
        with job_files.cleared(self.root, [jobs]):
            (end,) = self.launch(job_files.write(self.root, jobs), self.folder)
            if end.how == "full":
                raise DiskFull(end.message)
        if decisions.read(trial.id) is None:
            told = decisions.failure(trial.id) or {"message": end.message}
            raise QbenchError(
                sentence(f"{trial.label}: {told['message'] or 'its job left nothing'}")
            )

    def _job(self, plan: Plan, trial: Trial, number: int) -> JobSpec:
        rule = plan.settings.auto
        job = unstarted(plan.settings.engine, trial.experiment, self.inputs, number, self.root)
        wanted = DecisionSpec(trial.id, rule, planned_key(trial.experiment, rule))
        name = f"steps-{trial.id}"
        return replace(job, id=name, label=trial.label, device=self.device, decision=wanted)

    def _list(self, plan: Plan, trial: Trial) -> None:
        """Write what the sweep waits for, for `qbench status`."""
        content = {
            "schema": SCHEMA,
            "runs": layout.runs_seen_from(self.folder, self.root),
            "most": plan.settings.auto.auto_most,
            "decisions": [{"id": trial.id, "label": trial.label}],
        }
        records.write_atomically(self.folder / layout.DECIDING, records.as_json(content))


def _decided(trial: Trial, decisions: Decisions) -> Decided:
    """The decision of a trial as the plan has it; it is told."""
    record = decisions.read(trial.id)
    if record is None:
        raise QbenchError(f"{trial.label}: its decision was removed; the same command makes it.")
    if record["steps"] is None:
        raise QbenchError(
            f"train.steps={AUTO}: the float network of {trial.rows[0]} diverged at step"
            f" {record['diverged'] + 1:,}, so nothing decides the number of steps; give one, or"
            " another train.learning_rate."
        )
    say(f"{trial.label}: {_in_words(record)}")
    seed = trial.experiment.seed
    return Decided(trial.id, record["steps"], trial.rows, seed, record["ended"])


def _in_words(record: Record) -> str:
    metric = record["metric"]
    best = next(one["score"] for one in record["scores"] if one["step"] == record["steps"])
    value = f"{best:.{metric['digits']}f} {metric['unit']}".rstrip()
    line = f"{record['steps']:,}, with {metric['label']} {value} on the validation images"
    if record["ended"] == MOST:
        line += "; the first stage ended at train.auto_most, perhaps before the best step"
    return line
