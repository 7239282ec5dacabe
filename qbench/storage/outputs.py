"""The outputs that runs keep beside their records, for the test set and the validation images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.files import as_npz
from qbench.storage import layout, records

TEST = "outputs"
"""The name of the outputs for the test set in the file."""
VALIDATION = "validation"
"""The name of the outputs for the validation images in the file."""


def has(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether a run's folder holds its outputs.

    Args:
        folder: the folder of the run.
        record: the run record from `records.read_record`, which has checked the file.
    """
    return layout.OUTPUTS in record["files"] and (folder / layout.OUTPUTS).is_file()


def outputs_file(outputs: NDArray[Any], validation: NDArray[Any] | None = None) -> bytes:
    """The content of the file.

    Args:
        outputs: the outputs (N, ...) for the test set.
        validation: the outputs (N, ...) for the validation images; None if there are none.
    """
    parts = {TEST: outputs}
    return as_npz(parts if validation is None else parts | {VALIDATION: validation})


def read(folder: Path, part: str = TEST) -> NDArray[Any]:
    """The outputs (N, ...) in a run's folder; `has` says whether there are any.

    Args:
        folder: the folder of the run.
        part: TEST or VALIDATION.

    Raises:
        QbenchError: the file has no such part.
    """
    with np.load(folder / layout.OUTPUTS, allow_pickle=False) as arrays:
        if part not in arrays:
            raise QbenchError(
                f"{folder / layout.OUTPUTS}: has no outputs for the validation images; remove this"
                " file, and `qbench evaluate RUN` writes it."
            )
        outputs: NDArray[Any] = arrays[part]
    return outputs


def add(folder: Path, content: bytes, predictions: Mapping[str, NDArray[Any]]) -> bool:
    """Add outputs to a finished run that lacks them, if they belong to its predictions.

    Args:
        folder: the folder of the run.
        content: the content of the file.
        predictions: the predictions of the outputs for the test set, by name.

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
        records.add_file(folder, layout.OUTPUTS, content)
    return same
