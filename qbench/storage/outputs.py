"""The outputs for the test set that runs keep, beside their records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.files import as_npz
from qbench.storage import layout, records

_NAME = "outputs"


def has(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether a run's folder holds its outputs.

    Args:
        folder: the folder of the run.
        record: the run record from `records.read_record`, which has checked the file.
    """
    return layout.OUTPUTS in record["files"] and (folder / layout.OUTPUTS).is_file()


def outputs_file(outputs: NDArray[Any]) -> bytes:
    """The content of the file with these outputs (N, ...)."""
    return as_npz({_NAME: outputs})


def read(folder: Path) -> NDArray[Any]:
    """The outputs (N, ...) in a run's folder; `has` says whether there are any."""
    with np.load(folder / layout.OUTPUTS, allow_pickle=False) as arrays:
        outputs: NDArray[Any] = arrays[_NAME]
    return outputs


def add(folder: Path, outputs: NDArray[Any], predictions: Mapping[str, NDArray[Any]]) -> bool:
    """Add outputs to a finished run that lacks them, if they belong to its predictions.

    Args:
        folder: the folder of the run.
        outputs: the outputs (N, ...).
        predictions: the predictions of these outputs, by name.

    Returns:
        Whether the file was written; False if the run has other predictions.

    Raises:
        DiskFull: there is no room.
    """
    with np.load(folder / layout.PREDICTIONS, allow_pickle=False) as stored:
        known = dict(stored)
    same = known.keys() == predictions.keys() and all(
        known[name].dtype == array.dtype and np.array_equal(known[name], array)
        for name, array in predictions.items()
    )
    if same:
        records.add_file(folder, layout.OUTPUTS, outputs_file(outputs))
    return same
