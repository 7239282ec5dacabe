"""The figure of latency against accuracy, from hand-written reports of conversion and timing."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest
import report_conversions as conversions
import report_examples as examples

from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.drawing import draw
from qbench.report.latency import latency_figure
from qbench.report.timings import points

ACCURACIES = {"xnnpack": 98.0, "builtin": 97.0}


def timing(kind: str, median: float, threads: int = 1, path: str = "xnnpack") -> dict[str, Any]:
    row = {"median": median, "p90": 2 * median, "minimum": median / 2}
    both = {"float": {**row, "median": 99.0}, kind: row}
    return {"kernels": path, "threads": threads, "runs": 50, "milliseconds": both, "ratio": {}}


def add(
    folder: Path, number: int, kind: str, rows: list[dict[str, Any]], seed: int = 0, **over: Any
) -> Path:
    """Give a run of the made-up sweep a converted file and its latencies."""
    kernels = {k: conversions.path(v) for k, v in over.get("accuracies", ACCURACIES).items()}
    run = conversions.add(folder, number, seed, kernels=kernels, images=over.get("images", 599))
    timed = {
        "file": f"model_{kind}.tflite",
        "sha256": over.get("sha256", "aa"),
        "batch": over.get("batch", 1),
        "rows": rows,
    }
    (run / "latency.json").write_text(json.dumps(timed))
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = examples.write(tmp_path, examples.rows())
    add(made, 0, "float", [timing("float", 8), timing("float", 12, path="builtin")])
    add(made, 1, "int8", [timing("int8", 3), timing("int8", 2, threads=4)])
    return made


def _found(folder: Path) -> list[tuple[Any, ...]]:
    return [
        (p.label, p.kind, p.kernels, p.threads, p.milliseconds, p.value)
        for p in points(collect(folder))[0]
    ]


def _left_out(folder: Path) -> list[str]:
    return points(collect(folder))[1]


def _svg(folder: Path) -> str:
    """The text of the figure."""
    return html.unescape(_drawn(folder)[1].decode())


def _drawn(folder: Path) -> list[bytes]:
    """PNG and SVG."""
    (folder / "drawn").mkdir(exist_ok=True)
    (drawn,) = draw(latency_figure(collect(folder)), folder / "drawn")
    return [path.read_bytes() for path in drawn.files]


def test_a_row_is_a_point_on_each_path_with_the_fewest_threads(folder: Path) -> None:
    assert _found(folder) == [
        ("baseline", "float", "xnnpack", 1, 8, 98),
        ("baseline", "float", "builtin", 1, 12, 97),
        ("default", "int8", "xnnpack", 1, 3, 98),
    ]


def test_several_seeds_are_averaged(tmp_path: Path) -> None:
    made = examples.write(tmp_path, examples.rows(3), seeds=3)
    add(made, 1, "int8", [timing("int8", 3)])
    add(made, 1, "int8", [timing("int8", 5)], seed=2, accuracies={"xnnpack": 90.0})
    assert _found(made) == [("default", "int8", "xnnpack", 1, 4, 94)]


def test_paths_without_figures_are_left_out(folder: Path) -> None:
    error = {"kernels": "reference", "threads": 1, "error": "no such operator"}
    add(folder, 2, "int8", [error, timing("int8", 4, path="reference")])
    assert len(_found(folder)) == 3
    assert _left_out(folder) == ["Left out: quant.op=fake_quant (not run on reference)."]


def test_a_file_converted_anew_since_is_left_out(folder: Path) -> None:
    add(folder, 1, "int8", [timing("int8", 3)], sha256="bb")
    assert [point[0] for point in _found(folder)] == ["baseline", "baseline"]
    assert _left_out(folder) == ["Left out: default (converted anew since it was timed)."]


def test_a_file_that_could_not_be_converted_again_is_left_out(folder: Path) -> None:
    conversions.put(folder, 1, 0, conversions.none())
    assert _left_out(folder) == ["Left out: default (not converted)."]


def test_a_file_measured_on_other_images_is_left_out(folder: Path) -> None:
    add(folder, 1, "int8", [timing("int8", 3)], images=50)
    assert [point[0] for point in _found(folder)] == ["baseline", "baseline"]
    (said,) = _left_out(folder)
    assert said.startswith("Left out: default (its file was measured on 50 test images")


def test_rows_timed_with_another_batch_are_named_below_the_figure(folder: Path) -> None:
    """The batch of most rows is drawn."""
    add(folder, 2, "int8", [timing("int8", 20)], batch=8)
    add(folder, 3, "int8", [timing("int8", 20)], batch=8)
    add(folder, 4, "int8", [timing("int8", 3)])
    labels = [row.label for row in examples.rows()]
    assert {point[0] for point in _found(folder)} == {labels[0], labels[1], labels[4]}
    said = f"Left out: {labels[2]}, {labels[3]} (timed with batch 8)."
    assert _left_out(folder) == [said]
    assert said in _svg(folder)


def test_a_batch_is_said_on_the_axis(folder: Path) -> None:
    for number in range(2):
        add(folder, number, "int8", [timing("int8", 20)], batch=8)
    assert "milliseconds, 8 images at once" in _svg(folder)


def test_a_row_timed_with_fewer_threads_hides_no_other(folder: Path) -> None:
    """The number of threads that most rows have is drawn, the smallest of several such."""
    for number in (0, 1):
        rows = [timing("int8", 3, threads=2), timing("int8", 2, threads=4)]
        add(folder, number, "int8", rows)
    add(folder, 2, "int8", [timing("int8", 5)])
    assert [(point[0], point[3]) for point in _found(folder)] == [("baseline", 2), ("default", 2)]
    said = "Left out: quant.op=fake_quant (not timed with 2 threads on xnnpack)."
    assert _left_out(folder) == [said]


def test_a_seed_that_was_timed_otherwise_is_named(tmp_path: Path) -> None:
    made = examples.write(tmp_path, examples.rows(2), seeds=2)
    add(made, 0, "float", [timing("float", 9)])
    add(made, 1, "int8", [timing("int8", 3)])
    add(made, 1, "int8", [timing("int8", 50)], seed=1, batch=16)
    assert [point[4] for point in _found(made)] == [9, 3]
    assert _left_out(made) == ["Left out: default seed 1 (timed with batch 16)."]


@pytest.mark.parametrize("name", ["latency.json", "deploy.json"])
@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"sha256": "aa"}', '{"sha256": "aa", "rows": 3}'),
        '{"sha256": "aa", "file": "model_int8.tflite", "batch": [], "rows": [{"kernels": "xnnpack",'
        ' "threads": 1, "milliseconds": {"int8": {"median": 1}}}]}',
    ],
)
def test_a_damaged_report_is_named_and_left_out(
    folder: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder.parent / "runs" / examples.run_id(1, 0)
    (run / name).write_text(text)
    assert [point[0] for point in _found(folder)] == ["baseline", "baseline"]
    assert run.name in capsys.readouterr().err


def test_the_figure_stands_on_the_page(folder: Path) -> None:
    build_report(folder)
    page = (folder / "report.html").read_text()
    assert 'aria-label="Accuracy by latency"' in page
    for said in ("baseline (float)", "default (int8)", "xnnpack, 1 thread", "builtin, 1 thread"):
        assert said in page
    assert (folder / "figures" / "latency_accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_reports_give_the_same_bytes(folder: Path) -> None:
    assert _drawn(folder) == _drawn(folder)


def test_many_rows_share_a_legend_by_kind(tmp_path: Path) -> None:
    ok: list[str | None] = ["ok"]
    table = [
        examples.Row(f"quant.bits={k}", {"quant.bits": k}, examples.DEFAULT, list(ok))
        for k in range(2, 25)
    ]
    made = examples.write(tmp_path, table)
    for number in range(len(table)):
        add(made, number, "int8", [timing("int8", 3 + number)])
    svg = _svg(made)
    assert ">int8<" in svg and "quant.bits" not in svg


@pytest.mark.slow
def test_without_latencies_an_old_figure_goes(folder: Path) -> None:
    build_report(folder)
    assert list(folder.rglob("latency_accuracy.*"))
    for run in (folder.parent / "runs").glob("*/latency.json"):
        run.unlink()
    build_report(folder)
    assert not list(folder.rglob("latency_accuracy.*"))
    assert "Accuracy by latency" not in (folder / "report.html").read_text()
