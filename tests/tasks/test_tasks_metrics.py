"""Metrics as data: their names and headings, what they share a table with, what records keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.tasks.classification import Classification, cross_entropy, figures
from qbench.tasks.metric import TAKEN, Metric, check_alike, check_metrics, leading
from qbench.tasks.recorded import Recorded, metrics_of, recorded

FIRST = Metric("error", "mean error", "px", 2, False, "first", "A note.")
LOSS = Metric("loss", "loss", "", 4, False)
SECOND = replace(FIRST, name="spread")


def test_a_heading_is_the_label_and_the_unit_if_there_is_one() -> None:
    assert [FIRST.heading, LOSS.heading] == ["mean error px", "loss"]
    assert [FIRST.show(1.005), LOSS.show(0.5)] == ["1.00", "0.5000"]


def test_leading_metrics_are_those_whose_place_is_first() -> None:
    assert leading([FIRST, LOSS, SECOND, replace(LOSS, place="file")]) == (FIRST, SECOND)


ALL_TAKEN = (
    "agreement, configuration, derived, difference, difference_high, difference_low, error, export,"
    " export_note, interval, largest_difference, mean_difference, members, n_deployed, n_seeds,"
    " quantized, run, seconds, seed, status, steps_float, steps_quantized, verdict, what ends in"
    " _std or _mb, and what starts with float_ or deployed_ or xnnpack_ or builtin_ or reference_"
    " or validation_."
)


@pytest.mark.parametrize("name", [*sorted(TAKEN), "loss_std", "size_mb", "float_loss", "spread"])
def test_a_name_that_something_else_has_is_refused(name: str) -> None:
    first = replace(FIRST, name="spread")
    with pytest.raises(QbenchError) as error:
        check_metrics("mine", [first, replace(LOSS, name=name)])
    assert str(error.value) == (
        f"task mine: a metric is called {name}, and so is something else in its tables; taken are"
        f" {ALL_TAKEN}"
    )


@pytest.mark.parametrize("name", ["", "Loss", "2nd", "_loss", "top-5", "loss ", "lo.ss"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(QbenchError) as error:
        check_metrics("mine", [SECOND, replace(LOSS, name=name)])
    assert str(error.value) == (
        f"task mine: a metric is called {name!r}; expected lower-case letters, digits and"
        " underscores, a letter first."
    )


@pytest.mark.parametrize("name", ["f1", "a", "seconds_of_arc", "std", "mean_absolute_error"])
def test_other_names_are_taken_as_they_are(name: str) -> None:
    check_metrics("mine", [SECOND, replace(LOSS, name=name)])


@pytest.mark.parametrize("metrics", [(), (LOSS,), (LOSS, SECOND)])
def test_a_first_metric_leads(metrics: tuple[Metric, ...]) -> None:
    with pytest.raises(QbenchError) as error:
        check_metrics("mine", metrics)
    assert str(error.value) == "task mine: expected a first metric whose place is `first`."


def test_rows_of_a_table_may_differ_in_words_alone() -> None:
    other = replace(FIRST, label="error", digits=3, note="", place="table")
    check_alike("here", [("a", (FIRST, LOSS)), ("b", (other, LOSS)), ("a", (FIRST, LOSS))])
    check_alike("here", [])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(FIRST, unit=""), "error, loss"),
        (replace(FIRST, name="spread"), "spread in px, loss"),
        (replace(FIRST, higher_is_better=True), "error in px, loss"),
    ],
    ids=["unit", "name", "direction"],
)
def test_rows_with_other_metrics_share_no_table(other: Metric, said: str) -> None:
    metrics = [("a", (FIRST, LOSS)), ("b", (other, LOSS)), ("c", (FIRST, LOSS))]
    with pytest.raises(QbenchError) as error:
        check_alike("design.levels", metrics)
    assert str(error.value) == (
        f"design.levels: a has error in px, loss; b has {said}; expected data with the same"
        " metrics, since they share a table: make a sweep of each."
    )


def test_a_record_is_made_of_metrics_that_a_table_can_hold() -> None:
    class Wrong(Classification):
        name = "wrong"
        metrics: Any = (LOSS,)

    with pytest.raises(QbenchError, match="task wrong: expected a first metric"):
        Wrong(10).as_record()


@pytest.mark.parametrize("data", [None, {}, {"hash": "0"}], ids=["none", "empty", "older"])
def test_a_record_without_a_task_is_of_ten_classes(data: dict[str, Any] | None) -> None:
    metrics = Classification(10).metrics
    names = ("classification", "logits", "class", "softmax cross-entropy")
    assert recorded(data) == Recorded(*names, metrics)
    assert metrics_of(data) == metrics


def test_a_record_with_a_task_is_read_back() -> None:
    data = {"hash": "0", "task": Classification(3).as_record()}
    assert metrics_of(data) == Classification(3).metrics != Classification(10).metrics


@pytest.mark.parametrize(("classes", "kind"), [(3, "u1"), (256, "u1"), (257, "u2")])
def test_what_is_kept_of_outputs_is_as_small_as_it_can_be(classes: int, kind: str) -> None:
    outputs = np.tile(np.arange(classes, dtype=np.float32), (2, 1))
    labels = np.array([0, classes - 1])
    kept = Classification(classes).predictions(outputs, labels)
    assert {key: array.dtype for key, array in kept.items()} == dict.fromkeys(
        ("label", "predicted", "rank"), np.dtype(kind)
    )
    assert {key: array.tolist() for key, array in kept.items()} == {
        "label": [0, classes - 1],
        "predicted": [classes - 1] * 2,
        "rank": [classes - 1, 0],
    }


def test_the_margin_is_between_the_two_largest_logits() -> None:
    two, four = np.array([[1.0, 4.0], [2.0, 2.0]]), np.array([[5.0, -3.0, 9.0, 4.0]])
    margins = [Classification(n).margins(values) for n, values in ((2, two), (4, four))]
    assert [list(found) for found in margins if found is not None] == [[3.0, 0.0], [4.0]]
    assert Classification(1).margins(np.zeros((2, 1))) is None


def test_each_row_of_logits_is_scaled_by_itself() -> None:
    logits = np.array([[1e4, 1e4], [-1e4, -1e4]])
    assert cross_entropy(logits, np.array([0, 1])) == pytest.approx(np.log(2))


def test_a_class_that_is_never_predicted_has_no_precision_whatever_lay_in_memory() -> None:
    used = [np.full(100, np.nan) for _ in range(50)]
    del used
    zeros = np.zeros(4, np.int64)
    assert figures(zeros, zeros, zeros, 100)["precision_macro"] == 1.0
