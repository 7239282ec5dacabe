"""Looks for faults in what is converted: in the graph of a file, and in a file of other grids."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import WrongFile
from qbench.config.experiment import Experiment
from qbench.deploy import plausible
from qbench.deploy.export import Export, grids_left_out
from qbench.deploy.file_kind import FileKind
from qbench.deploy.grids import FILE_BITS
from qbench.deploy.inputs import Inputs
from qbench.deploy.lite import convert
from qbench.deploy.measure import Expected, measure
from qbench.tasks.task import Task

Values = NDArray[np.float32]


def check_twin(
    export: Export,
    kind: FileKind,
    operators: int,
    inputs: Inputs,
    entry: str | None,
    targets: NDArray[Any],
    task: Task,
) -> None:
    """Check another file of the same network, with grids of 8 bits.

    With few bits, a correct file may differ so much from its graph that a fault is not visible. The
    conversion of the network does not depend on the grids, so 8 bits show the fault.

    Args:
        export: the network.
        kind: the kind of the file.
        operators: the number of operators in the file.
        inputs: inputs of the file.
        entry: see `qbench.deploy.lite.convert`.
        targets: the targets of these images, and perhaps of more.
        task: the task of the data set.

    Raises:
        WrongFile: the file with grids of 8 bits gives wrong answers.
    """
    graph, _ = export.graph(all_of_8_bits=True)
    near = plausible.of_conversion(kind, FILE_BITS, operators)
    outputs = answers(graph, inputs.graph)
    content = convert(graph, kind.name, entry=entry)
    expected = Expected(outputs, None, outputs, near)
    try:
        measure(content, expected, lambda: [inputs.file], targets[: len(inputs.file)], task)
    except WrongFile as error:
        raise WrongFile(f"with grids of 8 bits for these, {error}") from error


def check_export(
    network: Any, experiment: Experiment, graph: Any, inputs: Inputs, task: Task
) -> None:
    """Check that the exported graph, without its grids, agrees with the network.

    Args:
        network: the trained network.
        experiment: the experiment that trained it.
        graph: the graph.
        inputs: inputs of network and graph.
        task: the task of the data set.

    Raises:
        WrongFile: the outputs of graph and network differ too much.
    """
    quantization = experiment.quantization
    kernels_only = quantization.without_activations() if quantization else None
    expected = np.asarray(network.inference(kernels_only, experiment.scheme)(inputs.network))
    with grids_left_out(graph):
        got = answers(graph, inputs.graph)
    largest = float(np.abs(network.averages.averages.numpy()).max())
    one = plausible.unit(0.0, np.float32, expected, largest)
    reason = plausible.fault(task, got, expected, one, plausible.of_export(), "the network")
    if reason:
        raise WrongFile(f"the graph to convert {reason}.")


def answers(model: Any, inputs: Values) -> Any:
    """The outputs of a Keras model with one input in inference, as numpy arrays."""
    outputs = model([inputs], training=False)
    return keras.tree.map_structure(np.asarray, outputs)
