"""The verb `evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.cli.commands.overrides import values_of
from qbench.engine.progress import remarks
from qbench.storage import layout, records
from qbench.storage import outputs as stored
from qbench.tasks.metric import validation_columns

if TYPE_CHECKING:
    from qbench.engine.finished import FinishedRun

HELP = """usage: qbench evaluate RUN [overrides]

Evaluates a finished run again from its saved weights, on the test set and on its validation images,
if it has such a part. RUN is its folder. If the results are the recorded ones and the run lacks
outputs.npz, this file is written; ensembles are computed from it. Nothing else is written.
Overrides may change the evaluation and the copy of the data: eval.batch_size, eval.limit, data.dir.

Exit code: 0 if the run could be evaluated, even if the results differ from the recorded ones.
"""

_CHANGEABLE = ("eval.batch_size", "eval.limit", "data.dir")


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if not arguments:
        raise QbenchError("qbench evaluate takes the folder of a run: qbench evaluate RUN.")
    from qbench.engine.finished import bring_back

    run = bring_back(given(arguments[0]), values_of(arguments[1:], _CHANGEABLE))
    from qbench.training.inference import run_test_set, run_validation

    outputs, targets = run_test_set(run.network, run.experiment, run.data)
    figures = run.data.task.checked_score(outputs, targets)
    recorded = dict(run.record["metrics"] or {})
    held_out = run_validation(run.network, run.experiment, run.data)
    if held_out:
        figures |= validation_columns(run.data.task.checked_score(*held_out))
        recorded |= validation_columns(run.record["validation"]["metrics"] or {})
    width = max(16, *map(len, figures))
    print(f"{'':<{width}} {'now':>12} {'recorded':>12}")
    for key, value in figures.items():
        old = f"{recorded[key]:12.4f}" if key in recorded else f"{'-':>12}"
        print(f"{key:<{width}} {value:12.4f} {old}")
    print("same as recorded" if figures == recorded else "differs from what is recorded")
    if figures == recorded:
        print(_keep(run, outputs, targets, held_out and held_out[0]), end="")
    for line in remarks([run.record["data"]]):
        print(line)
    return 0


def _keep(run: FinishedRun, outputs: Any, targets: Any, validation: Any) -> str:
    """Add the outputs to the run if it lacks them; returns a line about it, or nothing."""
    task = run.data.task
    kept = task.kept_outputs(outputs)
    if kept is None or stored.has(run.folder, records.read_record(run.folder)):
        return ""
    apart = None if validation is None else task.kept_outputs(validation)
    content = stored.outputs_file(kept, apart)
    try:
        done = stored.add(run.folder, content, task.predictions(outputs, targets))
    except OSError as error:
        return f"{layout.OUTPUTS} not written ({error.strerror})\n"
    return f"{layout.OUTPUTS} written\n" if done else ""
