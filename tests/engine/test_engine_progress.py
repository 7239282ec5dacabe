"""What a sweep says of its runs while others may replace their folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_examples import experiment

from qbench.engine import progress, run_record
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
    followed = SweepProgress(tmp_path, {"a": "default"})
    with followed:
        pass
    assert "default" not in capfd.readouterr().err
    history.write_bytes(whole)
    with followed._bar:
        followed._look()
    assert "[1/1] default" in capfd.readouterr().err


class Bar:
    """A bar on a terminal that nobody sees."""

    def __init__(self, total: int, unit: str, **_: object) -> None:
        self.total, self.unit, self.done = total, unit, 0

    def update(self, count: int) -> None:
        self.done += count

    def close(self) -> None:
        pass


def test_files_count_when_their_reports_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a report in the place of an older one."""
    monkeypatch.setattr(progress, "tqdm", Bar)
    new, again, never = (tmp_path / name for name in ("new.json", "again.json", "never.json"))
    again.write_text("{}")
    with SweepProgress(tmp_path, {}, [new, again, never]) as followed:
        new.write_text("{}")
        aside = tmp_path / "aside"
        aside.write_text("{}")
        aside.replace(again)
    bar = vars(followed)["_bar"]
    assert (bar.total, bar.unit, bar.done) == (3, "result", 2)
