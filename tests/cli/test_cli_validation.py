"""`data.validation` as a user types it: sweep, report, train, evaluate, convert, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.cli.main import main
from qbench.config.experiment import Experiment
from qbench.data import load
from qbench.data.preprocessing import network_input
from qbench.data.validation import validation_indices
from qbench.deploy import convert

# Baseline and default with validation images, and the default without.
ROWS = ["design.factors=[]", "data.validation=0.1,null"]
NOTE = (
    "Validation: 120 of 1,198 training images of digits, seed 0; runs with this part train on the"
    " others."
)


@pytest.fixture(scope="module")
def sweep(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep of three rows with two seeds."""
    folder = tmp_path_factory.mktemp("sweep")
    assert main(["sweep", *tiny, *ROWS, "seeds=[0,1]", f"out={folder}"]) == 0
    return folder


def _read(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["configuration"]: row for row in csv.DictReader(file)}


def _runs(sweep: Path, label: str) -> list[Path]:
    manifest = json.loads((sweep / "manifest.json").read_text())
    (row,) = [row for row in manifest["rows"] if row["label"] == label]
    return [sweep / "runs" / str(run["id"]) for run in row["runs"]]


def _record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "record.json").read_text())
    return found


def test_the_table_has_both_sets_side_by_side(sweep: Path) -> None:
    lines = _read(sweep / "table.csv")
    assert list(lines) == ["baseline", "default", "data.validation=null"]
    for label in ("baseline", "default"):
        records = [_record(run) for run in _runs(sweep, label)]
        assert [record["validation"]["images"] for record in records] == [120, 120]
        for name in ("accuracy", "recall_at_5"):
            own = [record["validation"]["metrics"][name] for record in records]
            found = lines[label][f"validation_{name}"], lines[label][f"validation_{name}_std"]
            expected = np.mean(own), np.std(own, ddof=1)
            assert [*map(float, found)] == pytest.approx(expected, abs=1e-6)
    empty = [name for name, cell in lines["data.validation=null"].items() if cell == ""]
    assert empty == [
        *("validation_accuracy", "validation_recall_at_5"),
        *("validation_accuracy_std", "validation_recall_at_5_std"),
    ]


def test_the_terminal_shows_them_and_how_many_images_they_are_of(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(sweep)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "accuracy %  difference" in head  # values on validation images are in the files
    assert ",validation_accuracy," in (sweep / "table.csv").read_text().splitlines()[0]
    assert lines.count(NOTE) == 1
    assert "validation accuracy %" in (sweep / "report.html").read_text()


@pytest.mark.parametrize("label", ["baseline", "default"])
def test_evaluate_gives_the_recorded_values_on_both(
    sweep: Path, label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _runs(sweep, label)[1]
    assert main(["evaluate", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "same as recorded" in printed
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines()[1:11]}
    record = _record(run)
    for prefix, metrics in (("", record["metrics"]), ("validation_", record["validation"])):
        for name, value in (metrics if prefix == "" else metrics["metrics"]).items():
            assert rows[f"{prefix}{name}"] == [f"{value:.4f}"] * 2


def test_a_limit_on_evaluation_is_one_on_the_test_set(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(_runs(sweep, "default")[0]), "eval.limit=20"]) == 0
    printed = capsys.readouterr().out
    assert "differs from what is recorded" in printed
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines()[1:11]}
    assert len(set(rows["loss"])) == 2
    assert len(set(rows["validation_loss"])) == 1


def test_evaluate_says_nothing_of_it_without_such_images(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(_runs(sweep, "data.validation=null")[0])]) == 0
    printed = capsys.readouterr().out
    assert "same as recorded" in printed and "validation" not in printed


