"""Faults that a worker process can be told to have, by files in the root folder of its job."""

from __future__ import annotations

from pathlib import Path

# Becomes sitecustomize.py in front of a worker's path; every job asks it first.
CODE = """
import sys

if "qbench.engine.worker" in sys.orig_argv:
    import os, signal, subprocess
    from qbench.engine import execute as engine

    original = engine.execute

    def execute(spec, root, report, say):
        if (root / "noisy").exists():
            print("printed by the job")
            print('{"event": "done"}')
            sys.__stdout__.write("and more") if sys.__stdout__ else None
            os.write(1, b"written to the descriptor\\n")
            subprocess.run(["echo", "by a child"], check=True)
        deaths = root / f"deaths-{spec.id}"
        left = int(deaths.read_text()) if deaths.exists() else 0

        def deadly(new, loss):
            report(new, loss)
            if left:
                deaths.write_text(str(left - 1))
                os.kill(os.getpid(), signal.SIGKILL)

        original(spec, root, deadly, say)

    engine.execute = execute
"""


def install(folder: Path) -> None:
    """Put the code where Python finds it if `folder` is in PYTHONPATH."""
    (folder / "sitecustomize.py").write_text(CODE)


def kill(root: Path, job: str, times: int) -> None:
    """Let the worker die so many times in the middle of a job."""
    (root / f"deaths-{job}").write_text(str(times))
