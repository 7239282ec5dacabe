"""A task of somebody's own, used as a user does: nothing but its module says what it is."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from regression_task import Regression

from qbench.cli.main import main
from qbench.data import DATASETS
from qbench.training import loop

OWN = [
    *("study=digits", "data.name=spots", "data.preprocessing=inception", "model.name=small"),
    "threads=2",
]
# Processes of joblib that other tests have started do not know the task.
OWN += ["workers=1"]
SMALL = [*OWN, "train.steps=60", "train.learning_rate=0.02"]
# Baseline, default and four bits.
ROWS = ["quant=deploy", "design.factors=[quant.bits]", "quant.bits=8,4", "deploy.enabled=true"]
TASK = Regression(1).as_record()


@pytest.fixture(scope="module")
def sweep(spots: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep of three rows, trained and converted in workers."""
    folder = tmp_path_factory.mktemp("sweep")
    assert main(["sweep", *SMALL, *ROWS, f"out={folder}"]) == 0
    return folder


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def run_of(sweep: Path, label: str) -> Path:
    """The folder of a row's run."""
    (row,) = [row for row in read(sweep / "manifest.json")["rows"] if row["label"] == label]
    return sweep / "runs" / str(row["runs"][0]["id"])


def test_records_say_the_tasks_own_metrics(sweep: Path) -> None:
    for label in ("baseline", "default", "quant.bits=4"):
        record = read(run_of(sweep, label) / "record.json")
        assert (record["status"], record["data"]["task"]) == ("ok", TASK)
        assert set(record["metrics"]) == {"mean_absolute_error", "loss"}
        with np.load(run_of(sweep, label) / "predictions.npz") as stored:
            apart = np.abs(stored["position"].astype(np.float64) - stored["target"])
        assert record["metrics"]["mean_absolute_error"] == float(apart.mean())
    # It learnt something: the middle of the image is 1.25 pixels away on average.
    baseline = read(run_of(sweep, "baseline") / "record.json")["metrics"]
    assert baseline["mean_absolute_error"] < 0.6


def test_tables_figures_and_page_are_of_them(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(sweep)]) == 0
    printed = capsys.readouterr().out
    assert "mean absolute error px" in printed
    with (sweep / "table.csv").open() as file:
        rows = {row["configuration"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["baseline", "default", "quant.bits=4"]
    for label, row in rows.items():
        (error, loss) = read(run_of(sweep, label) / "record.json")["metrics"].values()
        report = read(run_of(sweep, label) / "deploy.json")["kernels"]["xnnpack"]
        expected = [error, loss, report["mean_absolute_error"]]
        columns = ("mean_absolute_error", "loss", "deployed_mean_absolute_error")
        assert [float(row[key]) for key in columns] == pytest.approx(expected, abs=1e-6)
    texts = [printed, *((sweep / name).read_text() for name in ("table.md", "report.html"))]
    for text in texts:
        assert "mean absolute error" in text
        assert not re.search(r"accuracy|recall|logits|cross-entropy", text)


@pytest.mark.parametrize(
    ("label", "export"),
    [("baseline", "float"), ("default", "exact"), ("quant.bits=4", "approximate")],
)
def test_files_are_measured_by_the_leading_metric(sweep: Path, label: str, export: str) -> None:
    folder = run_of(sweep, label)
    report = read(folder / "deploy.json")
    error = read(folder / "record.json")["metrics"]["mean_absolute_error"]
    assert (report["export"], report["images"]) == (export, 60)
    assert set(report["simulation"]) == {"mean_absolute_error"}
    assert set(report["kernels"]) == {"xnnpack", "builtin", "reference"}
    for row in (report["simulation"], *report["kernels"].values()):
        assert abs(row["mean_absolute_error"] - error) < (1e-4 if export == "float" else 0.3)
    assert all(row["agreement"] >= 50 for row in report["kernels"].values())


def test_a_baseline_is_quantized_after_training(sweep: Path) -> None:
    report = read(run_of(sweep, "baseline") / "deploy_representative.json")
    assert report["export"] == "post-training"
    assert report["kernels"]["reference"]["mean_absolute_error"] < 1


def test_it_is_evaluated_again_with_the_same_figures(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_of(sweep, "quant.bits=4")
    assert main(["evaluate", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "same as recorded" in printed and "mean_absolute_error" in printed


def test_training_here_goes_on_from_a_checkpoint_with_the_same_weights(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run of the sweep by itself: in two pieces, in this process."""
    command = ["train", *SMALL, "quant=deploy", "train.checkpoint_every=5", f"out={tmp_path}"]
    whole, spans = loop.train_phase, []

    def stopped(*arguments: Any) -> Any:
        network, experiment, data, phase, span, losses, report, checkpoint = arguments
        spans.append(span)

        def saved() -> None:
            checkpoint()
            if len(spans) == 1 and len(losses) >= 15:
                raise RuntimeError("the machine caught fire")

        return whole(network, experiment, data, phase, span, losses, report, saved)

    monkeypatch.setattr(loop, "train_phase", stopped)
    assert main(command) == 1
    assert main(command) == 0
    assert [first for first, _ in spans][:2] == [0, 15]
    (path,) = tmp_path.glob("runs/*/record.json")
    expected = read(run_of(sweep, "default") / "record.json")
    found = read(path)
    assert found["weights_sha256"] == expected["weights_sha256"]
    assert found["metrics"] == expected["metrics"]
    line = capsys.readouterr().out.splitlines()[-1]
    for metric in Regression(1).metrics:
        assert f"{metric.label} {metric.show(found['metrics'][metric.name])} {metric.unit}" in line


def test_its_networks_are_checked_by_its_own_rules(
    spots: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(DATASETS._items, "spots", replace(DATASETS["spots"], classes=2))
    assert main(["graph", *OWN]) == 2
    said = "qbench: model=small: its output has shape (None, 2), expected (None, 1)."
    assert said in capsys.readouterr().err


def test_validation_images_are_drawn_without_strata(
    spots: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["design.factors=[]", "data.validation=0.25,7", "design.baseline=false"]
    assert main(["sweep", *OWN, *rows, "train.steps=4", "isolate=false", f"out={tmp_path}"]) == 0
    assert "validation mean absolute error px" in capsys.readouterr().out
    with (tmp_path / "table.csv").open() as file:
        lines = list(csv.DictReader(file))
    for label, images, line in zip(("default", "data.validation=7"), (50, 7), lines, strict=True):
        found = read(run_of(tmp_path, label) / "record.json")
        assert found["validation"]["images"] == found["data"]["validation_images"] == images
        assert set(found["validation"]["metrics"]) == set(found["metrics"])
        error = found["validation"]["metrics"]["mean_absolute_error"]
        assert float(line["validation_mean_absolute_error"]) == pytest.approx(error, abs=1e-6)
        assert main(["evaluate", str(run_of(tmp_path, label))]) == 0
        assert "same as recorded" in capsys.readouterr().out