def test_train_finds_the_run_of_the_sweep_and_prints_every_metric(
    sweep: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same folder, so nothing is trained again."""
    before = {path: path.stat().st_mtime_ns for path in sweep.glob("runs/*/record.json")}
    assert main(["train", *tiny, "data.validation=0.1", f"out={sweep}"]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (line,) = capsys.readouterr().out.splitlines()
    found = _record(_runs(sweep, "default")[0])
    for prefix, values in (("", found["metrics"]), ("validation ", found["validation"]["metrics"])):
        assert f"  {prefix}recall, macro {values['recall_macro']:>6.2f} %" in line
        assert f"  {prefix}loss {values['loss']:.4f}" in line


def test_ranges_of_a_file_come_from_images_that_are_trained_on(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the file is measured on the test set alone."""
    run = Path(shutil.copytree(_runs(sweep, "baseline")[0], tmp_path / "run"))
    seen, whole = [], convert.convert

    def watched(graph: Any, kind: str, images: Any = None, entry: Any = None) -> Any:
        seen.append(images)
        return whole(graph, kind, images, entry)

    monkeypatch.setattr(convert, "convert", watched)
    assert main(["convert", str(run)]) == 0
    (images,) = [images for images in seen if images is not None]
    data = load("digits", None)
    rest = np.setdiff1d(np.arange(1198), validation_indices(data, 0.1, 0))
    settings = Experiment.from_config(json.loads((run / "config.json").read_text())).data
    expected = network_input(data.train_images[rest[:200]], settings.preprocessing, None)
    np.testing.assert_array_equal(images, expected)
    report = json.loads((run / "deploy_representative.json").read_text())
    assert report["images"] == 150
    assert report["simulation"]["accuracy"] == _record(run)["metrics"]["accuracy"]


def test_the_plan_shares_steps_only_among_rows_with_the_same_part(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["design.factors=[]", "data.validation=0.1,0.2", "data.validation_seed=0,1"]
    assert main(["plan", *tiny, *rows, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    # The baseline and the default share eight steps; the others have ten of their own.
    assert (len(facts["runs"]), facts["steps_shared"]) == (4, 10 + 2 + 10 + 10)


REFUSED = {
    "1198": "expected fewer than the 1,198 training images of digits.",
    "0.0001": "expected at least one of the 1,198 training images of digits.",
    "1197": "expected a part that leaves digits a training image of each class (none would be left"
    " of class 0, 1, 2, 4, 5 and 4 more).",
    "1.0": "expected a share above 0 and below 1, or a whole number of at least 1.",
    "0": "expected a share above 0 and below 1, or a whole number of at least 1.",
}


@pytest.mark.parametrize("verb", ["sweep", "train"])
@pytest.mark.parametrize(("value", "said"), REFUSED.items(), ids=REFUSED.keys())
def test_a_part_that_cannot_be_is_said_before_anything_trains(
    verb: str, value: str, said: str, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, *tiny, f"data.validation={value}", "out=here"]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"qbench: data.validation={value} is not allowed: {said}\n"
    assert printed.out == ""
    assert not list(Path("here").glob("runs/*"))


def test_outputs_for_both_sets_are_kept_and_evaluate_makes_them(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(_runs(sweep, "default")[0], tmp_path / "run"))
    expected = (run / "outputs.npz").read_bytes()
    with np.load(run / "outputs.npz") as kept:
        assert {name: kept[name].shape for name in kept.files} == {
            "outputs": (150, 10),
            "validation": (120, 10),
        }
    (run / "outputs.npz").unlink()
    assert main(["evaluate", str(run)]) == 0
    assert "outputs.npz written" in capsys.readouterr().out
    assert (run / "outputs.npz").read_bytes() == expected


def test_ensembles_have_values_on_validation_images(
    sweep: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the mean probabilities of the outputs that their members keep for these images."""
    folder = Path(shutil.copytree(sweep, tmp_path / "sweep"))
    command = ["sweep", *tiny, *ROWS, "seeds=[0,1]", "design.ensembles=[2]", f"out={folder}"]
    assert main(command) == 0
    assert NOTE in capsys.readouterr().out
    row = _read(folder / "table.csv")["ensemble of 2: default"]
    (run,) = [
        one["runs"][0]
        for one in json.loads((folder / "manifest.json").read_bytes())["rows"]
        if one["label"] == "ensemble of 2: default"
    ]
    data = load("digits", None)
    labels = data.train_labels[validation_indices(data, 0.1, 0)]
    mean = 0.0
    for member in run["members"]:
        with np.load(folder / "runs" / member / "outputs.npz") as kept:
            powers = np.exp(kept["validation"].astype(np.float64))
        mean = mean + powers / powers.sum(axis=1, keepdims=True) / 2
    assert np.shape(mean) == (len(labels), 10)
    right = 100 * np.mean(np.argmax(mean, axis=1) == labels)
    assert float(row["validation_accuracy"]) == pytest.approx(right, abs=1e-5)
    record = json.loads((folder / "runs" / run["id"] / "record.json").read_bytes())
    assert (record["validation"]["images"], record["validation"]["seed"]) == (len(labels), 0)
