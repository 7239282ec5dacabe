"""Checks, before anything trains, that one table can hold the metrics of a plan's rows."""

from __future__ import annotations

from collections.abc import Iterable

from qbench.base.errors import QbenchError
from qbench.data import Chosen, source_of
from qbench.planning.factors import COLUMNS
from qbench.planning.settings import SETTINGS
from qbench.tasks.metric import check_alike, check_metrics
from qbench.tasks.task import Task

# Names of other columns. Tables of differences have columns for settings without a dot, too.
_TAKEN = {s.column for s in COLUMNS} | {s.key for s in SETTINGS if not s.group}


def check_table(chosen: Iterable[Chosen]) -> None:
    """Check that one table can hold the metrics of these data sets.

    Args:
        chosen: the settings of the data sets.

    Raises:
        QbenchError: a data set cannot be used, the data sets have different metrics, or a metric
            has the name of a column or of a setting.
    """
    tasks = list(dict.fromkeys((one.name, source_of(one).make_task()) for one in chosen))
    for _, task in tasks:
        check_columns(task)
    names = dict.fromkeys(name for name, _ in tasks)
    check_alike(f"data.name={','.join(names)}", [(name, task.metrics) for name, task in tasks])


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
