"""What a sweep says of its runs while others may replace their folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_examples import experiment

from qbench.engine import run_record
from qbench.engine.progress import SweepProgress
from qbench.storage import layout

DATA = {"name": "digits", "hash": "0", "note": "", "train_images": 1, "test_images": 1, "task": {}}
CPU = {"kind": "CPU", "name": "CPU"}


def test_a_record_that_is_replaced_while_it_is_read_is_looked_at_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_record.write_failure(tmp_path, experiment(), "a", DATA, CPU, {"message": "out of luck"})
    history = layout.run_folder(tmp_path, "a") / layout.HISTORY
    whole = history.read_bytes()
    history.write_text("of the next one")
    progress = SweepProgress(tmp_path, {"a": "default"})
    with progress:
        pass
    assert "default" not in capfd.readouterr().err
    history.write_bytes(whole)
    with progress._bar:
        progress._look()
    assert "[1/1] default" in capfd.readouterr().err
