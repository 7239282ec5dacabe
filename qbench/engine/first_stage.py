"""The first stage of a sweep with `train.steps=auto`, as jobs of the sweep's launcher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qbench.base.errors import DiskFull, QbenchError
from qbench.base.plain import sentence
from qbench.config.train import AUTO
from qbench.engine import job_files, run_record
from qbench.engine.inputs import Inputs, unstarted
from qbench.engine.progress import say
from qbench.engine.resolve import by_data
from qbench.engine.spec import DecisionSpec, JobSpec
from qbench.planning.early_stopping import MOST, Decided
from qbench.planning.first_stage import Trial, is_undecided, planned_key, trials, with_decisions
from qbench.planning.plan import Plan
from qbench.storage import layout, records
from qbench.storage.decisions import SCHEMA, Decisions, Record
from qbench.storage.manifests import read_manifest, trained_in

if TYPE_CHECKING:
    from qbench.engine.client import Ended


@dataclass(frozen=True)
class FirstStage:
    """Decides the numbers of steps of a sweep.

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
        """The plan with a number of steps in every row; decisions that are missing are made.

        Args:
            plan: the plan.
            check: called with the plan before the first training.

        Raises:
            QbenchError: the data have no validation images, a network cannot be trained, the folder
                holds the table of another sweep, or a first stage failed or diverged.
            DiskFull: there was no room.
        """
        if not is_undecided(plan):
            self.forget()
            return plan
        self._refuse_without_validation(plan)
        found = trials(plan, self._commons(plan))
        decisions = Decisions(self.root, say)
        left = [trial for trial in found if decisions.read(trial.id) is None]
        if left:
            self._refuse_other_table(plan, {trial.id for trial in found})
            check(plan)
            self._make(plan, left)
        return with_decisions(plan, [_decided(trial, decisions) for trial in found])

    def forget(self) -> None:
        """Remove the list of decisions that the sweep waited for."""
        (self.folder / layout.DECIDING).unlink(missing_ok=True)

    def _numbers(self, plan: Plan) -> Mapping[str, int]:
        """By row, the number of its run with the first seed."""
        first = plan.settings.seeds[0]
        runs = enumerate(plan.runs)
        return {run.row: number for number, run in runs if run.experiment.seed == first}

    def _commons(self, plan: Plan) -> dict[str, Any]:
        data, weights = self.inputs.data, self.inputs.weights
        return {
            row: run_record.common_content(data[number]["hash"], self.device, weights[number])
            for row, number in self._numbers(plan).items()
        }

    def _refuse_without_validation(self, plan: Plan) -> None:
        for run, data in zip(plan.runs, self.inputs.data, strict=True):
            if run.experiment.train.is_undecided and "validation_images" not in data:
                raise QbenchError(
                    f"train.steps={AUTO}: {data['name']} has no validation images to decide on;"
                    " set data.validation, such as data.validation=0.1."
                )

    def _refuse_other_table(self, plan: Plan, decisions: set[str]) -> None:
        """Refuse a folder with runs that are not of this sweep, before hours are spent.

        Runs with a number from one of the decisions are of this sweep.
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
        mine = [one for one in told.get("decided", ()) if one["id"] in decisions]
        decided = {row for one in mine for row in one["rows"]}
        rows = [row for row in told["rows"] if row["label"] not in decided]
        if trained_in({"rows": rows}) - known:
            raise QbenchError(
                f"out={self.folder}: holds the table of another sweep, some of whose runs are not"
                " part of this one; choose another folder."
            )

    def _make(self, plan: Plan, left: Sequence[Trial]) -> None:
        """Make decisions."""
        decisions = Decisions(self.root, say)
        decisions.make_folder()
        decisions.forget_failures()
        most = plan.settings.auto.auto_most
        say(
            f"{plan.settings.study}: the first stage decides the number of steps of"
            f" {len(left)} float network{'s' if len(left) > 1 else ''}, at most {most:,} steps"
            f" each; results in {self.folder}"
        )
        left = by_data(left, lambda trial: trial.experiment)
        jobs = self._jobs(plan, left)
        self._list(plan, left)
        with job_files.cleared(self.root, [jobs]):
            ends = self.launch(job_files.write(self.root, jobs), self.folder)
            for end in ends:
                if end.how == "full":
                    raise DiskFull(end.message)
        failed = [
            (trial.label, (decisions.failure(trial.id) or {"message": end.message})["message"])
            for trial, end in zip(left, ends, strict=True)
            if decisions.read(trial.id) is None
        ]
        if failed:  # one that says why, before those that were not begun
            label, message = max(failed, key=lambda one: bool(one[1]))
            raise QbenchError(sentence(f"{label}: {message or 'its job left nothing'}"))

    def _jobs(self, plan: Plan, left: Sequence[Trial]) -> list[JobSpec]:
        numbers, rule = self._numbers(plan), plan.settings.auto
        jobs = []
        for trial in left:
            number = numbers[trial.rows[0]]
            job = unstarted(plan.settings.engine, trial.experiment, self.inputs, number, self.root)
            wanted = DecisionSpec(trial.id, rule, planned_key(trial.experiment, rule))
            name = f"steps-{trial.id}"
            jobs.append(
                replace(job, id=name, label=trial.label, device=self.device, decision=wanted)
            )
        return jobs

    def _list(self, plan: Plan, left: Sequence[Trial]) -> None:
        """Write what the sweep waits for, for `qbench status`."""
        content = {
            "schema": SCHEMA,
            "runs": layout.runs_seen_from(self.folder, self.root),
            "most": plan.settings.auto.auto_most,
            "decisions": [{"id": trial.id, "label": trial.label} for trial in left],
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
            f" {record['diverged'] + 1:,}, so nothing decides its number of steps; give it a"
            " number, or another train.learning_rate."
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
