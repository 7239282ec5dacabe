"""A sweep that is killed, stopped, run twice at once or out of disk still ends with its table."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from engine_sweeps import RUNS, SWEEP, Process, leftovers, results, wait_until

pytestmark = pytest.mark.slow

KILLS = 20


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(folder, what must come out, seconds it took)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    process = Process([*SWEEP, f"out={folder}"], tmp_path_factory.mktemp("output"))
    outcome = process.wait()
    seconds = time.monotonic() - process.started
    assert outcome.code == 0, outcome.err
    assert leftovers(folder) == []
    expected = results(folder)
    assert len(expected["weights"]) == RUNS
    return folder, expected, seconds


def _moments(seconds):
    """One random moment in each twentieth of a sweep's length, in random order."""
    chance = random.Random(20)
    moments = [(k + chance.random()) / KILLS * seconds for k in range(KILLS)]
    chance.shuffle(moments)
    return moments


def _kill_again_and_again(root, output, moments):
    """Sweeps below `root`, killed at these moments; returns their folders, each with its table.

    A sweep that ends before it is killed, or as it is, is replaced by a fresh one: every kill hits.
    """
    folders = [root / "0"]
    while True:
        process = Process([*SWEEP, f"out={folders[-1]}"], output)
        if moments:
            time.sleep(moments[-1])
            process.kill()
        outcome = process.wait()
        if moments and outcome.code == -signal.SIGKILL:
            moments.pop()
            continue
        assert outcome.code == 0, outcome.err
        if not moments:
            return folders
        moments[-1] *= 0.9  # or a moment past every sweep's end would never come
        folders.append(root / str(len(folders)))


@pytest.fixture(scope="module")
def survivors(undisturbed, tmp_path_factory):
    """Folders of sweeps that were killed 20 times in all, and went on each time to the end."""
    root, output = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("output")
    moments = _moments(undisturbed[2])
    with ThreadPoolExecutor(2) as pool:
        pair = [
            pool.submit(_kill_again_and_again, root / f"{k}", output / f"{k}", moments[k::2])
            for k in range(2)
        ]
        return [folder for future in pair for folder in future.result()]


def test_killed_at_twenty_moments_the_results_are_those_of_an_undisturbed_sweep(
    undisturbed, survivors
):
    for folder in survivors:
        assert results(folder) == undisturbed[1]


def test_killed_at_twenty_moments_nothing_is_left_lying_about(survivors):
    assert [leftovers(folder) for folder in survivors] == [[] for _ in survivors]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_sweep_which_then_goes_on(undisturbed, tmp_path, number):
    process = Process([*SWEEP, f"out={tmp_path / 'sweep'}"], tmp_path / "output")
    wait_until(lambda: process.said("[ 3/10]"))
    process.kill(number)
    outcome = process.wait(30)
    assert outcome.code != 0
    assert "Traceback" not in outcome.err
    if number == signal.SIGINT:
        assert outcome.code == 130
        assert outcome.err.rstrip().endswith("interrupted; the same command goes on from here.")
    outcome = Process([*SWEEP, f"out={tmp_path / 'sweep'}"], tmp_path / "output").wait()
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


# After so many bytes, whatever is flushed to the disk, and every lock, meets a full disk.
FULL_DISK = """
import errno, os, pathlib
left, fsync, write_text = [{budget}], os.fsync, pathlib.Path.write_text
def refuse(): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
def limited_fsync(fd):
    left[0] -= os.fstat(fd).st_size
    refuse() if left[0] < 0 else fsync(fd)
def limited_write(path, *rest):
    refuse() if left[0] < 0 else write_text(path, *rest)
os.fsync, pathlib.Path.write_text = limited_fsync, limited_write
"""


def test_a_full_disk_is_said_in_a_sentence_and_the_sweep_goes_on_later(undisturbed, tmp_path):
    arguments = [*SWEEP, f"out={tmp_path / 'sweep'}"]
    said = []
    for budget in (1_000, 400_000, 900_000):
        stub = FULL_DISK.format(budget=budget)
        outcome = Process([*arguments, "isolate=false"], tmp_path / "output", stub).wait()
        said.append((outcome.code, outcome.err))
    assert all(code != 0 for code, _ in said)
    outcome = Process(arguments, tmp_path / "output").wait()
    assert outcome.code == 0, outcome.err
    assert results(tmp_path / "sweep") == undisturbed[1]
    for _, err in said:
        assert "disk full: no room for" in err
        assert "Traceback" not in err
