"""`qbench convert` as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from qbench.cli import main
from qbench.deploy.lite import LiteFile


def run_of(sweep: Path, label: str) -> Path:
    manifest = json.loads((sweep / "manifest.json").read_text())
    (row,) = [row for row in manifest["rows"] if row["label"] == label]
    return sweep / manifest["runs"] / row["runs"][0]["id"]


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
    first = {name: (run / name).read_bytes() for name in ("model_int8.tflite", "deploy.json")}
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
