"""Converts a trained network into a LiteRT file, runs it and compares it with the simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import DiskFull, NotConvertible, QbenchError, WrongFile
from qbench.base.names import first_names
from qbench.config.experiment import Experiment
from qbench.config.quant import Quant
from qbench.data import Dataset
from qbench.deploy import plausible
from qbench.deploy.exactness import Comparer
from qbench.deploy.export import Export
from qbench.deploy.faults import answers, check_export, check_twin
from qbench.deploy.file_kind import POST_TRAINING, FileKind, check_file, kind_of
from qbench.deploy.grids import FILE_BITS
from qbench.deploy.inputs import Feed, feed_of
from qbench.deploy.lite import convert
from qbench.deploy.measure import Expected, Measured, graph_of, leading, measure
from qbench.deploy.packing import packed_file
from qbench.quantize.kept_float import kept_float
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.walk import functional
from qbench.storage.file_predictions import SIMULATION
from qbench.tasks.task import Task

CALIBRATION_IMAGES = 200
TRIAL_IMAGES = 50

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Exported:
    """A converted run.

    Attributes:
        kind: the kind of the file.
        content: the content of the file.
        report: the measurements as plain data: `kernels` (see `Measured`), and `simulation`, the
            task's leading metrics of the simulation on the same `images`.
        predictions: the task's predictions for these images by kernel path, arrays (N, ...) by
            name; `simulation` has those of the simulation with the file's ranges.
    """

    kind: FileKind
    content: bytes
    report: dict[str, Any]
    predictions: dict[str, dict[str, NDArray[Any]]]


def export(
    network: Any, experiment: Experiment, data: Dataset, calibration: str | None = None
) -> Exported:
    """Convert a trained network and run the file over the test set, on every kernel path.

    Args:
        network: the trained `qbench.training.network.Network`.
        experiment: the experiment that trained it.
        data: the data of the experiment.
        calibration: None, or `representative` to quantize a float run after training.

    Raises:
        QbenchError: `calibration` is given for a quantized run.
        NotConvertible: the network cannot be converted.
        WrongFile: the file gives wrong answers.
    """
    if calibration and experiment.quant.enabled:
        raise QbenchError(
            f"deploy.calibration={calibration}: is for float runs; this one is quantized already."
        )
    check_file(experiment.quant)
    kind = POST_TRAINING if calibration else kind_of(experiment.quant)
    states = network.states(experiment.scheme)
    with _refusing():
        made = _make(network, experiment, data, kind)
        packed = packed_file(
            network.model, network.averages, experiment.quant, states, experiment.pixels
        )
    limit = experiment.eval.limit
    images, targets = data.test_images[:limit], data.test_labels[:limit]
    expected, measured = _run(network, experiment, made, images, targets, data.task)
    report = {
        "export": made.kind.export,
        "export_note": "; ".join(made.notes),
        "file": kind.file,
        "bytes": len(made.content),
        "packed_bytes": len(packed),
        "sha256": hashlib.sha256(made.content).hexdigest(),
        "images": len(targets),
        "simulation": leading(data.task, expected, targets),
        "kernels": measured.kernels,
        **({"input": made.feed.pixels} if made.feed.pixels else {}),
    }
    predictions = {SIMULATION: data.task.predictions(expected, targets), **measured.predictions}
    return Exported(kind, made.content, report, predictions)


def attempt(network: Any, experiment: Experiment, data: Dataset) -> None:
    """Convert an untrained network, with ranges measured on real images, and run the file.

    Raises:
        NotConvertible, WrongFile: see `export`.
    """
    network.initialise(experiment.seed)
    images, targets = data.train_images[:TRIAL_IMAGES], data.train_labels[:TRIAL_IMAGES]
    network.measure_ranges(images)
    scheme = experiment.scheme
    network.enter(scheme, scheme.names if scheme else (), experiment.seed, 0)
    with _refusing():
        made = _make(network, experiment, data, kind_of(experiment.quant))
    _run(network, experiment, made, images, targets, data.task, trained=False)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns errors of the export into NotConvertible, because only the network causes them."""
    try:
        yield
    except (DiskFull, NotConvertible):
        raise
    except QbenchError as error:
        raise NotConvertible(str(error)) from error


@dataclass(frozen=True)
class _Made:
    """A file that has not yet been run.

    Attributes:
        kind: the kind of the file.
        content: the content of the file.
        graph: the Keras model that was converted.
        export: the network, for other graphs of it.
        feed: makes the inputs of network, graph and file.
        operators: the number of operators in the file.
        notes: sentences about the file.
    """

    kind: FileKind
    content: bytes
    graph: Any
    export: Export
    feed: Feed
    operators: int
    notes: list[str]


