"""Figures have the metrics, units and losses that the records say they have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_examples as examples
import report_grids as grids
import report_tasks as tasks
from matplotlib.figure import Figure

from qbench.report import bits_grid, deployed, heatmap
from qbench.report.build import build_report
from qbench.report.collect import collect, runs_frame
from qbench.report.figures import loss_figures
from qbench.report.latency import latency_figure
from qbench.tasks.classification import Classification

ACCURACY = Classification(10).metrics[0]


def _colour(figure: Figure, row: int, column: int) -> tuple[float, float]:
    """Red and blue of a cell of the first matrix."""
    (image,) = figure.axes[0].get_images()
    data = np.asarray(image.get_array())
    red, _, blue, _ = image.to_rgba(data)[row, column]
    return float(red), float(blue)


@pytest.mark.parametrize("task", [tasks.HEIGHTS, None], ids=["lower", "higher"])
def test_blue_is_better_and_red_is_worse(task: dict[str, Any] | None, tmp_path: Path) -> None:
    sweep = collect(grids.write(tmp_path, grids.GRID, task=task))
    found = bits_grid.bits_grids(sweep)
    (drawing,) = heatmap.heatmap(found, [])
    figure = drawing.make()
    numbers = found[0].values.to_numpy(float)
    assert numbers.min() < -5 and numbers.max() > 5
    for (row, column), value in np.ndenumerate(numbers):
        red, blue = _colour(figure, row, column)
        assert (blue > red) == (value > 0) if task is None else (blue > red) == (value < 0)


def test_the_matrix_is_in_the_metrics_unit(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.GRID, task=tasks.HEIGHTS)
    shown = build_report(folder).text
    assert f"float mean absolute error {tasks.value(0):.3f} px" in shown
    assert f"{tasks.value(2) - tasks.value(0):+.3f}" in shown
    text = (folder / "bits_grid.md").read_text()
    title = "Difference to float mean absolute error by bits of weights and activations"
    assert title in text
    assert "Quantized less float in px (lower is better), the mean over the seeds; one" in text
    (drawing,) = heatmap.heatmap(bits_grid.bits_grids(collect(folder)), [])
    assert drawing.make().axes[-1].get_ylabel() == "px (lower is better)"


def test_small_differences_are_pale_in_any_unit(tmp_path: Path) -> None:
    """Colours end at 200 steps of the last digit: 2 percentage points, 0.2 px."""
    for metric, least in ((ACCURACY, 2.0), (tasks.FIRST, 0.2)):
        (found,) = bits_grid.bits_grids(collect(grids.write(tmp_path / metric.name, grids.GRID)))
        flat = bits_grid.BitsGrid("", metric, 1.0, 0 * found.values, found.intervals)
        (drawing,) = heatmap.heatmap([flat], [])
        (image,) = drawing.make().axes[0].get_images()
        assert image.get_clim() == (-least, least)


def test_losses_have_the_name_of_the_tasks_loss(tmp_path: Path) -> None:
    for name, task in {"squared error": tasks.HEIGHTS, "softmax cross-entropy": None}.items():
        table = examples.rows() if task is None else tasks.rows(task)
        drawings = loss_figures(collect(examples.write(tmp_path / name, table)))
        assert {drawing.make().axes[0].get_ylabel() for drawing in drawings} == {name}
        assert len(drawings) == 4


def test_losses_below_zero_are_drawn_too(tmp_path: Path) -> None:
    """Those of a likelihood may be; a logarithmic axis would leave them out without a word."""
    folder = examples.write(tmp_path, tasks.rows(tasks.HEIGHTS))
    sweep = collect(folder)
    (row,) = [row for row in sweep.manifest["rows"] if row["label"] == "baseline"]
    path = sweep.run_folder(row["runs"][0]["id"]) / "history.csv"
    drawing = loss_figures(sweep)[0]
    assert drawing.make().axes[0].get_yscale() == "log"
    history = pd.read_csv(path)
    history.assign(loss=history["loss"] - history["loss"].median()).to_csv(path, index=False)
    assert drawing.make().axes[0].get_yscale() == "linear"


def test_long_labels_and_units_fit_their_figures(tmp_path: Path) -> None:
    """As long as a metric may have them; what stands beyond a figure's edge would be cut off."""
    first = {**tasks.HEIGHTS["metrics"][0], "label": "long word " * 4, "unit": "m " * 9}
    task = {**tasks.HEIGHTS, "metrics": [first, tasks.HEIGHTS["metrics"][1]]}
    grid = collect(grids.write(tmp_path / "grid", grids.GRID, task=task))
    made = examples.write(tmp_path / "files", tasks.rows(task)[:2])
    tasks.add(made, 1)
    files = collect(made)
    drawings = heatmap.heatmap(bits_grid.bits_grids(grid), [])
    drawings += deployed.deployed_figure(runs_frame(files), files.metric, [])
    assert len(drawings) == 2
    for drawing in drawings:
        figure = drawing.make()
        figure.canvas.draw()
        box = figure.get_tightbbox()
        assert box.x0 > -0.02 and box.x1 < figure.get_figwidth() + 0.02


def test_latency_stands_against_the_first_metric(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, tasks.rows(tasks.HEIGHTS)[:2])
    run = tasks.add(folder, 1)
    row = {"kernels": "xnnpack", "threads": 1, "milliseconds": {"int8": {"median": 3}}}
    timed = {"file": "model_int8.tflite", "sha256": "aa", "batch": 1, "rows": [row]}
    (run / "latency.json").write_text(json.dumps(timed))
    (drawing,) = latency_figure(collect(folder))
    axes = drawing.make().axes[0]
    assert drawing.title == "Mean absolute error by latency"
    assert axes.get_ylabel() == "mean absolute error of the file, px (lower is better)"
    assert [list(line.get_ydata()) for line in axes.lines] == [[1.25]]
    build_report(folder)
    assert (folder / "figures" / "latency_mean_absolute_error.svg").is_file()
    (run / "latency.json").unlink()
    build_report(folder)
    assert not list((folder / "figures").glob("latency*"))
