"""A trained network as a LiteRT file that was run: its accuracy, its agreement with simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.data import Dataset
from qbench.data.preprocessing import network_input
from qbench.deploy.export import export_model
from qbench.deploy.kinds import POST_TRAINING, Kind, kind_of
from qbench.deploy.lite import LiteFile, convert
from qbench.deploy.measure import figures_of, measure
from qbench.deploy.packing import packed_file
from qbench.errors import NotConvertible, QbenchError
from qbench.experiment import Experiment, Quant
from qbench.quantize.scheme import QuantizationScheme, scheme_of

CALIBRATION_IMAGES = 200
BATCH = 100

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Exported:
    """A converted run.

    Attributes:
        kind: what kind of file.
        content: the file.
        report: what was measured, plain data: `kernels` (see `measure`), and of the `simulation` on
            the same `images` its `accuracy` and `recall_at_5`.
    """

    kind: Kind
    content: bytes
    report: dict[str, Any]


def export(
    network: Any, experiment: Experiment, data: Dataset, calibration: str | None = None
) -> Exported:
    """Convert a trained network and run the file over the test set, on every kernel path.

    Args:
        network: the `qbench.training.network.Network`, trained.
        experiment: what it was trained by.
        data: its data.
        calibration: None, or `representative` to quantize a float run after training.

    Raises:
        QbenchError: `calibration` is given for a quantized run.
        NotConvertible: no file can be made of the network.
    """
    if calibration and experiment.quant.enabled:
        raise QbenchError(
            f"deploy.calibration={calibration}: is for float runs; this one is quantized already."
        )
    kind = POST_TRAINING if calibration else kind_of(experiment.quant)
    with _refusing():
        content, left_float = _content(network, experiment, data, kind)
        packed = packed_file(network.model, network.averages, experiment.quant)
    notes = [kind.note] if kind.note else []
    if left_float:
        notes.append(f"float in the simulation: {', '.join(left_float)}")
    partly = kind.name == "int8" and has_float_parts(content)
    notes += ["parts of the network stay float"] if partly else []
    limit = experiment.eval.limit
    images, labels = data.test_images[:limit], data.test_labels[:limit]
    expected = simulate(network, experiment, data)

    def inputs() -> Iterator[Values]:
        return input_batches(experiment, images)

    report = {
        "export": "approximate" if partly else kind.export,
        "export_note": "; ".join(notes),
        "file": kind.file,
        "bytes": len(content),
        "packed_bytes": len(packed),
        "sha256": hashlib.sha256(content).hexdigest(),
        "images": len(labels),
        "simulation": figures_of(expected, labels, data.classes),
        "kernels": measure(content, expected, inputs, labels, data.classes),
    }
    return Exported(kind, content, report)


def attempt(network: Any, experiment: Experiment, data: Dataset) -> None:
    """Convert a network whatever its weights, with made-up ranges, to see whether it can be done.

    Raises:
        NotConvertible: no file can be made of the network.
    """
    network.initialise(experiment.seed)
    averages = network.averages.averages
    averages.assign(np.tile(np.array([-1, 1], np.float32), (averages.shape[0], 1)))
    with _refusing():
        _content(network, experiment, data, kind_of(experiment.quant))


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever the export complains of is so each time: it sees the network and nothing else."""
    try:
        yield
    except QbenchError as error:
        raise NotConvertible(str(error)) from error


def _content(
    network: Any, experiment: Experiment, data: Dataset, kind: Kind
) -> tuple[bytes, list[str]]:
    """The file, and what only the file quantizes."""
    calibrated = kind.name == "16x8" or kind == POST_TRAINING
    on_grids = kind.name == "int8" and not calibrated
    model, left_float = export_model(
        network.model, network.averages, experiment.quant, on_grids=on_grids
    )
    images = None
    if calibrated:
        images = _inputs(experiment, data.train_images[:CALIBRATION_IMAGES])
    return convert(model, kind.name, images), left_float


def input_batches(experiment: Experiment, images: Any, size: int = BATCH) -> Iterator[Values]:
    """What the file reads of (N, H, W, C) uint8 images, so many at a time."""
    for start in range(0, len(images), size):
        yield _inputs(experiment, images[start : start + size])


def _inputs(experiment: Experiment, images: Any) -> Values:
    settings = experiment.data
    read = network_input(images, settings.preprocessing, settings.resolution)
    result: Values = read.numpy()
    return result


def has_float_parts(content: bytes) -> bool:
    """Whether an int8 file has operators that compute in float."""
    return "float32" in LiteFile(content, "builtin").dtypes()


def fixed(quant: Quant) -> QuantizationScheme | None:
    """The run's own quantization with its range averages in the place of measured ranges."""
    scheme = scheme_of(quant)
    if scheme is None:
        return None
    return scheme.with_fixed_ranges()


def simulate(network: Any, experiment: Experiment, data: Dataset) -> Values:
    """Logits (N, classes) of the simulation with the ranges that the file has, fixed."""
    forward = network.forward(fixed(experiment.quant))
    images, size = data.test_images[: experiment.eval.limit], experiment.eval.batch_size
    return np.concatenate(
        [forward(images[k : k + size]).numpy() for k in range(0, len(images), size)]
    )
