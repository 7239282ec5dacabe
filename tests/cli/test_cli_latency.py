"""`qbench latency` as a user types it; what it prints and writes, never how long anything takes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from cli_converted import run_of as folder_of

from qbench.cli.main import main

QUICK = ["runs=2", "warmup=1", "threads=[1]", "kernels=[builtin,xnnpack]"]


@pytest.fixture(scope="module")
def sweep(tiny_sweep, tmp_path_factory) -> Path:
    """A copy of the sweep with three converted runs."""
    folder = Path(shutil.copytree(tiny_sweep, tmp_path_factory.mktemp("latency") / "sweep"))
    for label in ("baseline", "default", "quant.bits=16"):
        assert main(["convert", str(folder_of(folder, label))]) == 0
    return folder


@pytest.fixture
def run(sweep, tmp_path) -> Path:
    """A copy of the converted default run, that a test may spoil."""
    return Path(shutil.copytree(folder_of(sweep, "default"), tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_is_compared_with_its_float_network(run, capsys):
    before = contents(run)
    assert main(["latency", str(run), *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "int8/float" in printed and f"{os.cpu_count()} cores" in printed
    lines = [line.split() for line in printed.splitlines()]
    rows = [line for line in lines if line[0] in ("builtin", "xnnpack")]
    assert [row[:3] for row in rows] == [["builtin", "1", "2"], ["xnnpack", "1", "2"]]
    assert all(len(row) == 3 + 2 * 3 + 1 for row in rows)
    after = contents(run)
    report = json.loads(after.pop("latency.json"))
    assert after == before  # nothing else was written
    deploy = json.loads(before["deploy.json"])
    assert (report["file"], report["sha256"]) == (deploy["file"], deploy["sha256"])
    assert set(report["bytes"]) == {"float", "int8"}
    assert report["bytes"]["int8"] == deploy["bytes"] < report["bytes"]["float"]
    assert [row["threads"] for row in report["rows"]] == [1, 1]


@pytest.mark.parametrize(
    ("label", "names"), [("baseline", ["float"]), ("quant.bits=16", ["float", "16x8"])]
)
def test_runs_of_other_kinds(sweep, tmp_path, label, names, capsys):
    run = Path(shutil.copytree(folder_of(sweep, label), tmp_path / "run"))
    assert main(["latency", str(run), *QUICK, "batch=2"]) == 0
    report = json.loads((run / "latency.json").read_text())
    assert list(report["bytes"]) == names
    assert report["batch"] == 2
    assert ("16x8/float" in capsys.readouterr().out) == (len(names) > 1)


def test_a_measured_run_is_still_a_finished_run(run):
    assert main(["latency", str(run), *QUICK]) == 0
    assert main(["evaluate", str(run)]) == 0


def test_a_file_is_measured_by_itself(run, tmp_path, capsys):
    place = tmp_path / "place"
    place.mkdir()
    file = Path(shutil.copy(run / "model_int8.tflite", place / "mine.tflite"))
    file.chmod(0o444)
    place.chmod(0o555)
    assert main(["latency", str(file), *QUICK, "threads=2"]) == 0
    place.chmod(0o755)
    printed = capsys.readouterr().out
    assert printed.startswith(f"mine.tflite: {file.stat().st_size:,} bytes")
    assert "float" not in printed
    assert ["builtin", "2", "2"] in [line.split()[:3] for line in printed.splitlines()]
    assert [path.name for path in place.iterdir()] == ["mine.tflite"]


def test_a_sweep_is_measured_and_drawn(sweep, tmp_path, capsys):
    sweep = Path(shutil.copytree(sweep, tmp_path / "sweep"))
    assert main(["latency", str(sweep), *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "3 runs measured" in printed
    assert printed.count("not measured: ") == 13
    assert "not converted yet" in printed
    measured = {path.parent for path in sweep.rglob("latency.json")}
    labels = ("baseline", "default", "quant.bits=16")
    assert measured == {folder_of(sweep, label) for label in labels}
    assert main(["report", str(sweep)]) == 0
    svg = (sweep / "figures" / "latency_accuracy.svg").read_text()
    for name in ("baseline (float)", "default (int8)", "quant.bits=16 (16x8)", "builtin, 1 thread"):
        assert name in svg
    assert (sweep / "figures" / "latency_accuracy.png").is_file()
    assert "Accuracy by latency" in (sweep / "report.html").read_text()


def refused(arguments, capsys) -> str:
    """The one sentence that a mistake gets."""
    assert main(["latency", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert "Traceback" not in line
    return line


def test_mistyped_settings_get_a_sentence(run, capsys):
    before = contents(run)
    assert "takes a run, a file or a sweep" in refused([], capsys)
    assert "threads=0 is not allowed" in refused([str(run), "threads=[1,0]"], capsys)
    assert "xnnpack, builtin or reference" in refused([str(run), "kernels=[xnn]"], capsys)
    assert "runs=many" in refused([str(run), "runs=many"], capsys)
    assert "thread is not a setting" in refused([str(run), "thread=1"], capsys)
    assert "expected key=value" in refused([str(run), "4"], capsys)
    assert contents(run) == before


def test_wrong_paths_get_a_sentence(tmp_path, capsys):
    assert "nowhere: no such file or folder" in refused(["nowhere"], capsys)
    assert "expected the manifest of a sweep" in refused([str(tmp_path)], capsys)
    (tmp_path / "empty").mkdir()
    assert "manifest of a sweep" in refused([str(tmp_path / "empty")], capsys)


def test_of_a_folder_of_sweeps_they_are_named(tmp_path, capsys):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    said = refused([str(tmp_path)], capsys)
    assert f"choose one: {tmp_path / 'first'}, {tmp_path / 'second'}." in said


@pytest.mark.parametrize("content", [b"", b"GIF89a, not a network", b"\x00" * 5000])
def test_a_foreign_file_is_refused(tmp_path, content, capsys):
    path = tmp_path / "foreign.tflite"
    path.write_bytes(content)
    said = refused([str(path), *QUICK], capsys)
    assert f"{path}: not a LiteRT file" in said
    assert path.read_bytes() == content


def test_a_damaged_file_is_refused(run, tmp_path, capsys):
    path = tmp_path / "damaged.tflite"
    content = (run / "model_int8.tflite").read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert f"{path}: not a LiteRT file" in refused([str(path), *QUICK], capsys)
    assert path.read_bytes() == content[: len(content) // 2]


def test_a_run_whose_file_is_not_what_was_converted(run, capsys):
    file = run / "model_int8.tflite"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    before = contents(run)
    said = refused([str(run), *QUICK], capsys)
    assert f"{file}: not what was converted" in said and "qbench convert" in said
    assert contents(run) == before
    file.unlink()
    assert "No such file" in refused([str(run), *QUICK], capsys)


def test_a_run_that_is_not_converted(tiny_sweep, tmp_path, capsys):
    run = Path(shutil.copytree(folder_of(tiny_sweep, "default"), tmp_path / "run"))
    before = contents(run)
    assert f"not converted yet; `qbench convert {run}`" in refused([str(run), *QUICK], capsys)
    assert contents(run) == before


def test_a_run_without_weights(run, capsys):
    (run / "model.weights.h5").unlink()
    before = contents(run)
    assert "train the run again" in refused([str(run), *QUICK], capsys)
    assert contents(run) == before


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"export": "none"}'])
def test_a_damaged_report_of_the_conversion(run, text, capsys):
    (run / "deploy.json").write_text(text)
    before = contents(run)
    assert str(run) in refused([str(run), *QUICK], capsys)
    assert contents(run) == before


def test_a_sweep_of_which_nothing_is_converted(tiny_sweep, tmp_path, capsys):
    folder = Path(shutil.copytree(tiny_sweep, tmp_path / "sweep"))
    assert main(["latency", str(folder), *QUICK]) == 2
    captured = capsys.readouterr()
    assert captured.out.count("not measured: ") == 16
    assert "no run of this sweep could be measured" in captured.err