def _make(network: Any, experiment: Experiment, data: Dataset, kind: FileKind) -> _Made:
    pixels = experiment.pixels if kind.name == "int8" else None
    calibrated = kind.name == "16x8" or (kind == POST_TRAINING and not pixels)
    on_grids = kind.name == "int8" and not calibrated
    quant, states = experiment.quant, network.states(experiment.scheme)
    averages, inputs = network.averages, None
    if calibrated:
        inputs = np.asarray(network.prepare(np.asarray(data.train_images[:CALIBRATION_IMAGES])))
    elif kind == POST_TRAINING:
        averages = _measured(network, np.asarray(data.train_images[:CALIBRATION_IMAGES]))
    export = Export(network.model, averages, quant, states, pixels)
    graph, left_float = export.graph(on_grids)
    feed = feed_of(network, experiment, "int8" if on_grids else "float")
    content = convert(graph, kind.name, inputs, feed.pixels)
    notes = list(_notes_on_input(kind, experiment, feed))
    if kind.name == "float":
        return _Made(kind, content, graph, export, feed, 0, notes)
    model, simulation = functional(network.model), export.simulation
    found = Comparer(model, simulation, averages.tensors)
    file_graph = graph_of(content)
    if kind == POST_TRAINING:  # all of it was float
        left_float = []
    elif on_grids and found.has_other_kernels(file_graph):
        left_float += [f"{kept.layer} {kept.name}" for kept in kept_float(model) if kept.is_kernel]
    floats = found.float_tensors(file_graph)
    differing = found.differing(file_graph) if kind.export == "exact" else []
    others = simulation.other_than_files() if kind.export == "exact" else []
    moved = found.moved(file_graph) if on_grids and not differing else []
    for text, names in (
        ("float in the simulation", left_float),
        ("float in the file", floats),
        ("not on the grid of the simulation", _without(floats, differing)),
        ("rounded or cut otherwise in the file", _without(floats, others)),
        ("moved to another grid by the converter", _without(floats, moved)),
    ):
        notes += [f"{text}: {first_names(names)}"] if names else []
    if kind.export == "exact" and (differing or others or left_float):
        kind = replace(kind, export="approximate")
    operators = len(file_graph.operators)
    return _Made(kind, content, graph, export, feed, operators, notes)


def _notes_on_input(kind: FileKind, experiment: Experiment, feed: Feed) -> Iterator[str]:
    """The note of the kind of file, and sentences about what the file takes."""
    if kind.note:
        yield kind.note
    if feed.lead and not feed.pixels:
        yield f"takes the image behind {first_names([layer.name for layer in feed.lead])}"
    if experiment.deploy.takes_pixels and not feed.pixels:
        yield "takes what the network reads, since only int8 files take raw pixels"


def _measured(network: Any, images: Any) -> RangeAverages:
    """The ranges of a float network's tensors on these images, as whole pixels."""
    averages = RangeAverages(network.averages.tensors, 0.9)
    view = network.view(None).model
    averages.include(view([network.prepare(images, True)], training=False)[1])
    return averages


def _without(floats: list[str], names: list[str]) -> list[str]:
    """The names without an entry in `floats`; an entry is `<name> (<operators>)`."""
    return [name for name in names if not any(tensor.startswith(f"{name} (") for tensor in floats)]


def _run(
    network: Any,
    experiment: Experiment,
    made: _Made,
    images: Any,
    targets: NDArray[Any],
    task: Task,
    trained: bool = True,
) -> tuple[Values, Measured]:
    """The simulation's outputs (N, ...) for uint8 images (N, H, W, C), and the file's results."""
    outputs = simulate(network, experiment, images)
    if not np.all(np.isfinite(outputs)):
        raise WrongFile(
            f"the simulation with the file's ranges gives {task.output_name} that are not finite."
        )
    first = next(made.feed.batches(images))
    check_export(network, experiment, made.graph, first, task)
    largest = float(np.abs(network.averages.averages.numpy()).max())
    quantization = experiment.quantization
    bits = quantization.activation_bits if quantization else FILE_BITS
    near = plausible.of_conversion(made.kind, bits, made.operators)
    most = plausible.of_simulation(made.kind, near)
    graph = answers(made.graph, first.graph)
    expected = Expected(outputs, most, graph, near, largest, trained)
    if made.kind.name == "int8" and 1 < bits < FILE_BITS:
        entry = made.feed.pixels
        check_twin(made.export, made.kind, made.operators, first, entry, targets, task)

    def inputs() -> Iterator[NDArray[Any]]:
        return (batch.file for batch in made.feed.batches(images))

    return outputs, measure(made.content, expected, inputs, targets, task)


def fixed(chosen: Experiment | Quant) -> QuantizationScheme | None:
    """The run's own quantization, with its range averages in place of measured ranges."""
    quantization = chosen.quantization
    return quantization.with_fixed_ranges() if quantization else None


def simulate(network: Any, experiment: Experiment, images: Any) -> Values:
    """Outputs (N, ...) of the simulation with the fixed ranges of the file.

    Args:
        network: the trained network.
        experiment: the experiment that trained it.
        images: the images (N, H, W, C) uint8.
    """
    forward = network.forward(fixed(experiment), experiment.scheme)
    size = experiment.eval.batch_size
    return np.concatenate(
        [forward(np.asarray(images[k : k + size])).numpy() for k in range(0, len(images), size)]
    )
