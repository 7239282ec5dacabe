"""The contract of tasks: those that come along keep it, and whatever breaks it is said."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from keras import ops
from regression_task import Regression, spots

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.data import DATASETS, load
from qbench.tasks.classification import Classification
from qbench.tasks.metric import Metric
from qbench.tasks.task import Task
from qbench.testing import check_task

device.start(2)
IMAGES, POSITIONS = (values[:40] for values in spots(None)[:2])


def labels(classes: int) -> Any:
    return np.random.default_rng(0).integers(0, classes, len(IMAGES))


GOOD: dict[str, tuple[Task, Any, Any]] = {
    **{f"{n} classes": (Classification(n), labels(n), None) for n in (2, 3, 5, 6, 10, 1000)},
    "a column of labels": (Classification(3), labels(3)[:, np.newaxis].tolist(), None),
    "regression": (Regression(1), POSITIONS, None),
    "regression that is right": (Regression(1), POSITIONS, POSITIONS[:, np.newaxis] + 0.5),
}


@pytest.mark.parametrize(("task", "targets", "outputs"), GOOD.values(), ids=GOOD.keys())
def test_a_task_keeps_it(task: Task, targets: Any, outputs: Any) -> None:
    check_task(task, IMAGES, targets, outputs)


def test_strata_of_a_task_of_ones_own_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qbench.testing.task.check_import", lambda *_: None)
    check_task(changed(strata=lambda self, targets: targets > 3), IMAGES, POSITIONS)
    check_task(changed(strata=lambda self, targets: np.rint(targets)), IMAGES, POSITIONS)


def test_a_task_may_keep_no_outputs_or_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qbench.testing.task.check_import", lambda *_: None)
    check_task(changed(kept_outputs=lambda self, o: None), IMAGES, POSITIONS)
    check_task(changed(kept_outputs=lambda self, o: o.astype("f2")), IMAGES, POSITIONS)


METRIC = Regression.metrics[0]


def _apart(arrays: Any) -> Any:
    return np.abs(arrays["position"] - arrays["target"])


@pytest.mark.parametrize(
    ("per_image", "said"),
    [
        (lambda self, arrays: (METRIC, _apart(arrays)), None),
        (lambda self, arrays: (METRIC, _apart(arrays) * 2), "gives mean_absolute_error as"),
        (lambda self, arrays: (METRIC, _apart(arrays)[1:]), "expected bool or float of shape"),
        (lambda self, arrays: (replace(METRIC, unit="m"), _apart(arrays)), "not one of the"),
    ],
)
def test_values_of_single_images_make_the_metric(
    per_image: Any, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qbench.testing.task.check_import", lambda *_: None)
    if said is None:
        check_task(changed(per_image=per_image), IMAGES, POSITIONS)
        return
    with pytest.raises(AssertionError, match=said):
        check_task(changed(per_image=per_image), IMAGES, POSITIONS)


def changed(**parts: Any) -> Any:
    """The regression with parts of another kind, in this module."""
    return type("Changed", (Regression,), {"__module__": __name__, **parts})(1)


ERROR, LOSS = Regression.metrics
WHOLE = Regression(1)
RANDOM = np.random.default_rng(0)


def own(task: Any) -> int:
    """A hash that is no other instance's."""
    return id(task)


def _moved(self: Any, name: str, which: str, values: Any) -> Any:
    """Targets, after a change of the values that are given."""
    values *= 2
    return WHOLE.targets(name, which, values)


