"""Converts a trained network into a LiteRT file, runs it and compares it with the simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import DiskFull, NotConvertible, QbenchError, WrongFile
from qbench.config.experiment import Experiment
from qbench.config.quant import Quant
from qbench.data import Dataset
from qbench.deploy import plausible
from qbench.deploy.exactness import Comparer
from qbench.deploy.export import export_model
from qbench.deploy.file_kind import POST_TRAINING, FileKind, check_file, kind_of
from qbench.deploy.grids import FILE_BITS
from qbench.deploy.inputs import input_batches, network_inputs
from qbench.deploy.lite import convert
from qbench.deploy.measure import Expected, graph_of, leading, measure
from qbench.deploy.packing import packed_file
from qbench.deploy.simulation import Simulation
from qbench.quantize.kept_float import kept_float
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.walk import functional
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
        report: the measurements as plain data: `kernels` (see `measure`), and `simulation`, the
            task's leading metrics of the simulation on the same `images`.
    """

    kind: FileKind
    content: bytes
    report: dict[str, Any]


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
        packed = packed_file(network.model, network.averages, experiment.quant, states)
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
        "kernels": measured,
    }
    return Exported(kind, made.content, report)


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
    _run(network, experiment, made, images, targets, data.task)


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
        plain: the same model without grids.
        operators: the number of operators in the file.
        notes: sentences about the file.
    """

    kind: FileKind
    content: bytes
    graph: Any
    plain: Any
    operators: int
    notes: list[str]


def _make(network: Any, experiment: Experiment, data: Dataset, kind: FileKind) -> _Made:
    calibrated = kind.name == "16x8" or kind == POST_TRAINING
    on_grids = kind.name == "int8" and not calibrated
    quant, averages = experiment.quant, network.averages
    states = network.states(experiment.scheme)
    plain, left_float = export_model(network.model, averages, quant, False, states=states)
    graph = plain
    if on_grids:
        graph, left_float = export_model(network.model, averages, quant, states=states)
    images = (
        network_inputs(experiment, data.train_images[:CALIBRATION_IMAGES]) if calibrated else None
    )
    content = convert(graph, kind.name, images)
    notes = [kind.note] if kind.note else []
    if kind.name == "float":
        return _Made(kind, content, graph, plain, 0, notes)
    model = functional(network.model)
    simulation = Simulation(model, averages, quant, states)
    found = Comparer(model, simulation, averages.tensors)
    file_graph = graph_of(content)
    if on_grids and found.has_other_kernels(file_graph):
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
        notes += [f"{text}: {_listed(names)}"] if names else []
    if kind.export == "exact" and (differing or others or left_float):
        kind = replace(kind, export="approximate")
    return _Made(kind, content, graph, plain, len(file_graph.operators), notes)


def _without(floats: list[str], names: list[str]) -> list[str]:
    """The names without an entry in `floats`; an entry is `<name> (<operators>)`."""
    return [name for name in names if not any(tensor.startswith(f"{name} (") for tensor in floats)]


def _listed(names: list[str], most: int = 8) -> str:
    """The names for a sentence; if there are more than `most`, the first ones and a number."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _run(
    network: Any,
    experiment: Experiment,
    made: _Made,
    images: Any,
    targets: NDArray[Any],
    task: Task,
) -> tuple[Values, dict[str, Any]]:
    """The simulation's outputs (N, ...) for uint8 images (N, H, W, C), and the file's results."""
    outputs = simulate(network, experiment, images)
    if not np.all(np.isfinite(outputs)):
        raise WrongFile(
            f"the simulation with the file's ranges gives {task.output_name} that are not finite."
        )
    first = next(input_batches(experiment, images))
    _check_export(network, experiment, made, first, task)
    largest = float(np.abs(network.averages.averages.numpy()).max())
    quantization = experiment.quant.quantization
    bits = quantization.activation_bits if quantization else FILE_BITS
    near = plausible.of_conversion(made.kind, bits, made.operators)
    most = plausible.of_simulation(made.kind, near)
    expected = Expected(outputs, most, _answers(made.graph, first), near, largest)
    if made.kind.name == "int8" and 1 < bits < FILE_BITS:
        _check_twin(network, experiment, made, first, targets[: len(first)], task)

    def inputs() -> Iterator[Values]:
        return input_batches(experiment, images)

    return outputs, measure(made.content, expected, inputs, targets, task)


def _check_twin(
    network: Any,
    experiment: Experiment,
    made: _Made,
    inputs: Values,
    targets: NDArray[Any],
    task: Task,
) -> None:
    """Check another file of the same network, with grids of 8 bits.

    With few bits, a correct file may differ so much from its graph that a fault is not visible. The
    conversion of the network does not depend on the grids, so 8 bits show the fault.

    Raises:
        WrongFile: the file with grids of 8 bits gives wrong answers.
    """
    states = network.states(experiment.scheme)
    quant, averages = experiment.quant, network.averages
    graph, _ = export_model(network.model, averages, quant, all_of_8_bits=True, states=states)
    near = plausible.of_conversion(made.kind, FILE_BITS, made.operators)
    outputs = _answers(graph, inputs)
    content = convert(graph, made.kind.name)
    try:
        measure(content, Expected(outputs, None, outputs, near), lambda: [inputs], targets, task)
    except WrongFile as error:
        raise WrongFile(f"with grids of 8 bits for these, {error}") from error


def _check_export(
    network: Any, experiment: Experiment, made: _Made, inputs: Values, task: Task
) -> None:
    """Check that the exported graph, without grids of activations, agrees with the network.

    Raises:
        WrongFile: the outputs of graph and network differ too much.
    """
    quantization = experiment.quant.quantization
    kernels_only = quantization.without_activations() if quantization else None
    view = network.view(kernels_only, experiment.scheme)
    expected = _answers(view.model, inputs)[0]
    got = _answers(made.plain, inputs)
    largest = float(np.abs(network.averages.averages.numpy()).max())
    one = plausible.unit(0.0, np.float32, expected, largest)
    reason = plausible.fault(task, got, expected, one, plausible.of_export(), "the network")
    if reason:
        raise WrongFile(f"the graph to convert {reason}.")


def _answers(model: Any, inputs: Values) -> Any:
    """The outputs of a Keras model with one input in inference, as numpy arrays."""
    outputs = model([inputs], training=False)
    return keras.tree.map_structure(np.asarray, outputs)


def fixed(quant: Quant) -> QuantizationScheme | None:
    """The run's own quantization, with its range averages in place of measured ranges."""
    quantization = quant.quantization
    return quantization.with_fixed_ranges() if quantization else None


def simulate(network: Any, experiment: Experiment, images: Any) -> Values:
    """Outputs (N, ...) of the simulation with the fixed ranges of the file.

    Args:
        network: the trained network.
        experiment: the experiment that trained it.
        images: the images (N, H, W, C) uint8.
    """
    forward = network.forward(fixed(experiment.quant), experiment.scheme)
    size = experiment.eval.batch_size
    return np.concatenate(
        [forward(np.asarray(images[k : k + size])).numpy() for k in range(0, len(images), size)]
    )
