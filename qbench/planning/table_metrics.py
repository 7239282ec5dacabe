"""Whether one table can hold the metrics of a plan's rows: said before anything trains."""

from __future__ import annotations

from collections.abc import Iterable

from qbench.base.errors import QbenchError
from qbench.data import DATASETS
from qbench.planning.factors import COLUMNS
from qbench.planning.settings import SETTINGS
from qbench.tasks.metric import check_alike, check_metrics
from qbench.tasks.task import Task

# Settings without a dot are called in tables of differences what a metric could be called.
_TAKEN = {s.column for s in COLUMNS} | {s.key for s in SETTINGS if not s.group}


def check_table(names: Iterable[str]) -> None:
    """See that one table can hold the metrics of these data sets.

    Args:
        names: of the data sets, as registered.

    Raises:
        QbenchError: one is not known, their metrics differ, or a metric is called what a column or
            a setting is.
    """
    tasks = {name: DATASETS[name].make_task() for name in dict.fromkeys(names)}
    for task in tasks.values():
        check_columns(task)
    check_alike(
        f"data.name={','.join(tasks)}", [(name, task.metrics) for name, task in tasks.items()]
    )


def check_columns(task: Task) -> None:
    """See that tables have columns for all metrics of a task beside those of settings.

    Raises:
        QbenchError: a metric is called what something else in them is.
    """
    check_metrics(task.name, task.metrics)
    for metric in task.metrics:
        if metric.name in _TAKEN:
            raise QbenchError(
                f"task {task.name}: a metric is called {metric.name}, and so is a setting or its"
                f" column; taken are {', '.join(sorted(_TAKEN))}."
            )
