"""Damaged files through the runtime, which may end the process that runs them."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from qbench.base.errors import QbenchError
from qbench.deploy import trial
from qbench.deploy.lite import KERNELS, LiteFile

SCRIPT = Path(__file__).with_name("damaged_files.py")


def test_a_damaged_file_is_refused_or_run_or_ends_the_process_that_tries_it(trained, tmp_path):
    """What is raised is what `qbench latency` turns into a sentence."""
    path = tmp_path / "model.tflite"
    path.write_bytes(trained)
    command = [sys.executable, SCRIPT, path, "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    counts = Counter(done.stdout.split())
    assert counts.total() == 60
    assert set(counts) <= {"run", "QbenchError", "RuntimeError", "ValueError", "signal"}
    assert counts["signal"] < 5 < counts["QbenchError"]
    assert counts["run"] > 5


def test_a_file_that_ends_the_process_is_refused(trained, tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    path.write_bytes(trained)
    trial.try_apart(path, list(KERNELS), 2)
    # Stands for the runtime: the process that tries the file aborts.
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -ABRT $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(QbenchError, match=r"the runtime crashes on this file \(signal 6\)"):
        trial.try_apart(path, list(KERNELS), 2)


def test_what_the_runtime_merely_refuses_is_left_to_the_measurement(trained, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(trained[: len(trained) // 2])
    trial.try_apart(path, ["builtin"], 1)
    with pytest.raises(QbenchError, match="not a LiteRT file"):
        LiteFile(path.read_bytes(), "builtin")
