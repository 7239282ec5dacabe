"""Sweeps in which a conversion fails: for good, or for a reason that passes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_converted import SWEEP, rows_of, run_of

from qbench.base.errors import NotConvertible, WrongFile
from qbench.cli.main import main
from qbench.deploy import convert
from qbench.deploy.file_kind import kind_of
from qbench.engine import exporting
from qbench.engine.asking import Failure, WorkerDied
from qbench.engine.workers import close_workers

# The baseline and the default, without the baseline quantized after training.
PAIR = [*SWEEP, "design.factors=[]", "deploy.calibration=null"]
FIGURES = {"accuracy": 50.0, "recall_at_5": 90.0}
DIFFERENCES = {"largest_difference": 2.0, "mean_difference": 0.5}


class Converter:
    """Stands in for the conversion: fails as it is told to, and otherwise takes no time.

    Attributes:
        errors: what its next calls raise; without any left, they give a file.
        calls: how often it was called.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.errors: list[Exception] = []
        self.calls = 0
        patch.setattr(convert, "export", self)

    def __call__(self, network: Any, experiment: Any, data: Any, calibration: Any) -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        kind = kind_of(experiment.quant)
        report = {
            "export": kind.export,
            "export_note": "",
            "file": kind.file,
            "bytes": len(CONTENT),
            "packed_bytes": 5,
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
            "images": 100,
            "simulation": FIGURES,
            "kernels": {"xnnpack": {**FIGURES, "agreement": 99.0, **DIFFERENCES}},
        }
        return convert.Exported(kind, CONTENT, report, {})


