"""`qbench status --watch` of a made-up sweep that goes on between two looks."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qbench.cli import watching
from qbench.cli.main import main
from qbench.cli.watching import ENDED, QUIET, watch
from qbench.storage import layout, locks, records
from qbench.storage.conversions import write as write_report
from qbench.storage.decisions import Decisions

Step = Callable[[], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep of three runs that nobody has begun."""
    rows = [
        {"label": label, "runs": [{"seed": 0, "id": f"{k}a", "segments": [f"{k}b"]}]}
        for k, label in enumerate(("baseline", "default", "quant.bits=4"))
    ]
    manifest = {"schema": records.SCHEMA, "seeds": [0], "runs": "runs", "rows": rows}
    (tmp_path / layout.MANIFEST).write_text(json.dumps(manifest))
    layout.segments_folder(tmp_path).mkdir()
    return tmp_path


def finish(folder: Path, number: int, status: str = "ok") -> None:
    record = {"schema": records.SCHEMA, "status": status}
    records.write_run(folder, f"{number}a", config={}, record=record)


def page(folder: Path) -> None:
    now = time.time_ns()
    (folder / layout.PAGE).touch()
    os.utime(folder / layout.MANIFEST, ns=(now, now - 10**9))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(folder: Path, *steps: Step, out: io.StringIO | None = None) -> str:
    """What watching prints while these steps happen; ten minutes pass in the pauses after them."""
    told, left, hours = out or io.StringIO(), list(steps), [0.0]

    def pause(seconds: float) -> None:
        if left:
            left.pop(0)()
        else:
            hours[0] += 600

    watch(folder, told, pause, lambda: hours[0])
    return told.getvalue()


def test_every_change_is_a_line_until_the_sweep_ends(folder: Path) -> None:
    with locks.locked(layout.segment_file(folder, "1b", layout.LOCK), print):
        running = shown(folder, lambda: finish(folder, 0), lambda: None, _interrupt)
    assert running == ("0 done, 1 running, 0 failed, 2 waiting\ndone     baseline seed 0\n")
    text = shown(
        folder,
        lambda: finish(folder, 1, "failed"),
        lambda: finish(folder, 2),
        lambda: write_report(folder / "runs" / "2a", {"export": "none", "export_note": ""}),
        lambda: page(folder),
    )
    assert text == (
        "1 done, 0 running, 0 failed, 2 waiting\n"
        "failed   default seed 0\n"
        "done     quant.bits=4 seed 0\n"
        f"2 done, 0 running, 1 failed, 0 waiting, 1 converted; {ENDED}\n"
    )


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_page_of_an_earlier_sweep_is_no_end(folder: Path) -> None:
    page(folder)
    now = time.time_ns() + 10**9
    os.utime(folder / layout.MANIFEST, ns=(now, now))
    assert shown(folder, lambda: finish(folder, 0)).endswith(
        f"1 done, 0 running, 0 failed, 2 waiting; {QUIET}\n"
    )


def test_nothing_ends_while_a_process_trains(folder: Path) -> None:
    page(folder)
    steps = [lambda: None] * 3
    with locks.locked(layout.segment_file(folder, "1b", layout.LOCK), print):
        assert ENDED not in shown(folder, *steps, _interrupt)
    assert ENDED in shown(folder)


def test_a_terminal_shows_the_present_states(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        watching.shutil, "get_terminal_size", lambda **given: os.terminal_size((60, 24))
    )
    text = shown(folder, lambda: finish(folder, 0), lambda: page(folder), out=Terminal())
    first, second, third = text.split("\x1b[4F\x1b[J")
    assert first.startswith("waiting  baseline seed 0\nwaiting  default seed 0\n")
    assert second.startswith("done     baseline seed 0\nwaiting  default seed 0\n")
    assert third.endswith(f"1 done, 0 running, 0 failed, 2 waiting\n{ENDED}\n")


def test_a_low_terminal_shows_what_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        watching.shutil, "get_terminal_size", lambda **given: os.terminal_size((18, 4))
    )
    finish(folder, 0)
    with locks.locked(layout.segment_file(folder, "2b", layout.LOCK), print):
        text = shown(folder, _interrupt, out=Terminal())
    lines = text.splitlines()
    assert len(lines) == 3 and lines[0].startswith("running") and lines[1] == "... and 2 more"
    assert all(len(line) <= 17 for line in lines)


def test_runs_that_are_done_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(folder, 0)
    read: list[str] = []
    finished = records.finished
    monkeypatch.setattr(records, "finished", lambda *of: (read.append(of[1]), finished(*of))[1])
    shown(folder, lambda: None)
    assert read.count("0a") == 1 and read.count("1a") > 1


def test_mistakes_are_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--wach", str(folder)]) == 2
    assert "--wach is not an option of qbench status; there is --watch." in capsys.readouterr().err
    assert main(["status", "--watch"]) == 2
    assert main(["status", "--watch", str(folder / "runs")]) == 2
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.slow
def test_ctrl_c_is_quiet(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "qbench", "status", "--watch", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores the signal, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "0 done, 0 running, 0 failed, 3 waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "" and process.stderr.read() == ""
        assert process.wait(60) == 0


def test_decisions_come_before_the_runs(folder: Path) -> None:
    """A sweep with `train.steps=auto` has no runs until its number of steps is decided."""
    decisions = Decisions(folder, print)
    decisions.make_folder()
    deciding, manifest = folder / layout.DECIDING, (folder / layout.MANIFEST).read_bytes()
    waits = [{"id": "a", "label": "steps of default"}]
    deciding.write_text(json.dumps({"runs": "runs", "decisions": waits}))
    page(folder)
    (folder / layout.MANIFEST).unlink()

    def decide() -> None:
        decisions.write("a", {"steps": 5})

    def begin() -> None:
        (folder / layout.MANIFEST).write_bytes(manifest)
        deciding.unlink()

    with locks.locked(decisions.lock("a"), print):
        text = shown(folder, decide, begin, lambda: page(folder))
    assert text == (
        "0 done, 1 running, 0 failed, 0 waiting\n"
        "done     steps of default\n"
        "waiting  baseline seed 0\n"
        "waiting  default seed 0\n"
        "waiting  quant.bits=4 seed 0\n"
        f"0 done, 0 running, 0 failed, 3 waiting; {ENDED}\n"
    )