def _last(self: Any, outputs: Any, targets: Any) -> dict[str, float]:
    return {**WHOLE.score(outputs, targets), "mean_absolute_error": float(outputs[-1, 0])}


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no text": ({"identity": property(lambda self: 3)}, "identity is 3; expected a text"),
    "two lines": ({"output_name": "a\nb"}, r"output_name is 'a\\nb'; expected a word"),
    "given targets": ({"targets": _moved}, "targets changes the values that it is given"),
    "no targets in it": (
        {"loss": lambda self, o, t: ops.sum(ops.square(o), 1)},
        "the loss does not depend on the targets",
    ),
    "it fails": ({"loss": lambda self, o, t: {}["x"]}, "loss failed: KeyError: 'x'"),
    "score fails": ({"score": lambda self, o, t: {}["x"]}, "score failed: KeyError: 'x'"),
    "shape fails": ({"check_shape": lambda self, o: {}["x"]}, "check_shape failed: KeyError"),
    "last image": ({"score": _last}, "score gives another mean_absolute_error for the same images"),
    "file": ({"predictions": lambda self, o, t: {"../p": o}}, r"a prediction is called '\.\./p'"),
    "predictions in place": (
        {"predictions": lambda self, o, t: {"p": np.add(o, 1, out=o)}},
        "predictions changes the arrays",
    ),
    "always": (
        {"agree": lambda self, o, e: np.ones(len(o), bool)},
        "agree says that all outputs agree",
    ),
    "equal": (
        {"__eq__": lambda one, other: one is other, "__hash__": own},
        "two instances for the",
    ),
    "hash": ({"__hash__": own}, "two equal instances have different hashes"),
    "anything": ({"__eq__": lambda *_: True, "__hash__": lambda self: 1}, "equals any object"),
    "identity": (
        {"__init__": lambda self, outputs: vars(self).update(outputs=1), "identity": property(id)},
        "two equal instances have different identities",
    ),
    "a column": (
        {"metrics": (replace(ERROR, name="bits"), LOSS)},
        "is called bits, and so is a setting",
    ),
    "name": ({"output_name": " "}, "output_name is ' '; expected a word"),
    "decided": ({"decided": "by far"}, "decided is 'by far'; expected a text"),
    "no metrics": ({"metrics": ()}, "expected a first metric whose place"),
    "two of a name": ({"metrics": (ERROR, LOSS, LOSS)}, "is called loss, and so is something else"),
    "first": ({"metrics": (LOSS, ERROR)}, "expected a first metric whose place"),
    "list": ({"metrics": [ERROR, LOSS]}, "others when they are read back"),
    "NaN": ({"targets": lambda *given: given[-1].astype("f4")}, r"not numbers \(NaN\) are taken"),
    "a number": ({"targets": lambda *given: 1.0}, "targets gives float; expected an array"),
    "rows": ({"targets": lambda *given: np.zeros(3, "f4")}, "targets gives 3 rows of 40 images"),
    "moving": (
        {"targets": lambda *given: WHOLE.targets(*given[1:]) + 1},
        "what it returned itself",
    ),
    "strata": (
        {"strata": lambda self, targets: targets[1:]},
        r"of shape \(39,\); expected an array",
    ),
    "a stratum": (
        {"strata": lambda *given: 1},
        r"strata gives int of shape \(\); expected an array",
    ),
    "random strata": ({"strata": lambda self, t: RANDOM.integers(9, size=len(t))}, "other labels"),
    "shape": ({"check_shape": lambda *_: None}, r"outputs of shape \(None, 1, 3\) are taken"),
    "augmented": (
        {"augmented": lambda self, x, y, a: (x[:, :-1], y)},
        r"\(40, 7, 8, 1\); expected",
    ),
    "mean": ({"loss": lambda self, o, t: ops.mean(WHOLE.loss(o, t))}, "one for each example"),
    "flat": ({"loss": lambda self, o, t: 0 * o[:, 0]}, "gradient of the loss is zero"),
    "no gradient": ({"loss": lambda self, o, t: t}, "no gradient with respect to the outputs"),
    "infinite": ({"loss": lambda self, o, t: (o[:, 0] - t) / 0}, "the loss is not finite"),
    "others": (
        {"loss": lambda self, o, t: WHOLE.loss(o, t) - ops.mean(o)},
        "depends on other examples",
    ),
    "score": ({"score": lambda *_: {"loss": 1.0}}, r"score has \['loss'\]; its metrics are"),
    "numpy": (
        {"score": lambda self, *given: {k: np.float32(v) for k, v in WHOLE.score(*given).items()}},
        "gives mean_absolute_error as float32, no float",
    ),
    "not finite": (
        {"score": lambda *_: {"mean_absolute_error": float("nan"), "loss": 1.0}},
        "as nan; expected a finite number",
    ),
    "in place": (
        {"score": lambda self, o, t: WHOLE.score(o, np.subtract(t, 1, out=t))},
        "score changes the arrays",
    ),
    "half": (
        {"predictions": lambda self, o, t: {"position": o[::2]}},
        "does not have one row for each of 40",
    ),
    "wide": ({"predictions": lambda self, o, t: {"position": o + 0j}}, "is complex64"),
    "double": ({"predictions": lambda self, o, t: {"p": o.astype("f8")}}, "is float64; expected"),
    "large": ({"predictions": lambda self, o, t: {k: o for k in "abc"}}, "predictions have 480 b"),
    "never": ({"agree": lambda self, o, e: (o != e)[:, 0]}, "do not agree with themselves"),
    "numbers": ({"agree": lambda self, o, e: o[:, 0]}, "agree gives float32"),
    "together": ({"agree": lambda self, o, e: True}, r"bool of shape \(\); expected"),
    "margins": ({"margins": lambda self, o: -np.ones(40)}, "margins are negative"),
    "kept": ({"kept_outputs": lambda self, o: o[1:]}, "kept_outputs does not give numbers, one"),
    "kept wider": ({"kept_outputs": lambda self, o: o.astype("f8")}, "gives more bytes than the"),
    "combined in place": (
        {"combined": lambda self, given: np.add(*given[:2], out=given[0])},
        "combined changes the arrays",
    ),
    "combined rows": ({"combined": lambda self, given: np.mean(given, 1)}, "gives float32 of sh"),
    "combined wide": (
        {"combined": lambda self, given: np.mean(given, 0, "f8")},
        "position is float64",
    ),
    "order": ({"combined": lambda self, given: given[0]}, "depends on the order of the networks"),
    "other images": (
        {"combined": lambda self, given: WHOLE.combined(given) - WHOLE.combined(given).mean()},
        "combined output depends on other images",
    ),
    "few margins": ({"margins": lambda self, o: np.ones(3)}, r"shape \(3,\); expected \(40,\)"),
}