CONTENT = b"a converted network"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two runs that was not converted."""
    folder = tmp_path_factory.mktemp("trained")
    assert main([*PAIR, "deploy.enabled=false", f"out={folder}"]) == 0
    return folder


@pytest.fixture
def sweep(trained: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(trained, tmp_path / "sweep"))


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Converter:
    return Converter(monkeypatch)


def reports(sweep: Path) -> dict[str, str]:
    """What stands in the runs' folders of their conversion."""
    paths = {label: run_of(sweep, label) / "deploy.json" for label in ("baseline", "default")}
    return {k: json.loads(p.read_text())["export"] for k, p in paths.items() if p.exists()}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "MemoryError"),
        (ValueError("odd shape\nmore"), "ValueError: odd shape more"),
        (RuntimeError("the machine caught fire"), "RuntimeError: the machine caught fire"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_may_pass_is_tried_again(sweep, converter, error, said, capsys):
    converter.errors = [error]
    assert main([*PAIR, f"out={sweep}"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    folder = run_of(sweep, "baseline")
    (line,) = [line for line in err.splitlines() if "not converted" in line]
    assert line.startswith(f"{folder}: not converted; the same command tries again. ")
    assert line.endswith(said)
    assert "1 of the files to convert could not be made; the same command tries again." in err
    assert reports(sweep) == {"default": "approximate"}
    rows = rows_of(sweep)
    assert rows["baseline"]["export"] == rows["baseline"]["deployed_accuracy"] == ""
    assert (rows["baseline"]["status"], rows["default"]["deployed_accuracy"]) == ("ok", "50.0")

    assert main([*PAIR, f"out={sweep}"]) == 0
    assert converter.calls == 3
    assert reports(sweep) == {"baseline": "float", "default": "approximate"}
    assert rows_of(sweep)["baseline"]["deployed_accuracy"] == "50.0"


def test_what_can_never_be_converted_is_tried_once(sweep, converter, capsys):
    converter.errors = [NotConvertible("stem: an Odd cannot be converted yet.")]
    assert main([*PAIR, f"out={sweep}"]) == 0
    assert "not converted. stem: an Odd cannot be converted yet." in capsys.readouterr().err
    assert reports(sweep) == {"baseline": "none", "default": "approximate"}
    assert rows_of(sweep)["baseline"]["export_note"] == "stem: an Odd cannot be converted yet."
    assert main([*PAIR, f"out={sweep}"]) == 0
    assert converter.calls == 2


def test_a_wrong_file_is_a_failed_row_each_time(sweep, converter, capsys):
    """No figures of it in any column, and none of an earlier file."""
    assert main([*PAIR, f"out={sweep}"]) == 0
    folder = run_of(sweep, "default")
    (folder / "model_int8.tflite").unlink()  # so that it is converted again
    converter.errors = [WrongFile("on the xnnpack kernels the file gives wrong logits.")]
    assert main([*PAIR, f"out={sweep}"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "1 of the converted files give wrong answers; the table says which." in err
    assert reports(sweep) == {"baseline": "float", "default": "failed"}
    row = rows_of(sweep)["default"]
    assert (row["status"], row["export"]) == ("ok", "failed")
    assert row["export_note"] == "on the xnnpack kernels the file gives wrong logits."
    assert {row[key] for key in row if key.startswith(("deployed", "agreement", "tflite"))} == {""}
    lines = (sweep / "runs.csv").read_text().splitlines()
    assert not any("99.0" in line for line in lines if line.startswith("default"))

    assert main([*PAIR, f"out={sweep}"]) == 1  # settled, and said again
    assert converter.calls == 3
    assert main(["convert", str(folder)]) == 0
    assert main([*PAIR, f"out={sweep}"]) == 0
    assert reports(sweep) == {"baseline": "float", "default": "approximate"}


def test_convert_puts_a_wrong_file_in_the_place_of_what_was_known(sweep, converter, capsys):
    assert main([*PAIR, f"out={sweep}"]) == 0
    folder = run_of(sweep, "default")
    converter.errors = [WrongFile("the file gives logits that are not finite.")]
    assert main(["convert", str(folder)]) == 1
    assert "qbench: the file gives logits that are not finite." in capsys.readouterr().err
    assert reports(sweep)["default"] == "failed"
    assert not (folder / "model_int8.tflite").exists()
    for verb in ("trace", "latency"):
        assert main([verb, str(folder)]) == 2
        said = f"{folder}: it has no converted file. the file gives logits that are not finite."
        assert said in capsys.readouterr().err


def test_a_worker_that_is_killed_settles_nothing(sweep, monkeypatch, capsys):
    def killed(*_: Any, **arguments: Any) -> None:
        raise WorkerDied("by signal 9")

    command = [*PAIR, "isolate=true", "device=cpu", f"out={sweep}"]
    with monkeypatch.context() as patch:
        patch.setattr(exporting, "worker_for", lambda *_: SimpleNamespace(ask=killed))
        assert main(command) == 1
    err = capsys.readouterr().err
    assert err.count("tries again. The worker process ended by signal 9.") == 2
    assert "2 of the files to convert could not be made" in err
    assert reports(sweep) == {}


# Becomes sitecustomize.py in front of a worker's path.
KILLED = """
import sys

if "qbench.engine.worker" in sys.orig_argv:
    import os, signal
    from qbench.engine import converting

    converting.convert_folder = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_real_worker_that_is_killed_is_replaced(sweep, tmp_path, monkeypatch, capsys):
    command = [*PAIR, "isolate=true", f"out={sweep}"]
    (tmp_path / "sitecustomize.py").write_text(KILLED)
    close_workers()
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        assert main(command) == 1
        close_workers()
    assert capsys.readouterr().err.count("The worker process ended by signal 9.") == 2
    assert reports(sweep) == {}
    assert main(command) == 0
    assert reports(sweep) == {"baseline": "float", "default": "approximate"}


@pytest.mark.parametrize(("export", "code"), [("none", 0), ("failed", 1), ("", 1)])
def test_a_worker_tells_refusals_from_other_failures(sweep, monkeypatch, export, code):
    def failed(*_: Any, **arguments: Any) -> Failure:
        return Failure("no", export=export)

    monkeypatch.setattr(exporting, "worker_for", lambda *_: SimpleNamespace(ask=failed))
    assert main([*PAIR, "isolate=true", "device=cpu", f"out={sweep}"]) == code
    assert reports(sweep) == ({"baseline": export, "default": export} if export else {})


def without_weights(sweep: Path) -> None:
    for path in sweep.glob("runs/*/model.weights.h5"):
        path.unlink()


def test_runs_without_weights_are_said_and_left(sweep, converter, capsys):
    without_weights(sweep)
    assert main([*PAIR, f"out={sweep}"]) == 0
    err = capsys.readouterr().err
    for label in ("baseline", "default"):
        path = run_of(sweep, label) / "deploy.json"
        assert f"{path}: cannot be made: the run's weights are missing; train it again." in err
    assert (converter.calls, reports(sweep)) == (0, {})


def test_committed_records_stay_as_they_are(sweep, converter, capsys):
    assert main([*PAIR, f"out={sweep}"]) == 0
    without_weights(sweep)
    for path in sweep.glob("runs/*/*.tflite"):
        path.unlink()
    kept = {path: path.read_bytes() for path in sweep.glob("runs/*/*")}
    capsys.readouterr()
    assert main([*PAIR, f"out={sweep}"]) == 0
    assert {path: path.read_bytes() for path in sweep.glob("runs/*/*")} == kept
    assert converter.calls == 2
    err = capsys.readouterr().err
    assert "cannot be made" not in err and "not converted" not in err
    assert rows_of(sweep)["default"]["deployed_accuracy"] == "50.0"


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"another")])
def test_a_file_that_is_not_what_was_written_is_made_again(sweep, converter, spoil):
    assert main([*PAIR, f"out={sweep}"]) == 0
    file = run_of(sweep, "default") / "model_int8.tflite"
    spoil(file)
    assert main([*PAIR, f"out={sweep}"]) == 0
    assert file.read_bytes() == CONTENT
    assert converter.calls == 3


def test_figures_of_other_images_are_made_again(sweep, converter):
    assert main([*PAIR, f"out={sweep}"]) == 0
    path = run_of(sweep, "default") / "deploy.json"
    whole = path.read_bytes()
    path.write_text(json.dumps({**json.loads(whole), "images": 50}))
    assert main([*PAIR, f"out={sweep}"]) == 0
    assert path.read_bytes() == whole
    assert converter.calls == 3


def test_what_cannot_be_tried_beforehand_is_not_called_inconvertible(
    tmp_path, converter, monkeypatch, capsys
):
    def refuse(*_: Any) -> None:
        raise MemoryError

    def export(*arguments: Any) -> Any:
        trained.append(len(list(tmp_path.glob("runs/*/record.json"))))
        return converter(*arguments)

    trained: list[int] = []
    monkeypatch.setattr(convert, "attempt", refuse)
    monkeypatch.setattr(convert, "export", export)
    assert main([*PAIR, f"out={tmp_path}"]) == 0
    assert trained == [1, 2]  # a run is converted before the next one is trained
    err = capsys.readouterr().err
    assert "resnet_v1: a file (float) could not be tried. MemoryError" in err
    assert "file can be made of" not in err
