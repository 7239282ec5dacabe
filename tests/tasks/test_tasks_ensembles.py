"""Ensembles of a task of somebody's own: by default the mean of outputs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from regression_task import Regression

from qbench.cli.main import main
from qbench.planning.derived import ensemble
from qbench.planning.derived.ensemble import keeps_outputs

OWN = [
    *("study=digits", "data.name=spots", "data.preprocessing=inception", "model.name=small"),
    "threads=2",
]
SMALL = [*OWN, "isolate=false", "workers=1", "train.steps=20", "train.learning_rate=0.02"]
ROWS = ["design.factors=[]", "design.baseline=false", "seeds=[0,1,2]", "design.ensembles=[3]"]
LABEL = "ensemble of 3: default"


def _run(folder: Path) -> dict[str, Any]:
    """The ensemble in the manifest."""
    rows = json.loads((folder / "manifest.json").read_bytes())["rows"]
    assert [row["label"] for row in rows] == ["default", LABEL]
    (run,) = rows[1]["runs"]
    found: dict[str, Any] = run
    return found


def _record(folder: Path, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "runs" / run / "record.json").read_bytes())
    return found


def _array(folder: Path, run: str, file: str, name: str) -> Any:
    with np.load(folder / "runs" / run / file) as arrays:
        return arrays[name]


def test_an_ensemble_has_the_mean_of_the_positions(spots: None, tmp_path: Path) -> None:
    assert main(["sweep", *SMALL, *ROWS, f"out={tmp_path}"]) == 0
    run = _run(tmp_path)
    members = [_array(tmp_path, one, "outputs.npz", "outputs") for one in run["members"]]
    mean = np.mean(np.asarray(members, np.float64), axis=0)
    found = _array(tmp_path, run["id"], "outputs.npz", "outputs")
    assert (found.dtype, found.shape) == (np.float32, (60, 1))
    np.testing.assert_allclose(found, mean, rtol=1e-7)
    target = _array(tmp_path, run["members"][0], "predictions.npz", "target")
    position = _array(tmp_path, run["id"], "predictions.npz", "position")
    assert position.dtype == np.float32
    error = float(np.abs(mean[:, 0] - target).mean())
    record = _record(tmp_path, run["id"])
    assert record["metrics"]["mean_absolute_error"] == pytest.approx(error, rel=1e-6)
    with (tmp_path / "table.csv").open() as file:
        row = list(csv.DictReader(file))[1]
    assert row["configuration"] == LABEL
    assert float(row["mean_absolute_error"]) == pytest.approx(error, abs=1e-5)


def test_ensembles_of_a_task_that_keeps_no_outputs_are_refused_before_training(
    spots: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Regression, "kept_outputs", lambda self, outputs: None)
    out = tmp_path / "out"
    assert main(["sweep", *SMALL, *ROWS, f"out={out}"]) == 2
    assert capsys.readouterr().err == (
        "qbench: design.ensembles=[3]: the task of data.name=spots keeps no outputs, and ensembles"
        " are computed from them.\n"
    )
    assert not list(out.glob("runs/*"))


def test_a_task_whose_outputs_have_another_shape_is_asked_by_its_runs() -> None:
    class Maps(Regression):
        def kept_outputs(self, outputs: Any) -> Any:
            return outputs[:, :, :, 0]

    assert keeps_outputs(Maps(1)) and keeps_outputs(Regression(1))


def test_members_that_kept_no_outputs_are_named(
    spots: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a task whose first outputs did not tell."""
    monkeypatch.setattr(Regression, "kept_outputs", lambda self, outputs: None)
    monkeypatch.setattr(ensemble, "keeps_outputs", lambda task: True)
    assert main(["sweep", *SMALL, *ROWS, f"out={tmp_path}"]) == 1
    run = _run(tmp_path)
    files = {path.name for path in (tmp_path / "runs" / run["members"][0]).iterdir()}
    assert "predictions.npz" in files and "outputs.npz" not in files
    record = _record(tmp_path, run["id"])
    assert (record["status"], record["metrics"]) == ("failed", None)
    assert record["error"]["message"] == (
        f"its member default seed 0 (run {run['members'][0]}) has no outputs.npz: its task keeps"
        " none."
    )
    assert "1 of 4 runs did not end well (failed)" in capsys.readouterr().err


def test_a_combination_that_raises_is_recorded_and_the_rest_stands(
    spots: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, outputs: Any) -> Any:
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(Regression, "combined", broken)
    assert main(["sweep", *SMALL, *ROWS, f"out={tmp_path}"]) == 1
    run = _run(tmp_path)["id"]
    error = _record(tmp_path, run)["error"]
    assert error["message"] == "ZeroDivisionError: nothing to divide by"
    assert "in broken" in error["traceback"]
    monkeypatch.setattr(Regression, "combined", lambda self, given: given[0] * np.nan)
    assert main(["sweep", *SMALL, *ROWS, f"out={tmp_path}"]) == 1
    assert _record(tmp_path, run)["error"]["message"] == "its positions are not finite."
    monkeypatch.undo()
