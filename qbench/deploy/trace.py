"""Compares a converted file with its simulation, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.base.keras_private import maker
from qbench.deploy.inputs import Inputs
from qbench.deploy.lite import INPUT, OUTPUT, FileTensor, LiteFile
from qbench.quantize.folding import foldable
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.states import NO_STATES, States
from qbench.quantize.tensors import graph_of

Values = NDArray[np.float32]
Simulation = Callable[[Values], dict[str, Values]]
_NOISE = 0.01  # rounding noise of float32, in steps


@dataclass(frozen=True)
class Compared:
    """A tensor of the network in the simulation and in the file.

    Attributes:
        name: the layer that makes it.
        step: the scale of the file's grid; 0 for float32.
        largest: the largest difference, in steps of the grid (for a float file in the tensor's own
            unit).
        mean: the mean difference, in the same unit.
        apart: the share of values, in percent, that differ by more than half a step (for a float
            file: that differ).
    """

    name: str
    step: float
    largest: float
    mean: float
    apart: float


@dataclass(frozen=True)
class Comparison:
    """The comparison of a file with its simulation.

    Attributes:
        rows: the tensors that both have, in the order of the network.
        missing: names of tensors of the simulation that are not in the file.
        tensors: the number of tensors in the file: its input and the outputs of its operators.
        unmatched: the number of tensors in the file without a counterpart in the simulation. They
            lie inside a group of layers that the file computes in parts, or have the grid of their
            input.
    """

    rows: list[Compared]
    missing: list[str]
    tensors: int
    unmatched: int


def simulation(
    model: Any,
    scheme: QuantizationScheme | None,
    averages: RangeAverages,
    states: States = NO_STATES,
) -> Simulation:
    """Make a function that returns every tensor with a gathered range, as in the simulation.

    Args:
        model: the trained float model.
        scheme: the scheme of the simulation, with fixed ranges; None for a float run.
        averages: the range averages of the run.
        states: the variables of the run's scheme, if it keeps any.

    Returns:
        A function from network inputs (N, H, W, C) to values (N, ...) by the name of the tensor, in
        the order of the averages. Values are quantized if the simulation quantizes the tensor.
    """
    view = rewrite(model, scheme, averages, states)
    every = keras.Model(view.model.inputs, list(view.values))

    def simulated(inputs: Values) -> dict[str, Values]:
        values = every([inputs], training=False)
        return {name: np.asarray(value) for name, value in zip(view.tensors, values, strict=True)}

    return simulated


def compare(
    simulated: Simulation,
    file: LiteFile,
    batches: Iterable[Inputs],
    made_by: Mapping[str, Sequence[str]],
) -> Comparison:
    """Compare all tensors that file and simulation both have.

    Args:
        simulated: the function that `simulation` returns.
        file: the file, opened with all its tensors (`LiteFile(..., keep_all=True)`).
        batches: inputs of network and file; the tensors of one batch at a time are in memory.
        made_by: the layers that may make a tensor in the file; see `names_in_file`.
    """
    differences: dict[str, _Differences] = {}
    expected: dict[str, Values] = {}
    found: list[FileTensor] = []
    pairs: dict[str, int] = {}
    for inputs in batches:
        expected, found = simulated(inputs.network), file.tensors(inputs.file)
        pairs = _pairs(expected, found, made_by)
        for name, at in pairs.items():
            step = found[at].scale
            differences.setdefault(name, _Differences(step)).add(expected[name], found[at].values)
    rows = [each.row(name) for name, each in differences.items()]
    missing = [name for name in expected if name not in pairs]
    return Comparison(rows, missing, len(found), len(found) - len(set(pairs.values())))


def _pairs(
    expected: Mapping[str, Values],
    found: Sequence[FileTensor],
    made_by: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    """By tensor of the simulation, the index of its counterpart in `found`."""
    pairs = {}
    for name, values in expected.items():
        at = _place(found, name, made_by)
        if at is not None and found[at].values.shape == values.shape:
            pairs[name] = at
    return pairs


@dataclass
class _Differences:
    """The differences of one tensor, added up batch by batch."""

    step: float
    largest: float = 0.0
    total: float = 0.0
    apart: int = 0
    count: int = 0

    def add(self, expected: Values, got: Values) -> None:
        """Add a batch (B, ...)."""
        apart = np.abs(got - expected) / (self.step or 1.0)
        self.largest = float(np.maximum(self.largest, apart.max()))
        self.total += float(apart.sum(dtype=np.float64))
        self.apart += int(np.count_nonzero(apart > (0.5 if self.step else 0.0)))
        self.count += apart.size

    def row(self, name: str) -> Compared:
        """The row of the tensor."""
        mean, share = self.total / self.count, 100.0 * self.apart / self.count
        return Compared(name, self.step, self.largest, mean, share)


def names_in_file(model: Any) -> dict[str, list[str]]:
    """By tensor, the layers of the exported graph that may make it, the most probable one first.

    If a separate operator puts a tensor on its grid, this operator is the most probable one. In
    place of what no file contains, the file has what that call reads. If a later call of a layer
    makes this, the name of the tensor stands for the layer.
    """
    folds = foldable(model)
    found = {op.name: [f"{op.name}.grid", op.name, f"{op.name}.baked"] for op in model.operations}
    for name, norm in folds.items():
        found[norm.name][2] = f"{name}.baked"
    for call in graph_of(model).calls:
        if call.is_left_out:
            (made,), (read,) = call.makes, call.reads
            own = found.get(made.name, (f"{made.name}.grid",))
            found[made.name] = [*own, *found.get(read.name, (read.name,))]
    entry = graph_of(model).entry
    found[entry] = [*found.get(entry, ()), INPUT]
    found[maker(model.outputs[0]).name].append(OUTPUT)
    return found


def _place(
    tensors: Sequence[FileTensor], name: str, made_by: Mapping[str, Sequence[str]]
) -> int | None:
    """The index of a tensor in the file, made by any call of a layer; None if it is not there."""
    if name not in made_by:
        return _call(tensors, name, made_by)
    at = _index(tensors, made_by[name])
    if at is None:
        others = (_call(tensors, one, made_by) for one in made_by[name] if one not in made_by)
        at = next((other for other in others if other is not None), None)
    return at


def _call(
    tensors: Sequence[FileTensor], name: str, made_by: Mapping[str, Sequence[str]]
) -> int | None:
    """The index of the tensor that a later call of a layer makes, named `<layer>.<number>`."""
    layer, _, number = name.rpartition(".")
    makers = made_by.get(layer, [])
    own = _index(tensors, [f"{name}.grid", *(f"{maker}.{number}" for maker in makers)])
    if own is not None:
        return own
    found = [
        at
        for at, tensor in enumerate(tensors)
        if any(_is_scope(scope, one) for scope in tensor.layers for one in makers)
    ]
    return found[int(number) - 1] if number.isdigit() and int(number) <= len(found) else None


def _index(tensors: Sequence[FileTensor], names: Sequence[str]) -> int | None:
    """The index of the first tensor of the file that one of these layers makes."""
    for name in names:
        for at, tensor in enumerate(tensors):
            if any(_is_scope(scope, name) for scope in tensor.layers):
                return at
    return None


def _is_scope(scope: str, layer: str) -> bool:
    """Whether a scope in the file belongs to a layer.

    Scopes are numbered, because tracing calls every layer of the exported graph again: `relu_1` is
    the layer `relu`, never the layer `relu_1`, whose scope is `relu_1_1` or `relu_1_2`.
    """
    if layer in (INPUT, OUTPUT):
        return scope == layer
    name, _, number = scope.rpartition("_")
    return name == layer and number.isdigit()


def first_apart(rows: Sequence[Compared], steps: float = 1.0) -> Compared | None:
    """The first tensor with a difference of more than this number of steps."""
    return next((row for row in rows if row.largest > steps + _NOISE), None)
