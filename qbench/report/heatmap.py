"""The heat map of differences by bits of weights and activations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from qbench.report import bits_grid, values
from qbench.report.bits_grid import BitsGrid
from qbench.report.drawing import Drawing, fitted, name_of

NAME = "bits_grid"
# The smallest end of the colour scale, in steps of the last printed digit (for accuracy 2
# percentage points), so that differences by chance have pale colours.
_LEAST_STEPS = 200
_DARK = 0.6  # share of the colour scale; above it the text is white
_SIDE = 0.85  # side of a cell, in inches


def heatmap(grids: list[BitsGrid], remarks: list[str]) -> list[Drawing]:
    """The matrices as one figure, side by side; empty if there is no matrix.

    Args:
        grids: the matrices.
        remarks: the notes on the data.
    """
    if not grids:
        return []
    return [Drawing(bits_grid.title(grids[0].metric), NAME, lambda: _draw(grids), remarks)]


def _draw(grids: list[BitsGrid]) -> Figure:
    rows = max(len(grid.values.index) for grid in grids)
    columns = sum(len(grid.values.columns) for grid in grids)
    size = (max(4.8, _SIDE * columns + 1.2 * len(grids) + 0.8), max(3.4, _SIDE * rows + 1.3))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(grids), squeeze=False)[0]
    metric = grids[0].metric
    span = max(_LEAST_STEPS / 10**metric.digits, *(_largest(grid.values) for grid in grids))
    for axes, grid in zip(panels, grids, strict=True):
        image = _panel(axes, grid, span)
    bar = figure.colorbar(image, ax=list(panels), shrink=0.85)
    along = values.unit_of_differences(metric) + values.direction(metric)
    bar.set_label(fitted(along, size[1] / 2))
    figure.suptitle(fitted(bits_grid.title(metric), size[0]), fontsize="medium")
    return figure


def _largest(differences: pd.DataFrame) -> float:
    """The largest absolute difference; 0 if there is none."""
    numbers = np.abs(differences.to_numpy(float))
    return float(np.nanmax(numbers)) if np.isfinite(numbers).any() else 0.0


def _panel(axes: Axes, grid: BitsGrid, span: float) -> AxesImage:
    """One matrix: blue if better than float, red if worse, each cell with its number."""
    colours = "RdBu" if grid.metric.higher_is_better else "RdBu_r"
    numbers = grid.values.to_numpy(float)
    image = axes.imshow(numbers, cmap=colours, vmin=-span, vmax=span)
    for (row, column), value in np.ndenumerate(numbers):
        dark = np.isfinite(value) and abs(value) > _DARK * span
        colour = "white" if dark else "black"
        text = values.difference(grid.metric, value)
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(numbers.shape[1]), list(map(name_of, grid.values.columns)))
    axes.set_yticks(range(numbers.shape[0]), list(map(name_of, grid.values.index)))
    axes.set(xlabel="bits of activations", ylabel="bits of weights")
    axes.set_title(name_of(bits_grid.heading(grid)), fontsize="small")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image
