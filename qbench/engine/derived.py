"""Evaluates derived runs from the files of their members, without TensorFlow."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError, disk_full
from qbench.base.reasons import summary
from qbench.config.experiment import Experiment
from qbench.data import Dataset, load_chosen, split
from qbench.engine import run_record
from qbench.engine.progress import figures_line, say
from qbench.engine.resolve import ResolvedDerived, ResolvedPlan, by_data
from qbench.planning.derived import DERIVED, Kind, Member
from qbench.storage import layout, records
from qbench.storage.outputs import TEST, VALIDATION, outputs_file

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
        members = _members(resolved, one, root)
        if members is not None:
            records.set_aside_outdated(root, one.id, partial(_is_current, members), say)
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


def _is_current(members: list[Member], record: Mapping[str, Any]) -> bool:
    """Whether a derived run was computed from the results that its members have now.

    They have others if they were trained again where training does not repeat to the bit.
    """
    now = {member.record["run"]: member.record["files"] for member in members}
    return all(
        now[run].get(file, checksum) == checksum
        for run, files in record.get("member_files", {}).items()
        for file, checksum in files.items()
    )


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
    record = run_record.header(
        experiment, one.id, first["data"], first["device"], first.get("code")
    )
    record |= {"seed": None, "steps": {"float": 0, "quantized": 0}, "derived": content}
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
    """Compute a derived run; add its results to the record, return its other files."""
    whole = load_chosen(experiment.data)
    for member in members:
        if member.record["data"]["hash"] != whole.hash:
            raise QbenchError(
                f"data.dir={experiment.data.dir}: the data are not those of its members."
            )
        run_record.check_part(experiment, whole, member.record["data"])
    data, apart = split(whole, experiment.data), None
    record["size"] = kind.size([member.record["size"] for member in members])
    targets = data.test_labels[: experiment.eval.limit]
    outputs = _outputs(kind, members, data, TEST, len(targets))
    metrics = data.task.checked_score(outputs, targets)
    if data.validation is not None:
        held_out = data.validation[1]
        apart = _outputs(kind, members, data, VALIDATION, len(held_out))
        record["validation"]["metrics"] = data.task.checked_score(apart, held_out)
    record["metrics"] = metrics
    record["member_files"] = {
        member.record["run"]: {file: member.record["files"][file] for file in kind.needs}
        for member in members
    }
    predictions = data.task.predictions(outputs, targets)
    return {"predictions": predictions, "outputs": outputs_file(outputs, apart)}


def _outputs(
    kind: Kind, members: list[Member], data: Dataset, part: str, expected: int
) -> NDArray[Any]:
    """The outputs of a derived run for a part of the data; QbenchError if they cannot be scored."""
    outputs, name = kind.outputs(members, data, part), data.task.output_name
    images = "test" if part == TEST else "validation"
    if len(outputs) != expected:
        raise QbenchError(f"it has {name} of {len(outputs)} {images} images; expected {expected}.")
    if not np.all(np.isfinite(outputs)):
        where = "" if part == TEST else " for the validation images"
        raise QbenchError(f"its {name}{where} are not finite.")
    return outputs
