"""`qbench convert` as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from cli_converted import SWEEP, rows_of, run_of

from qbench.cli.main import main
from qbench.deploy import export
from qbench.deploy.lite import LiteFile
from qbench.storage import file_predictions


def size_of(run: Path) -> float:
    """The theoretical size in MB."""
    megabytes: float = json.loads((run / "record.json").read_text())["size"]["megabytes"]
    return megabytes


@pytest.fixture
def run(tiny_sweep, tmp_path) -> Path:
    """A copy of the default run, that a test may spoil."""
    return Path(shutil.copytree(run_of(tiny_sweep, "default"), tmp_path / "run"))


def test_convert_writes_a_file_and_what_it_measured(run, capsys):
    assert main(["convert", str(run), "eval.limit=50"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("model_int8.tflite: ")
    assert "approximate" in printed and "float in the simulation: image, " in printed
    report = json.loads((run / "deploy.json").read_text())
    content = (run / report["file"]).read_bytes()
    assert len(content) == report["bytes"]
    assert report["images"] == 50
    # The theory counts biases in the bits of the weights, and no scales.
    assert 1 < report["packed_bytes"] / 1e6 / size_of(run) < 1.3
    assert f"packed {report['packed_bytes'] / 1e6:.4f}, file " in printed
    assert set(report["kernels"]) == {"xnnpack", "builtin", "reference"}
    for row in report["kernels"].values():
        assert 0 <= row["accuracy"] <= row["recall_at_5"] <= 100
        assert row["agreement"] > 80
    assert LiteFile(content, "builtin").dtypes() == {"int8", "int32"}
    for path, row in {"simulation": report["simulation"], **report["kernels"]}.items():
        kept = file_predictions.read(run / "deploy.json", report, path)
        assert kept.keys() == np.load(run / "predictions.npz").keys() and len(kept["label"]) == 50
        assert row["accuracy"] == 100 * np.mean(kept["predicted"] == kept["label"])
    assert main(["compare", str(run), str(run / report["file"])]) == 0
    assert "evaluated on 50 test images" in capsys.readouterr().out


def test_figures_stand_beside_the_simulation_on_the_same_images(tiny_sweep, tmp_path, capsys):
    folder = Path(shutil.copytree(run_of(tiny_sweep, "baseline"), tmp_path / "run"))
    assert main(["convert", str(folder), "eval.limit=20", "deploy.calibration=null"]) == 0
    assert not (folder / "deploy_representative.json").exists()
    printed = capsys.readouterr().out
    stored = np.load(folder / "predictions.npz")
    right = stored["predicted"][:20] == stored["label"][:20]
    report = json.loads((folder / "deploy.json").read_text())
    assert report["simulation"]["accuracy"] == 100 * right.mean()
    assert report["simulation"]["accuracy"] == report["kernels"]["builtin"]["accuracy"]
    (line,) = [line for line in printed.splitlines() if line.startswith("simulation ")]
    figures = report["simulation"]
    assert line.split()[1:] == [f"{figures[key]:.2f}" for key in ("accuracy", "recall_at_5")]
    assert "20 test images; differences in logits" in printed


@pytest.mark.parametrize(
    ("label", "file", "export"),
    [
        ("baseline", "model_float.tflite", "float"),
        ("quant.bits=32", "model_float.tflite", "float"),
        ("quant.bits=16", "model_16x8.tflite", "approximate"),
        ("quant.op=fake_quant", "model_int8.tflite", "approximate"),
    ],
)
def test_a_row_becomes_the_kind_of_file_that_has_kernels(
    tiny_sweep, tmp_path, label, file, export, capsys
):
    folder = Path(shutil.copytree(run_of(tiny_sweep, label), tmp_path / "run"))
    assert main(["convert", str(folder), "eval.limit=20"]) == 0
    assert capsys.readouterr().out.startswith(f"{file}: ")
    assert json.loads((folder / "deploy.json").read_text())["export"] == export


def test_converting_again_gives_the_same_bytes(run):
    assert main(["convert", str(run), "eval.limit=20"]) == 0
    names = ("model_int8.tflite", "deploy.json", "deploy_predictions.npz")
    first = {name: (run / name).read_bytes() for name in names}
    assert main(["convert", str(run), "eval.limit=20"]) == 0
    assert {name: (run / name).read_bytes() for name in first} == first


def test_a_converted_run_is_still_a_finished_run(run):
    main(["convert", str(run), "eval.limit=20"])
    assert main(["evaluate", str(run)]) == 0


def refused(arguments, capsys) -> str:
    """The one sentence that a mistake gets."""
    assert main(["convert", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_mistakes_get_a_sentence(run, tmp_path, capsys):
    assert "takes the folder of a run" in refused([], capsys)
    assert "expected the record of a run" in refused([str(tmp_path)], capsys)
    assert "quant.bits is not a setting" in refused([str(run), "quant.bits=4"], capsys)
    assert "eval.limit=0" in refused([str(run), "eval.limit=0"], capsys)
    (run / "model.weights.h5").unlink()
    assert "train the run again" in refused([str(run)], capsys)
    assert not (run / "deploy.json").exists()


def test_damaged_weights_are_named(run, capsys):
    weights = run / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert main(["convert", str(run)]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert str(weights) in line


@pytest.fixture(scope="module")
def deployed(tmp_path_factory) -> Path:
    """A sweep whose runs were converted."""
    folder = tmp_path_factory.mktemp("deployed")
    assert main([*SWEEP, f"out={folder}"]) == 0
    return folder


@pytest.mark.slow
def test_a_sweep_fills_the_columns_of_every_row(deployed):
    rows = rows_of(deployed)
    assert [row["export"] for row in rows.values()] == [
        "float", "approximate", "approximate", "approximate", "float"
    ]  # fmt: skip
    for row in rows.values():
        assert 0 <= float(row["deployed_accuracy"]) <= float(row["deployed_recall_at_5"]) <= 100
        assert float(row["agreement"]) > 70
        assert float(row["tflite_mb"]) > 0.05
    assert float(rows["baseline"]["agreement"]) == 100
    assert float(rows["baseline"]["deployed_accuracy"]) == float(rows["baseline"]["accuracy"])
    assert rows["default"]["export_note"].startswith("float in the simulation: image")
    for run in (deployed / "runs").iterdir():
        report = json.loads((run / "deploy.json").read_text())
        assert (run / report["file"]).stat().st_size == report["bytes"]


@pytest.mark.slow
def test_its_report_shows_simulated_against_deployed(deployed):
    assert (deployed / "figures" / "deployed.png").is_file()
    page = (deployed / "report.html").read_text()
    assert "Accuracy by size of the file" in page
    assert "post-training quantization of the float baseline" in page
    assert "post-training quantization of the float baseline" in (deployed / "table.md").read_text()


@pytest.mark.slow
def test_the_reference_is_the_baseline_quantized_after_training(deployed):
    folder = run_of(deployed, "baseline")
    report = json.loads((folder / "deploy_representative.json").read_text())
    assert report["export"] == "post-training"
    assert LiteFile((folder / "model_int8.tflite").read_bytes(), "builtin").dtypes() == {
        "int8", "int32"
    }  # fmt: skip
    assert len(list(deployed.glob("runs/*/deploy_representative.json"))) == 1


@pytest.mark.slow
def test_nothing_is_converted_twice(deployed, capsys):
    files = {path: path.stat().st_mtime_ns for path in deployed.glob("runs/*/*.tflite")}
    assert len(files) == 6
    table = (deployed / "table.csv").read_bytes()
    assert main([*SWEEP, f"out={deployed}"]) == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert (deployed / "table.csv").read_bytes() == table


@pytest.mark.slow
def test_a_lost_report_of_a_file_is_made_again(deployed):
    folder = run_of(deployed, "default")
    before = (folder / "deploy.json").read_bytes()
    (folder / "deploy.json").write_bytes(before[:40])
    assert main([*SWEEP, f"out={deployed}"]) == 0
    assert (folder / "deploy.json").read_bytes() == before


@pytest.mark.slow
def test_figures_of_other_images_replace_none_of_the_runs_own(deployed, capsys):
    folder = run_of(deployed, "default")
    before = {name: (folder / name).read_bytes() for name in ("deploy.json", "model_int8.tflite")}
    assert main(["convert", str(folder), "eval.limit=20"]) == 0
    printed = capsys.readouterr().out
    assert "20 test images; " in printed
    assert "not written: deploy.json keeps its figures of 100 test images" in printed
    assert {name: (folder / name).read_bytes() for name in before} == before
    (folder / "model_int8.tflite").unlink()  # comes back, and its figures are still its own
    assert main(["convert", str(folder), "eval.limit=20"]) == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.slow
def test_figures_of_other_images_are_made_again_by_the_sweep(deployed, capsys):
    folder = run_of(deployed, "default")
    before = (folder / "deploy.json").read_bytes()
    (folder / "deploy.json").unlink()
    assert main(["convert", str(folder), "eval.limit=20"]) == 0
    assert json.loads((folder / "deploy.json").read_text())["images"] == 20
    assert "not written" not in capsys.readouterr().out
    assert main([*SWEEP, f"out={deployed}"]) == 0
    assert (folder / "deploy.json").read_bytes() == before


def test_what_cannot_be_converted_is_said_before_and_recorded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(export, "CONVERTIBLE", (keras.layers.Dense,))
    assert main([*SWEEP, "design.factors=[]", "deploy.calibration=null", f"out={tmp_path}"]) == 0
    said = capsys.readouterr().err
    early = said.index("No int8 file can be made of resnet_v1. stem: a Conv2D")
    assert early < said.index("accuracy")
    row = rows_of(tmp_path)["default"]
    assert row["export"] == "none"
    assert row["export_note"] == "stem: a Conv2D cannot be converted yet."
    assert row["deployed_accuracy"] == "" and float(row["accuracy"]) > 0


@pytest.mark.slow
def test_a_converted_sweep_through_worker_processes(tmp_path):
    arguments = [argument for argument in SWEEP if argument != "isolate=false"]
    assert main([*arguments, "design.factors=[]", f"out={tmp_path}"]) == 0
    assert [row["export"] for row in rows_of(tmp_path).values()] == ["float", "approximate"]


def test_calibration_is_for_float_runs(run, tiny_sweep, tmp_path, capsys):
    asked = ["deploy.calibration=representative", "eval.limit=20"]
    assert main(["convert", str(run), *asked]) == 2
    assert "is for float runs" in capsys.readouterr().err
    folder = Path(shutil.copytree(run_of(tiny_sweep, "baseline"), tmp_path / "float"))
    assert main(["convert", str(folder), "eval.limit=20"]) == 0
    heads = [line for line in capsys.readouterr().out.splitlines() if ".tflite: " in line]
    assert [head.partition(":")[0] for head in heads] == ["model_float.tflite", "model_int8.tflite"]
    assert heads[1].endswith("post-training")
    for name in ("deploy.json", "deploy_representative.json"):
        assert json.loads((folder / name).read_text())["images"] == 20
    assert main(["convert", str(folder), *asked]) == 0  # as it is without
    assert "post-training" in capsys.readouterr().out
    assert main(["convert", str(folder), "deploy.calibration=images"]) == 2
    assert "expected representative" in capsys.readouterr().err


def test_a_deploying_run_is_exact_and_comes_back(tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["quant=deploy", "train.steps=20", "threads=2", f"out={out}", "eval.limit=100"]
    assert main(["train", "study=digits", *arguments]) == 0
    (folder,) = (out / "runs").iterdir()
    assert main(["evaluate", str(folder)]) == 0
    assert "same as recorded" in capsys.readouterr().out
    assert main(["convert", str(folder)]) == 0
    report = json.loads((folder / "deploy.json").read_text())
    assert (report["export"], report["export_note"]) == ("exact", "")
    for row in report["kernels"].values():
        assert row["agreement"] >= 99
        assert row["mean_difference"] < 1


def test_trace_as_a_user_types_it(run, capsys):
    assert main(["trace", str(run)]) == 2
    assert f"not converted yet; `qbench convert {run}` comes first" in capsys.readouterr().err
    assert main(["convert", str(run), "eval.limit=20"]) == 0
    capsys.readouterr()
    assert main(["trace", str(run), "images=10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["tensor", "step", "largest", "mean", "differ", "%"]
    assert [line.split()[0] for line in lines[1:3]] == ["image", "stem_relu"]
    assert "on the reference kernels, 10 test images" in lines[-2]
    assert lines[-1].startswith("first tensor that differs by more than one step: ")
    for wrong in ("kernels=xnnpack", "images=0", "image=3"):
        assert main(["trace", str(run), wrong]) == 2
    (run / "model_int8.tflite").write_bytes(b"something else")
    assert main(["trace", str(run)]) == 2
    assert "not what was converted" in capsys.readouterr().err
