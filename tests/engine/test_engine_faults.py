"""A sweep that is killed, stopped, run twice at once or out of disk still ends with its table."""

import os
import signal
from pathlib import Path

import pytest
from engine_sweeps import RUNS, SWEEP, Process, leftovers, results, wait_until
from full_disk import refuse

from qbench.cli.main import main

pytestmark = pytest.mark.slow

# Few steps with checkpoints, two trunks and rows of two factors; in one process.
SMALL = [
    *("sweep", "study=digits", "train.steps=10", "model.width=4", "eval.limit=100", "threads=2"),
    *("train.checkpoint_every=3", "isolate=false"),
    *("design.factors=[quant.bits,quant.delay]", "quant.bits=8,4", "quant.delay=0.8,0.5"),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(folder, what must come out)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    outcome = Process([*SWEEP, f"out={folder}"], tmp_path_factory.mktemp("output")).wait()
    assert outcome.code == 0, outcome.err
    assert leftovers(folder) == []
    expected = results(folder)
    assert len(expected["weights"]) == RUNS
    return folder, expected


def test_killed_while_it_starts_trains_evaluates_and_reports_it_ends_the_same(
    undisturbed, tmp_path
):
    """The sweep and its worker, each time at another stage."""
    folder = tmp_path / "sweep"
    stages = ("jobs/*", "segments/*.partial", "runs/*/record.json", "table.csv")
    for stage in stages:
        process = Process([*SWEEP, f"out={folder}"], tmp_path / "output")
        wait_until(lambda stage=stage: list(folder.glob(stage)))
        process.kill()
        assert process.wait().code == -signal.SIGKILL
    outcome = Process([*SWEEP, f"out={folder}"], tmp_path / "output").wait()
    assert outcome.code == 0, outcome.err
    assert results(folder) == undisturbed[1]
    assert leftovers(folder) == []


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """(the folder of a sweep, copies of it before changes to it, by what they hold)."""
    root = tmp_path_factory.mktemp("copies")
    stub = f"""
import pathlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from killed_copies import copy_before_changes
copy_before_changes(pathlib.Path({str(root / "whole")!r}), pathlib.Path({str(root / "copies")!r}))
"""
    outcome = Process([*SMALL, f"out={root / 'whole'}"], root / "output", stub).wait()
    assert outcome.code == 0, outcome.err
    return root / "whole", sorted((root / "copies").iterdir())


def test_the_copies_are_of_all_stages(copies):
    held = [{path.relative_to(copy).parts[0] for path in copy.rglob("*")} for copy in copies[1]]
    for name in ("manifest.json", "jobs", "segments", "runs", "table.csv", "runs.csv"):
        assert 0 < sum(name in names for names in held) < len(held)
    assert any(list(copy.glob("segments/*.lock")) for copy in copies[1])
    assert any(list(copy.glob("segments/*.partial")) for copy in copies[1])
    assert any(list(copy.glob("runs/.*")) for copy in copies[1])


def test_killed_before_any_change_to_its_folder_it_ends_the_same(copies):
    expected = results(copies[0])
    for copy in copies[1]:
        assert main([*SMALL, f"out={copy}"]) == 0
        assert results(copy) == expected
        assert leftovers(copy) == []


def test_a_signal_stops_a_sweep_which_then_goes_on(undisturbed, tmp_path):
    arguments = [*SWEEP, f"out={tmp_path / 'sweep'}"]
    for number, reached in ((signal.SIGTERM, "[1/5]"), (signal.SIGINT, "[1/")):
        process = Process(arguments, tmp_path / "output")
        wait_until(lambda process=process, reached=reached: process.said(reached))
        process.kill(number)
        outcome = process.wait(30)
        assert outcome.code != 0
        assert "Traceback" not in outcome.err
    assert outcome.code == 130
    assert outcome.err.rstrip().endswith("interrupted; the same command goes on from here.")
    outcome = Process(arguments, tmp_path / "output").wait()
    assert outcome.code == 0, outcome.err
    assert f"{RUNS} runs, {RUNS} to do" not in outcome.err
    assert results(tmp_path / "sweep") == undisturbed[1]


def test_two_sweeps_at_once_in_one_folder_both_end_well(undisturbed, tmp_path):
    pair = [Process([*SWEEP, f"out={tmp_path / 'sweep'}"], tmp_path / "output") for _ in range(2)]
    outcomes = [process.wait() for process in pair]
    assert [outcome.code for outcome in outcomes] == [0, 0], [o.err for o in outcomes]
    assert results(tmp_path / "sweep") == undisturbed[1]
    assert leftovers(tmp_path / "sweep") == []


def test_a_second_sweep_that_joins_in_the_middle_ends_well_too(undisturbed, tmp_path):
    arguments = [*SWEEP, f"out={tmp_path / 'sweep'}"]
    first = Process(arguments, tmp_path / "output")
    wait_until(lambda: list((tmp_path / "sweep").glob("segments/*.partial")))
    second = Process(arguments, tmp_path / "output")
    outcomes = [process.wait() for process in (first, second)]
    assert [outcome.code for outcome in outcomes] == [0, 0], [o.err for o in outcomes]
    assert results(tmp_path / "sweep") == undisturbed[1]
    assert leftovers(tmp_path / "sweep") == []


def fill_up(patch, room):
    """After `room` bytes, whatever is flushed to the disk, and every lock, meets a full disk."""
    left, fsync, write_text = room, os.fsync, Path.write_text

    def limited_fsync(handle):
        nonlocal left
        left -= os.fstat(handle).st_size
        refuse() if left < 0 else fsync(handle)

    def limited_write(path, *rest):
        refuse() if left < 0 else write_text(path, *rest)

    patch.setattr(os, "fsync", limited_fsync)
    patch.setattr(Path, "write_text", limited_write)


def test_a_full_disk_is_said_in_a_sentence_and_the_sweep_goes_on_later(copies, tmp_path, capsys):
    arguments = [*SMALL, f"out={tmp_path / 'sweep'}"]
    for room in (1_000, 100_000, 200_000):
        with pytest.MonkeyPatch.context() as patch:
            fill_up(patch, room)
            assert main(arguments) != 0
        said = capsys.readouterr().err
        assert "disk full: no room for" in said
        assert "Traceback" not in said
    assert main(arguments) == 0
    assert results(tmp_path / "sweep") == results(copies[0])
    assert leftovers(tmp_path / "sweep") == []
