"""A disk that fills up: said once, nothing half written, and the same command goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cli_examples as examples
import pytest
from full_disk import no_room_for, refuse

from qbench.cli.main import main
from qbench.storage import conversions

FEW = ["sweep", *examples.FEW]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> dict[str, str]:
    """Hashes of the weights of three runs that nothing happened to."""
    folder = tmp_path_factory.mktemp("few")
    assert main([*FEW, *tiny, f"out={folder}"]) == 0
    return examples.weights(folder)


def _leftovers(folder: Path) -> list[str]:
    hidden = [path.name for path in folder.rglob(".*")]
    return hidden + [path.name for path in folder.glob("segments/*.lock")]


def _full(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that finds no room says, in its one sentence on that."""
    capsys.readouterr()
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert (out + err).count("disk full") == 1
    assert "Traceback" not in out + err
    assert "tried again" not in err
    (line,) = [line for line in err.splitlines() if "disk full" in line]
    assert line.startswith("qbench: disk full: no room for ")
    assert line.endswith("; make room, and the same command goes on from here.")
    return line


FILES = {
    "trunk-*.json": "jobs/trunk-",
    "*.state": ".state",
    "model.weights.h5": "/runs/",
}


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        pytest.param(*item, marks=() if item[0] == "*.state" else pytest.mark.slow)
        for item in FILES.items()
    ],
    ids=FILES,
)
def test_a_sweep_goes_on_when_there_is_room(
    pattern: str,
    named: str,
    tiny: list[str],
    undisturbed: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [*FEW, *tiny, f"out={tmp_path}"]
    with pytest.MonkeyPatch.context() as patch:
        no_room_for(pattern, patch)
        assert named in _full(command, capsys)
    assert not _leftovers(tmp_path)
    assert not (tmp_path / "jobs").exists()
    assert main(command) == 0
    assert examples.weights(tmp_path) == undisturbed
    assert not _leftovers(tmp_path)


@pytest.mark.parametrize("pattern", ["*.partial", "history.csv"])
def test_a_run_goes_on_when_there_is_room(
    pattern: str,
    tiny: list[str],
    undisturbed: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["train", *tiny, "train.checkpoint_every=4", f"out={tmp_path}"]
    with pytest.MonkeyPatch.context() as patch:
        no_room_for(pattern, patch)
        _full(command, capsys)
    assert not _leftovers(tmp_path)
    assert list(tmp_path.glob("runs/*")) == []
    assert main(command) == 0
    (record,) = tmp_path.glob("runs/*/record.json")
    assert f'"{undisturbed["default"]}"' in record.read_text()


def test_where_nothing_can_be_locked_nothing_is_trained(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_text", refuse)
        watched = examples.Watched(patch)
        assert ".lock;" in _full([*FEW, *tiny, f"out={tmp_path}"], capsys)
    assert watched.total == 0
    assert not _leftovers(tmp_path)


def test_after_the_first_no_other_run_is_trained_in_vain(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        no_room_for("model.weights.h5", patch)
        watched = examples.Watched(patch)
        _full([*FEW, *tiny, f"out={tmp_path}"], capsys)
    assert watched.total < examples.ALL_SHARED


@pytest.mark.slow
def test_conversions_and_reports_go_on(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = ["sweep", *tiny, "design.factors=[]", "design.baseline=false", "deploy.enabled=true"]
    for arguments, pattern in (
        ([*sweep, f"out={tmp_path}"], "*.tflite"),
        (["report", str(tmp_path)], "table.md"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            no_room_for(pattern, patch)
            _full(arguments, capsys)
        assert not _leftovers(tmp_path)
        assert main(arguments) == 0
    (run,) = tmp_path.glob("runs/*")
    report = conversions.read(run)
    assert report is not None
    assert report["export"] != "none"


def _in_words(*_: Any) -> None:
    """As h5py and TensorFlow say it: without the system's number."""
    raise RuntimeError("file write failed: errno = 28, error message = 'No space left on device'")


def _no_folder(*_: Any) -> None:
    raise FileNotFoundError(2, "No usable temporary directory found in ['/a', '/b']")


@pytest.mark.parametrize(
    ("fails", "named", "verb"),
    [(_in_words, "what is to be written", ["train"]), (_no_folder, "temporary files", FEW)],
)
def test_libraries_that_find_no_room_are_understood(
    fails: Any,
    named: str,
    verb: list[str],
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("qbench.training.loop.train_phase", fails)
    assert named in _full([*verb, *tiny, f"out={tmp_path}"], capsys)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["--help"], ["plan"]])
def test_standard_output_that_takes_nothing(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "qbench", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
        )
    assert done.returncode == 1
    assert done.stderr == (
        "qbench: disk full: no room for what is to be written; make room, and the same command goes"
        " on from here.\n"
    )


def _on_a_small_disk(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a name space of its own, where it may mount what it likes."""
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", sys.executable]
    return subprocess.run([*command, str(folder)], capture_output=True, text=True)


@pytest.mark.slow
def test_on_a_real_disk_with_workers(tmp_path: Path) -> None:
    """A tmpfs with room for a trunk and for half of the first weights; then with more."""
    if shutil.which("unshare") is None or _on_a_small_disk("true", tmp_path).returncode:
        pytest.skip("no name spaces here")
    chosen = ["study=digits", *examples.FEW, "train.steps=40", "out=$2/s"]
    sweep = " ".join(chosen).replace("[", "\\[")
    script = f"""
        mount -t tmpfs -o size=1m tmpfs "$2"
        "$1" -m qbench sweep {sweep}; echo "first $?" >&2
        find "$2" -name '.*' -o -name '*.lock' -o -name jobs >&2
        mount -o remount,size=50m "$2"
        "$1" -m qbench sweep {sweep}; echo "second $?" >&2
    """
    done = _on_a_small_disk(script, tmp_path)
    started, full, first, *again = done.stderr.splitlines()
    assert "3 to do" in started
    assert full.startswith("qbench: disk full: no room for ")
    assert first == "first 1"
    assert "3 to do" in again[0]
    assert again[-1] == "second 0"
    assert "Traceback" not in done.stderr