@pytest.mark.parametrize(("parts", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_whatever_breaks_it_is_said(
    parts: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qbench.testing.task.check_import", lambda *_: None)
    with pytest.raises(AssertionError, match=says):
        check_task(changed(**parts), IMAGES, POSITIONS)


def test_a_module_that_imports_tensorflow_is_said(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported in a process of its own, where another tensorflow is found."""
    (tmp_path / "tensorflow.py").touch()
    (tmp_path / "heavy_task.py").write_text(
        "import tensorflow\nimport regression_task\nclass Heavy(regression_task.Regression): pass"
    )
    monkeypatch.syspath_prepend(tmp_path)
    heavy: Any = importlib.import_module("heavy_task")
    with pytest.raises(AssertionError, match="importing heavy_task imports tensorflow; import"):
        check_task(heavy.Heavy(1), IMAGES, POSITIONS)


def test_an_identity_of_one_process_is_said(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "moving_task.py").write_text(
        "import os\nimport regression_task\nclass Moving(regression_task.Regression):\n"
        "    identity = property(lambda self: str(os.getpid()))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    moving: Any = importlib.import_module("moving_task")
    with pytest.raises(AssertionError, match=r"identity is '\d+' in another process, and '\d+' he"):
        check_task(moving.Moving(1), IMAGES, POSITIONS)


def test_a_class_is_no_task() -> None:
    wrong: Any = Regression
    with pytest.raises(AssertionError, match="is of type ABCMeta; expected an instance of Task"):
        check_task(wrong, IMAGES, POSITIONS)


class Weighted(Classification):
    """Classification with a weight, and so with another loss."""

    def __init__(self, outputs: int, weight: float = 1.0) -> None:
        super().__init__(outputs)
        self.weight = weight


def test_data_of_another_task_are_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are found by the hash; a task that adds to one that comes along is another one."""
    digits, kinds = DATASETS["digits"], (Classification, Weighted, partial(Weighted, weight=2.0))
    hashes = []
    for task in kinds:
        monkeypatch.setitem(DATASETS._items, "digits", replace(digits, task=task))
        load.cache_clear()
        hashes.append(load("digits", None).hash)
    load.cache_clear()
    assert len(set(hashes)) == 3
    assert hashes[0].startswith("d53a0d42f46b")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_score_that_no_record_can_hold_is_said(value: float | None) -> None:
    task = changed(score=lambda self, *given: {"mean_absolute_error": 1.0, "loss": value})
    said = f"task regression: score gives loss as {value}; expected a finite number"
    with pytest.raises(QbenchError, match=said):
        task.checked_score(np.zeros((2, 1), "f4"), np.zeros(2, "f4"))


def test_scores_are_in_the_order_of_the_metrics_as_plain_numbers() -> None:
    found = {"loss": np.float32(1), "beside": "text", "mean_absolute_error": np.float64(2)}
    given = np.zeros((2, 1), "f4"), np.zeros(2, "f4")
    score = changed(score=lambda self, *given: found).checked_score(*given)
    assert json.dumps(score) == '{"mean_absolute_error": 2.0, "loss": 1.0}'


def test_records_read_metrics_without_the_task() -> None:
    assert Metric.from_config(ERROR.as_config()) == ERROR
    assert ERROR.heading == "mean absolute error px"
