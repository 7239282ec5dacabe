"""Faults that a worker process can be told to have, by files in the root folder of its job."""

from __future__ import annotations

from pathlib import Path

# Becomes sitecustomize.py in front of a worker's path; every job asks it first.
NO_TEMPORARY = "QBENCH_TESTED_WITHOUT_TEMPORARY_FILES"
CODE = (
    f"""
NO_TEMPORARY = {NO_TEMPORARY!r}
"""
    + """
import sys

if "qbench.engine.worker" in sys.orig_argv:
    import errno, os, signal, subprocess
    from qbench.engine import execute as engine

    print('a greeting', '{"of": "the site"}', 7, "null", sep="\\n", flush=True)
    if os.environ.get(NO_TEMPORARY):
        from qbench.base import device

        def start(threads, deterministic):
            raise FileNotFoundError(2, "No usable temporary directory found in ['/a', '/b']")

        device.start = start

    original = engine.execute

    def execute(spec, report, say):
        root = spec.root
        if (root / "noisy").exists():
            print("printed by the job")
            print('{"event": "done"}')
            sys.__stdout__.write("and more") if sys.__stdout__ else None
            os.write(1, b"written to the descriptor\\n")
            subprocess.run(["echo", "by a child"], check=True)
        deaths = root / f"deaths-{spec.id}"
        if (root / "full").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = int(deaths.read_text()) if deaths.exists() else 0

        def deadly(new, loss):
            report(new, loss)
            if left:
                deaths.write_text(str(left - 1))
                os.kill(os.getpid(), signal.SIGKILL)

        original(spec, deadly, say)

    engine.execute = execute
"""
)


def install(folder: Path) -> None:
    """Put the code where Python finds it if `folder` is in PYTHONPATH."""
    (folder / "sitecustomize.py").write_text(CODE)


def kill(root: Path, job: str, times: int) -> None:
    """Let the worker die so many times in the middle of a job."""
    (root / f"deaths-{job}").write_text(str(times))
