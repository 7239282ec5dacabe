"""The predictions of a converted file for the test set, beside the report of its conversion."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.files import as_npz
from qbench.storage import layout

SIMULATION = "simulation"
"""Stands beside the kernel paths: the simulation with the fixed ranges of the file."""

Arrays = Mapping[str, NDArray[Any]]


def content_of(predictions: Mapping[str, Arrays]) -> bytes:
    """The predictions of a file on each path as the content of an npz file.

    An array that is the same on all paths, such as the labels, stands once, under its own name. Any
    other stands under `<path>/<name>`.

    Args:
        predictions: by path, the arrays (N, ...) that `Task.predictions` returns.
    """
    paths = list(predictions)
    arrays: dict[str, NDArray[Any]] = {}
    for name in predictions[paths[0]] if paths else ():
        found = {path: np.asarray(predictions[path][name]) for path in paths}
        if all(_same(found[paths[0]], other) for other in found.values()):
            arrays[name] = found[paths[0]]
        else:
            arrays |= {f"{path}/{name}": array for path, array in found.items()}
    return as_npz(arrays)


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def read(report: Path, measured: Mapping[str, Any], path: str) -> dict[str, NDArray[Any]]:
    """The predictions of a file on one path, the arrays of `Task.predictions` by name.

    Args:
        report: the file with the report of the conversion.
        measured: this report.
        path: a kernel path that runs the file, or SIMULATION.

    Raises:
        QbenchError: the predictions were not kept, or are not those of the report.
    """
    place = report.with_name(layout.conversion_predictions(report.name))
    again = f"qbench convert {report.parent} writes them, if the run has its weights"
    try:
        content = place.read_bytes()
    except FileNotFoundError as error:
        raise QbenchError(
            f"{place}: no such file; older conversions kept no predictions. {again}."
        ) from error
    if hashlib.sha256(content).hexdigest() != measured.get("predictions_sha256"):
        raise QbenchError(f"{place}: not the predictions of {report.name}; {again}.")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise QbenchError(f"{place}: cannot be read as predictions ({error}).") from error
    others = {*measured["kernels"], SIMULATION} - {path}
    return {
        name.removeprefix(f"{path}/"): array
        for name, array in arrays.items()
        if name.partition("/")[0] not in others
    }
