"""What is half-written: hidden, kept while its writer lives, removed after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qbench.storage import aside

WRITER = """
import sys
from pathlib import Path
from qbench.storage import aside
with getattr(aside, sys.argv[1])(Path(sys.argv[2])) as beside:
    print(beside, flush=True)
    sys.stdin.read()
"""
BOTH = pytest.mark.parametrize("kind", ["file_beside", "folder_beside"])


@contextmanager
def _writing(kind: str, path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that writes `path`, and the name beside it."""
    command = [sys.executable, "-c", WRITER, kind, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


@BOTH
def test_what_a_living_process_writes_stays_and_what_a_killed_one_left_goes(
    tmp_path: Path, kind: str
) -> None:
    with _writing(kind, tmp_path / "result") as (process, beside):
        aside.sweep_up([tmp_path])
        assert beside.exists()
        assert beside.name.startswith(".result.")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert beside.exists()
        aside.sweep_up([tmp_path])
        assert list(tmp_path.iterdir()) == []


@BOTH
def test_an_error_leaves_nothing(tmp_path: Path, kind: str) -> None:
    with pytest.raises(KeyError), getattr(aside, kind)(tmp_path / "result"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_what_is_swept_up_before_it_is_locked_is_made_again(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may sweep between the making and the lock."""
    made, lock = [], aside.fcntl.flock

    def swept_first(handle: int, how: int) -> None:
        found = list(tmp_path.iterdir())
        made.extend(found)
        if len(made) == 1:
            aside._remove(found[0])
        lock(handle, how)

    monkeypatch.setattr(aside.fcntl, "flock", swept_first)
    with getattr(aside, kind)(tmp_path / "result") as beside:
        assert beside == made[1] != made[0]
        assert beside.exists()


def test_other_names_stay(tmp_path: Path) -> None:
    names = [".git", ".notes.md.tmp", ".a.qbench-tmp", "a.b.qbench-tmp"]
    for name in names:
        (tmp_path / name).write_text("")
    aside.sweep_up([tmp_path, tmp_path / "none"])
    assert sorted(os.listdir(tmp_path)) == sorted(names)
