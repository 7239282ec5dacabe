"""Checks, before anything trains, that one table can hold the metrics of a plan's rows."""

from __future__ import annotations

from collections.abc import Iterable

from qbench.base.errors import QbenchError
from qbench.data import DATASETS
from qbench.planning.factors import COLUMNS
from qbench.planning.settings import SETTINGS
from qbench.tasks.metric import check_alike, check_metrics
from qbench.tasks.task import Task

# Names of other columns. Tables of differences have columns for settings without a dot, too.
_TAKEN = {s.column for s in COLUMNS} | {s.key for s in SETTINGS if not s.group}


def check_table(names: Iterable[str]) -> None:
    """Check that one table can hold the metrics of these data sets.

    Args:
        names: the registered names of the data sets.

    Raises:
        QbenchError: a name is not registered, the data sets have different metrics, or a metric
            has the name of a column or of a setting.
    """
    tasks = {name: DATASETS[name].make_task() for name in dict.fromkeys(names)}
    for task in tasks.values():
        check_columns(task)
    check_alike(
        f"data.name={','.join(tasks)}", [(name, task.metrics) for name, task in tasks.items()]
    )


def check_columns(task: Task) -> None:
    """Check that tables can have a column for each metric of a task.

    Raises:
        QbenchError: `check_metrics` refuses a metric, or a metric has the name of a column or of a
            setting.
    """
    check_metrics(task.name, task.metrics)
    for metric in task.metrics:
        if metric.name in _TAKEN:
            raise QbenchError(
                f"task {task.name}: a metric is called {metric.name}, and so is a setting or its"
                f" column; taken are {', '.join(sorted(_TAKEN))}."
            )
