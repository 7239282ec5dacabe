"""The verb `evaluate`."""

from __future__ import annotations

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.cli.commands.overrides import values_of
from qbench.engine.progress import remarks
from qbench.tasks.metric import validation_columns

HELP = """usage: qbench evaluate RUN [overrides]

Evaluates a finished run again from its saved weights, on the test set and on its validation images,
if it has such a part. RUN is its folder. Nothing is written.
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

    figures = run.data.task.checked_score(*run_test_set(run.network, run.experiment, run.data))
    recorded = dict(run.record["metrics"] or {})
    if held_out := run_validation(run.network, run.experiment, run.data):
        figures |= validation_columns(run.data.task.checked_score(*held_out))
        recorded |= validation_columns(run.record["validation"]["metrics"] or {})
    width = max(16, *map(len, figures))
    print(f"{'':<{width}} {'now':>12} {'recorded':>12}")
    for key, value in figures.items():
        old = f"{recorded[key]:12.4f}" if key in recorded else f"{'-':>12}"
        print(f"{key:<{width}} {value:12.4f} {old}")
    print("same as recorded" if figures == recorded else "differs from what is recorded")
    for line in remarks([run.record["data"]]):
        print(line)
    return 0
