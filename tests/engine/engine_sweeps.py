"""A small sweep as a process of its own, to be interfered with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SWEEP = [
    "sweep",
    "study=digits",
    "train.steps=60",
    "model.width=4",
    "eval.limit=100",
    "train.checkpoint_every=7",
    "design.factors=[quant.bits,quant.delay]",
    "quant.bits=8,4",
    "quant.delay=0.8,0.4,0.6",
    "threads=2",
    "workers=1",  # what a stub does in this process must be all there is
]
RUNS = 5
PATIENCE = 150.0  # seconds; a sweep takes 15, more on a busy machine


# A shell's background jobs ignore SIGINT, and so would what they start: be as in the foreground.
_HEAD = "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"


@dataclass(frozen=True)
class Outcome:
    """How a process ended."""

    code: int
    out: str
    err: str


class Process:
    """`qbench ARGUMENTS` in a process group of its own, with its output in files."""

    def __init__(self, arguments: list[str], scratch: Path, stub: str = "") -> None:
        """`stub` is Python code that runs before qbench does."""
        scratch.mkdir(parents=True, exist_ok=True)
        number = len(list(scratch.iterdir()))
        self._files = scratch / f"out{number}", scratch / f"err{number}"
        code = f"{_HEAD}{stub}\nfrom qbench.cli.main import main\nsys.exit(main(sys.argv[1:]))"
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.started = time.monotonic()

    def wait(self, seconds: float = PATIENCE) -> Outcome:
        """The outcome; a process that hangs is killed and the error says what it wrote."""
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"hangs after:\n{self._files[1].read_text()[-2000:]}") from None
        return Outcome(code, *(file.read_text() for file in self._files))

    def kill(self, number: int = signal.SIGKILL) -> None:
        """A signal to the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def said(self, text: str) -> bool:
        """Whether it has written `text` to standard error so far."""
        return text in self._files[1].read_text()


def wait_until(true: object, seconds: float = PATIENCE) -> None:
    """Poll a function until it returns something true."""
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def results(folder: Path) -> dict[str, bytes | dict[str, str]]:
    """What must not depend on how a sweep was interrupted."""
    records = {path.parent.name: _record(path) for path in folder.glob("runs/*/record.json")}
    kept = ("config.json", "history.csv", "ranges.json")
    return {
        "table.csv": (folder / "table.csv").read_bytes(),
        "table.md": (folder / "table.md").read_bytes(),
        "weights": {run: str(record["weights_sha256"]) for run, record in records.items()},
        **{
            f"{run}/{name}": (folder / "runs" / run / name).read_bytes()
            for run in records
            for name in kept
        },
    }


def _record(path: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads(path.read_bytes())
    return record


def leftovers(folder: Path) -> list[str]:
    """Locks, checkpoints, job files and temporary files that a finished sweep has no use for."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(
        str(name)
        for name in names
        if any(part.startswith(".") for part in name.parts) or name.parts[0] in ("jobs", "segments")
    )
