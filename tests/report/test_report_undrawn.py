"""A figure that cannot be drawn costs that figure alone."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import report_conversions as conversions
import report_examples as examples
import report_grids as grids

from qbench.cli.main import main
from qbench.report import deployed, drawing, figures, heatmap, latency
from qbench.report.build import build_report

OP = "Training loss by fake-quantization op"
TABLES = ["runs.csv", "table.csv", "table.md"]
Breaks = Callable[[BaseException], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the paper's figures the one of ops, and the one of converted files."""
    made = examples.write(tmp_path, examples.rows()[:3])
    conversions.add(made, 1)
    return made


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Makes the drawing of the losses by op raise."""
    original = figures._draw

    def break_with(error: BaseException) -> None:
        def draw(curves: Any, title: str, loss_name: str) -> Any:
            if title == OP:
                raise error
            return original(curves, title, loss_name)

        monkeypatch.setattr(figures, "_draw", draw)

    return break_with


def _names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "figures").iterdir()}


def test_the_others_and_the_tables_and_the_page_are_there(folder: Path, breaks: Breaks) -> None:
    whole = build_report(folder)
    before = {name: (folder / name).read_bytes() for name in TABLES}
    for name in TABLES:
        (folder / name).unlink()
    breaks(ValueError("no <room>\nfor it & more"))
    report = build_report(folder)
    said = f"The figure {OP} could not be drawn. ValueError: no <room> for it & more."
    assert report.undrawn == [OP]
    assert report.text == f"{whole.text}\n! {said}"
    assert {name: (folder / name).read_bytes() for name in TABLES} == before
    assert _names(folder) == {"deployed.png", "deployed.svg"}
    page = (folder / "report.html").read_text()
    assert said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page


def test_the_next_report_draws_it(
    folder: Path, breaks: Breaks, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with monkeypatch.context():
        breaks(RuntimeError("just now"))
        assert main(["report", str(folder)]) == 1
    said = capsys.readouterr()
    assert f"! The figure {OP} could not be drawn. RuntimeError: just now." in said.out
    assert said.err == (
        f"qbench: 1 figure could not be drawn ({OP}); the tables stand, and the same command tries"
        " again.\n"
    )
    monkeypatch.undo()
    assert main(["report", str(folder)]) == 0
    assert "fig3_op.svg" in _names(folder)
    assert "could not be drawn" not in (folder / "report.html").read_text()


def _with_latencies(root: Path) -> Path:
    made = examples.write(root, examples.rows()[:2])
    run = conversions.add(made, 1)
    row = {"kernels": "xnnpack", "threads": 1, "milliseconds": {"int8": {"median": 3}}}
    timed = {"file": "model_int8.tflite", "sha256": "aa", "batch": 1, "rows": [row]}
    (run / "latency.json").write_text(json.dumps(timed))
    return made


@pytest.mark.parametrize(
    ("module", "name", "make"),
    [
        (deployed, "deployed", _with_latencies),
        (latency, "latency_accuracy", _with_latencies),
        (heatmap, "bits_grid", lambda root: grids.write(root, grids.GRID)),
    ],
)
def test_no_figure_takes_others_with_it(
    module: Any,
    name: str,
    make: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make(tmp_path)
    build_report(folder)
    before = _names(folder)
    assert {f"{name}.png", f"{name}.svg"} <= before

    def fails(*_: object) -> None:
        raise ValueError("cannot")

    monkeypatch.setattr(module, "_draw", fails)
    assert len(build_report(folder).undrawn) == 1
    assert _names(folder) == before - {f"{name}.png", f"{name}.svg"}
    assert "could not be drawn. ValueError: cannot." in (folder / "report.html").read_text()


def test_half_a_figure_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SVG fails when the PNG is written."""
    original = drawing.records.write_atomically

    def write(path: Path, content: bytes) -> None:
        if path.name == "fig3_op.svg":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        original(path, content)

    monkeypatch.setattr(drawing.records, "write_atomically", write)
    assert build_report(folder).undrawn == [OP]
    assert _names(folder) == {"deployed.png", "deployed.svg"}


def test_a_folder_in_the_place_of_a_figure_is_that_figures_affair(folder: Path) -> None:
    (folder / "figures" / "fig3_op.png").mkdir(parents=True)
    assert build_report(folder).undrawn == [OP]
    assert "deployed.png" in _names(folder)


def test_old_figures_and_the_old_page_are_gone_before_new_tables_stand(
    folder: Path, breaks: Breaks
) -> None:
    """Whoever stops a report in between finds nothing that is of other records."""
    build_report(folder)
    own = folder / "figures" / "of_my_own.png"
    own.write_bytes(b"kept")
    breaks(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        build_report(folder)
    assert _names(folder) == {own.name}
    assert not (folder / "report.html").exists()
    assert all((folder / name).is_file() for name in TABLES)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_not_a_figures_affair(code: int, folder: Path, breaks: Breaks) -> None:
    breaks(OSError(code, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        build_report(folder)


def test_a_style_of_ones_own_changes_no_figure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as LaTeX for all text, which may not even be installed."""
    build_report(folder)
    before = (folder / "figures" / "fig3_op.png").read_bytes()
    with matplotlib.rc_context({"text.usetex": True, "lines.linewidth": 9}):
        assert build_report(folder).undrawn == []
    assert (folder / "figures" / "fig3_op.png").read_bytes() == before


def test_what_a_killed_report_left_is_removed(folder: Path) -> None:
    left = [folder / ".table.csv.x1.qbench-tmp", folder / "figures/.fig1_op.png.x1.qbench-tmp"]
    left[1].parent.mkdir(exist_ok=True)
    for path in left:
        path.write_text("")
    build_report(folder)
    assert [path for path in left if path.exists()] == []
