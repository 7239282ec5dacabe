"""Evaluates derived runs from the files of their members, without TensorFlow."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import numpy as np

from qbench.base.errors import QbenchError, disk_full
from qbench.base.reasons import summary
from qbench.config.experiment import Experiment
from qbench.data import load_chosen
from qbench.engine import run_record
from qbench.engine.progress import figures_line, say
from qbench.engine.resolve import ResolvedDerived, ResolvedPlan, by_data
from qbench.planning.derived import DERIVED, Kind, Member
from qbench.storage import layout, records
from qbench.storage.outputs import outputs_file

# What to do first if a file of a member is missing, by its name.
_REMEDY = {layout.OUTPUTS: "`qbench evaluate RUN` writes it if the weights are there; else "}
_AGAIN = "remove the folder of such a run, and the same sweep trains it again"


def evaluate_derived(resolved: ResolvedPlan, root: Path) -> None:
    """Evaluate every derived run that is not finished and whose members all have a record.

    A derived run that cannot be evaluated gets a record with the status `failed` and the reason;
    the next call tries it again.

    Args:
        resolved: the plan.
        root: holds `runs/`.

    Raises:
        DiskFull: there is no room for the results.
    """
    waiting: dict[str, ResolvedDerived] = {}
    for one in resolved.derived:
        records.set_aside_damaged(root, one.id, say)
        if not records.finished(root, one.id):
            waiting.setdefault(one.id, one)

    def experiment(one: ResolvedDerived) -> Experiment:
        return resolved.plan.runs[one.members[0]].experiment

    for one in by_data(waiting.values(), experiment):
        members = _members(resolved, one, root)
        if members is not None:
            _evaluate(one, experiment(one), _names(resolved, one), members, root)


def _members(resolved: ResolvedPlan, one: ResolvedDerived, root: Path) -> list[Member] | None:
    """The members of a derived run; None if a member has no record."""
    found = []
    for number in one.members:
        run = resolved.ids[number]
        try:
            record = records.existing_record(root, run)
        except records.DamagedRun:
            record = None
        if record is None:
            return None
        found.append(Member(layout.run_folder(root, run), record))
    return found


def _names(resolved: ResolvedPlan, one: ResolvedDerived) -> list[str]:
    """The names of the members for messages."""
    return [
        f"{label} seed {seed} (run {resolved.ids[number]})"
        for (label, seed), number in zip(one.run.members, one.members, strict=True)
    ]


def _evaluate(
    one: ResolvedDerived,
    experiment: Experiment,
    names: list[str],
    members: list[Member],
    root: Path,
) -> None:
    """Evaluate a derived run and write its record."""
    content = one.row.content([member.record["run"] for member in members])
    first = members[0].record
    record = run_record.header(experiment, one.id, first["data"], first["device"])
    record |= {"seed": None, "steps": {"float": 0, "quantized": 0}, "derived": content}
    record.pop("validation", None)  # runs keep outputs for the test set only
    kind, clock = DERIVED[one.row.kind], run_record.Clock()
    files: dict[str, Any] = {}
    try:
        _check(kind, names, members)
        files = _results(kind, experiment, members, record)
    except Exception as error:
        if full := disk_full(error):
            raise full from error
        failure = {"message": str(error)}
        if not isinstance(error, QbenchError):
            failure = {"message": summary(error), "traceback": traceback.format_exc()}
        record |= {"status": "failed", "error": failure}
    record["seconds"] = {"evaluate": clock.lap()}
    record["finished"] = run_record.now()
    records.write_run(root, one.id, config=content, record=record, **files)
    say(f"{one.run.label:<40} {figures_line(record)}")


def _check(kind: Kind, names: list[str], members: list[Member]) -> None:
    """Check that all members ended well and have the files that the kind needs.

    Raises:
        QbenchError: they have not; the message names the members.
    """
    for name, member in zip(names, members, strict=True):
        status = member.record["status"]
        if status != "ok":
            reason = member.record["error"]["message"]
            raise QbenchError(f"its member {name} {status}: {reason}")
        if layout.OUTPUTS in kind.needs and not member.record.get("keeps_outputs", True):
            raise QbenchError(f"its member {name} has no {layout.OUTPUTS}: its task keeps none.")
    for file in kind.needs:
        lacking = [
            name
            for name, member in zip(names, members, strict=True)
            if file not in member.record["files"] or not (member.folder / file).is_file()
        ]
        if lacking:
            raise QbenchError(
                f"{file} is missing in its members {', '.join(lacking)};"
                f" {_REMEDY.get(file, '')}{_AGAIN}."
            )


def _results(
    kind: Kind, experiment: Experiment, members: list[Member], record: run_record.Record
) -> dict[str, Any]:
    """Compute a derived run; add its metrics and size to the record, return its other files."""
    data = load_chosen(experiment.data)
    if any(member.record["data"]["hash"] != data.hash for member in members):
        raise QbenchError(f"data.dir={experiment.data.dir}: the data are not those of its members.")
    targets = data.test_labels[: experiment.eval.limit]
    outputs = kind.outputs(members, data)
    if len(outputs) != len(targets):
        raise QbenchError(
            f"it has {data.task.output_name} of {len(outputs)} test images; expected"
            f" {len(targets)}."
        )
    if not np.all(np.isfinite(outputs)):
        raise QbenchError(f"its {data.task.output_name} are not finite.")
    record["metrics"] = data.task.checked_score(outputs, targets)
    record["size"] = kind.size([member.record["size"] for member in members])
    predictions = data.task.predictions(outputs, targets)
    return {"predictions": predictions, "outputs": outputs_file(outputs)}
