"""Metrics that share no table are refused while a sweep is planned, before anything trains."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.data import DATASETS, DataChoice
from qbench.deploy.lite import KERNELS
from qbench.planning.factors import COLUMNS
from qbench.planning.table_metrics import check_columns, check_table
from qbench.tasks.classification import Classification
from qbench.tasks.metric import TAKEN_STARTS, Metric


class Named(Classification):
    """Classification whose metric is called otherwise."""

    name = "named"
    metric = Metric("hits", "hits", "%", 2, higher_is_better=True, place="first")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """One alone."""
        return (self.metric,)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """`data.name=named`, whose metrics are others, and `few`, whose recall has another k."""
    digits = DATASETS["digits"]
    monkeypatch.setitem(DATASETS._items, "named", replace(digits, task=Named))
    monkeypatch.setitem(DATASETS._items, "few", replace(digits, classes=3))


@pytest.mark.parametrize("verb", ["plan", "sweep"])
def test_data_with_other_metrics_share_no_sweep(
    verb: str, others: None, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [verb, "design=networks", "data.name=digits,named", f"out={tmp_path}"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.startswith("qbench: data.name=digits,named: digits has accuracy in %, ")
    assert "; named has hits in %; expected data with the same metrics" in said
    assert list(tmp_path.rglob("record.json")) == []


def test_recall_of_another_k_is_another_metric(others: None) -> None:
    check_table(map(DataChoice, ["digits", "digits", "mnist"]))
    with pytest.raises(QbenchError, match=r"recall_at_5 in .*few has accuracy in %, recall_at_2"):
        check_table(map(DataChoice, ["digits", "few"]))


def test_a_data_set_that_nobody_knows_is_said_by_the_plan(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", "data.name=digit"]) == 2
    assert "data.name=digit is not known; allowed: cifar10, csv, digits" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*(str(one.column) for one in COLUMNS), "threads", "seed"])
def test_a_metric_is_called_nothing_that_a_setting_is_called_in_tables(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Named, "metric", replace(Named.metric, name=name))
    with pytest.raises(QbenchError, match=f"^task named: a metric is called {name}, and so is"):
        check_columns(Named(10))


def test_no_metric_looks_like_one_on_a_kernel_path() -> None:
    assert {f"{path}_" for path in KERNELS} <= set(TAKEN_STARTS)


def test_the_check_imports_no_tensorflow() -> None:
    code = (
        "import sys; from qbench.planning.table_metrics import check_table;"
        " from qbench.data import DataChoice;"
        " check_table(map(DataChoice, ['digits', 'mnist']));"
        " print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
