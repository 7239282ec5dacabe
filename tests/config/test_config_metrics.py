"""Metrics are named in `tasks/` alone; whatever else shows one reads what the task says of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import qbench
from qbench.base.errors import QbenchError
from qbench.data import DATASETS, Source
from qbench.tasks.classification import Classification
from qbench.tasks.metric import TAKEN, TAKEN_STARTS, Metric, check_alike, check_metrics
from qbench.tasks.recorded import metrics_of, recorded

ROOT = Path(qbench.__file__).parent
OF_ONE_TASK = re.compile("accuracy|recall|argmax|cross_entropy", re.IGNORECASE)


def _words(source: str) -> Iterator[str]:
    """Every string and every name of a module."""
    for node in ast.walk(ast.parse(source)):
        for _, value in ast.iter_fields(node):
            found = value if isinstance(value, list) else [value]
            yield from (one for one in found if isinstance(one, str))


@pytest.mark.parametrize(
    "source",
    [
        *('x = {"accuracy": 2}', 'f"{y} recall@5 %"', "row.accuracy", "accuracy(3)"),
        *("f(accuracy=1)", "def f(accuracy): ...", "import numpy.argmax", "'''Accuracy.'''"),
        *("from m import recall as r", "class Accuracy: ...", "tf.cross_entropy()"),
    ],
)
def test_a_name_is_found_wherever_it_stands(source: str) -> None:
    assert any(map(OF_ONE_TASK.search, _words(source)))


def test_no_metric_is_named_outside_tasks() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] != "tasks"
        for word in _words(path.read_text())
        if OF_ONE_TASK.search(word)
    ]
    assert found == []


def test_records_say_all_that_a_report_reads_of_a_task() -> None:
    task = Classification(3)
    data = {"task": task.as_record()}
    assert metrics_of(data) == task.metrics
    found = recorded(data)
    assert (found.name, found.output_name) == (task.name, task.output_name)
    assert (found.prediction_name, found.loss_name) == (task.prediction_name, task.loss_name)


@pytest.mark.parametrize("data", [None, {}, {"name": "digits"}])
def test_records_that_say_no_task_are_of_classification(data: dict[str, str] | None) -> None:
    assert metrics_of(data) == Classification(10).metrics
    assert [metric.name for metric in metrics_of(data)] == [
        *("accuracy", "recall_at_5", "recall_macro", "precision_macro", "loss")
    ]


def test_the_data_sets_that_are_shipped_share_a_table() -> None:
    entries = [(name, DATASETS[name]) for name in DATASETS.names()]
    sources = [(name, one) for name, one in entries if isinstance(one, Source)]
    check_alike("data", [(name, one.make_task().metrics) for name, one in sources])


@pytest.mark.parametrize(
    "name",
    sorted(
        TAKEN
        | {"x_std", "x_mb", "", "A", "a/b", "1a", "a b", "twice"}
        | {f"{start}twice" for start in TAKEN_STARTS}
    ),
)
def test_what_is_no_name_of_a_metric(name: str) -> None:
    """An `error` beside what was measured says that nothing could be, for one."""
    metrics = [Metric(one, one, "", 2, True, "first") for one in ("twice", name)]
    with pytest.raises(QbenchError, match=f"^task mine: a metric is called '?{name}'?[,;]"):
        check_metrics("mine", metrics)


@pytest.mark.parametrize("metrics", [[], [Metric("one", "one", "", 2, True)]])
def test_a_first_metric_leads(metrics: list[Metric]) -> None:
    with pytest.raises(QbenchError, match=r"^task mine: expected a first metric"):
        check_metrics("mine", metrics)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"label": ""}, "has label ''; expected one line of 1 to 40 letters"),
        ({"label": " x"}, "has label ' x'; expected one line of 1 to 40 letters"),
        ({"label": "x" * 41}, "has label 'x+'; expected one line of 1 to 40 letters"),
        ({"unit": "a\nb"}, r"has unit 'a\\nb'; expected one line of 0 to 20 letters"),
        ({"label": "one"}, "has the heading 'one %', and so has another one"),
        ({"place": "later"}, "has place 'later'; expected first, table, file"),
        ({"digits": -1}, "has digits -1; expected a whole number, 0 or up"),
        ({"digits": 2.0}, r"has digits 2\.0; expected a whole number, 0 or up"),
    ],
    ids=["no", "blank", "long", "lines", "heading", "place", "negative", "fraction"],
)
def test_what_tables_cannot_show_of_a_metric(parts: dict[str, Any], says: str) -> None:
    first = Metric("one", "one", "%", 2, higher_is_better=True, place="first")
    changed = replace(first, **({"name": "other", "label": "other"} | parts))
    with pytest.raises(QbenchError, match=f"^task mine: metric (one|other) {says}"):
        check_metrics("mine", [first, changed])


def test_a_task_is_checked_before_a_record_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so before anything trains."""
    metrics = Classification(10).metrics
    monkeypatch.setattr(Classification, "metrics", (replace(metrics[0], name="error"),))
    with pytest.raises(QbenchError, match=r"^task classification: a metric is called error"):
        Classification(10).as_record()


LOSS = Metric("loss", "loss", "", 4, higher_is_better=False)


@pytest.mark.parametrize(
    "other",
    [
        (),
        (Metric("error_rate", "loss", "", 4, higher_is_better=False),),
        (Metric("loss", "loss", "nats", 4, higher_is_better=False),),
        (Metric("loss", "loss", "", 4, higher_is_better=True),),
    ],
    ids=["none", "name", "unit", "direction"],
)
def test_data_with_different_metrics_share_no_table(other: tuple[Metric, ...]) -> None:
    check_alike("data", [("one", (LOSS,)), ("two", (LOSS,))])
    check_alike("data", [])
    with pytest.raises(QbenchError, match=r"^data\.name=one,two: one has loss; two has "):
        check_alike("data.name=one,two", [("one", (LOSS,)), ("two", other)])
