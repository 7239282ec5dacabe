"""Exports a trained network as a float graph; every tensor lies on the grid of an int8 file.

TensorFlow's converter reads the grids from FakeQuant ops. Batch normalization is first folded into
the kernels. Kernels get one scale per channel, so the trained grid times the channel's factor is a
grid of the file (Jacob et al. 2018, section 3; LiteRT needs symmetric kernels without the lowest
code).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from qbench.base.errors import QbenchError
from qbench.base.keras_private import calls_forgotten
from qbench.config.quant import Quant
from qbench.deploy.average_pools import passed_to_average_pools
from qbench.deploy.baked import BakedConvolution
from qbench.deploy.baking import bake
from qbench.deploy.file_kind import check_file
from qbench.deploy.forms import in_file, parts_in_file
from qbench.deploy.grids import Grid
from qbench.deploy.on_grid import OnGrid
from qbench.deploy.simulation import Simulation
from qbench.quantize.analysis import analyse
from qbench.quantize.construction import construct
from qbench.quantize.entry import PixelQuantizer
from qbench.quantize.insertion_plan import (
    InsertionPlan,
    PlannedCall,
    QuantizedKernel,
    QuantizedSlopes,
    QuantizedTensor,
    Read,
)
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.states import NO_STATES, States
from qbench.quantize.tensors import graph_of, unique
from qbench.quantize.traits import is_split
from qbench.quantize.walk import functional

CONVERTIBLE = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)
# In an int8 file every tensor with a gathered range has a grid, and batch normalization is folded
# into the kernels.
_FILE = Quant(placement=("deploy",), range_given=True, fold_batch_norm=True)


def export_model(
    model: Any,
    averages: RangeAverages,
    quant: Quant,
    on_grids: bool = True,
    all_of_8_bits: bool = False,
    states: States = NO_STATES,
    pixels: PixelQuantizer | None = None,
) -> tuple[Any, list[str]]:
    """Build the Keras model to convert, and find the tensors that only the file quantizes.

    With grids, the model begins behind the layers that rescale the image (`Simulation.lead`), as
    they are no part of an int8 file.

    Args:
        model: the trained float model.
        averages: the range averages of the model.
        quant: the quantization settings of the run.
        on_grids: whether kernels and every tensor with a gathered range get the grids of an int8
            file. If false, kernels have their values of the simulation, and the rest is float.
        all_of_8_bits: whether tensors with fewer bits get grids of 8 bits over the same ranges.
        states: the variables of the run's scheme, if it keeps any.
        pixels: the grid of raw pixels, if the file takes these.

    Returns:
        The model, and the names of tensors (and `kernels`) that are float in the simulation but not
        in the model.

    Raises:
        QbenchError: a layer of the model cannot be converted, or no file can hold the scheme.
    """
    return Export(model, averages, quant, states, pixels).graph(on_grids, all_of_8_bits)


class Export:
    """A trained network that is exported in several forms; its weights are folded once.

    Attributes:
        simulation: what the simulation does to each tensor.
    """

    def __init__(
        self,
        model: Any,
        averages: RangeAverages,
        quant: Quant,
        states: States = NO_STATES,
        pixels: PixelQuantizer | None = None,
    ) -> None:
        """Arguments and errors as for `export_model`; the weights must not change afterwards."""
        check_file(quant)
        self._model = functional(model)
        self.simulation = Simulation(self._model, averages, quant, states, pixels)

    def graph(self, on_grids: bool = True, all_of_8_bits: bool = False) -> tuple[Any, list[str]]:
        """See `export_model`."""
        plan = analyse(self._model, _scheme(on_grids))
        parts = _FileParts(self._model, plan, self.simulation, on_grids, all_of_8_bits)
        with calls_forgotten(self._model):  # a worker keeps the network, and exports it often
            built = construct(self._model, plan, parts)
            graph = keras.Model(built.inputs, built.output, name=self._model.name)
        return graph, list(dict.fromkeys(_left_float(plan, self.simulation))) if on_grids else []


@contextmanager
def grids_left_out(graph: Any) -> Iterator[None]:
    """A context in which calls of an exported graph leave out the grids of tensors and kernels.

    Kernels then have their values of the simulation, and the rest is float.
    """
    layers = [one for one in graph.layers if isinstance(one, OnGrid | BakedConvolution)]
    for layer in layers:
        layer.leaves_out_grid = True
    try:
        yield
    finally:
        for layer in layers:
            layer.leaves_out_grid = False


def _scheme(on_grids: bool) -> QuantizationScheme:
    scheme = _FILE.quantization
    assert scheme is not None
    return scheme if on_grids else scheme.without_activations()


def _left_float(plan: InsertionPlan, simulation: Simulation) -> Iterator[str]:
    """The tensors and kernels that only the plan quantizes, in the order of the graph."""
    for call in plan.calls:
        yield from _float_roots(call.reads, simulation)
        is_kernel = isinstance(call.stand_in, QuantizedKernel)
        if is_kernel and simulation.kernel_quantizer(call.op.name) is None:
            yield f"{call.op.name} kernel" if simulation.quantizes_kernels else "kernels"
        if isinstance(call.stand_in, QuantizedSlopes) and not simulation.quantizes_slopes:
            yield f"{call.op.name} slopes"
    yield from _float_roots([plan.last], simulation)


def _float_roots(reads: Iterable[Read], simulation: Simulation) -> Iterator[str]:
    for read in reads:
        if read.quantized is not None and simulation.quantizer_of(read.quantized.root) is None:
            yield read.quantized.root


class _FileParts:
    """Inserts constants in place of variables, and grids in place of fake quantization."""

    def __init__(
        self,
        model: Any,
        plan: InsertionPlan,
        simulation: Simulation,
        on_grids: bool,
        all_of_8_bits: bool,
    ) -> None:
        self._gathered = set(plan.tensors)
        self._read = {read.tensor for read in plan.reads}
        self._said_again = passed_to_average_pools(graph_of(model), plan) if on_grids else {}
        self._simulation = simulation
        self._on_grids = on_grids
        self._all_of_8_bits = all_of_8_bits
        self._own = {op.name for op in model.operations}
        self._names = set(self._own)
        self._formed: set[str] = set()
        self._calls: Counter[str] = Counter()  # of layers with kernels

    def quantized(self, planned: QuantizedTensor, value: Any, root: Any) -> Any:
        grid = self._grid(planned.root)
        return OnGrid(grid, unique(f"{planned.tensor}.grid", self._names))(value)

    def called(self, call: PlannedCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = self._computed(call, args, kwargs)
        if self._said_again.keys().isdisjoint(call.makes):
            return value
        names = iter(call.makes)
        return keras.tree.map_structure(lambda part: self._said(next(names), part), value)

    def _said(self, name: str, value: Any) -> Any:
        """A tensor; the grid that it has been given is said again if need be."""
        root = self._said_again.get(name)
        if root is None:
            return value
        return OnGrid(self._grid(root), unique(f"{name}.grid", self._names))(value)

    def _computed(self, call: PlannedCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a call, on no other grids than inside an operation."""
        op = call.op
        if self._on_grids and op in self._simulation.lead:
            return args[0]
        if isinstance(call.stand_in, QuantizedKernel):
            return self._baked(op, call.stand_in.norm)(*args, **kwargs)
        if self._on_grids:
            if is_split(op) and op.axis and not self._read.issuperset(call.makes):
                return parts_in_file(op, args[0], self._name)
            made = call.makes[0]
            grid = self._grid(made) if made in self._gathered else None
            output = in_file(op, args, kwargs, grid, self._name)
            if output is not None:
                return output
        if isinstance(op, keras.Layer):
            return op(*args, **kwargs)
        scoped = Scoped(op, args, kwargs, self._name(op.name))
        return scoped(scoped.tensors)

    def _grid(self, root: str) -> Grid:
        return self._simulation.grid_of(root, not self._all_of_8_bits)

    def _name(self, name: str) -> str:
        """A name for a layer in place of an operation: its own name at the first call."""
        if name in self._own - self._formed:
            self._formed.add(name)
            return name
        return unique(name, self._names)

    def _baked(self, op: Any, norm: Any | None) -> Any:
        if not isinstance(op, CONVERTIBLE):
            raise QbenchError(f"{op.name}: a {type(op).__name__} cannot be converted yet.")
        quantizer = self._simulation.kernel_quantizer(op.name)
        weights = bake(op, self._simulation.folded_kernel(op, norm), quantizer)
        name = unique(f"{op.name}.baked", self._names)
        before = self._calls[op.name]
        self._calls[op.name] += 1
        return BakedConvolution(op, weights, self._on_grids, name, before)


class Scoped(keras.layers.Layer):
    """Calls an operation in a scope of its name, so that its output can be found in the file.

    Attributes:
        tensors: the tensors among the arguments of the call, in order.
    """

    def __init__(self, operation: Any, args: Any, kwargs: Any, name: str) -> None:
        super().__init__(name=name)
        self.operation = operation
        leaves = keras.tree.flatten((args, kwargs))
        self.tensors = [leaf for leaf in leaves if keras.utils.is_keras_tensor(leaf)]
        self._arguments = _Held((args, kwargs))

    def call(self, tensors: list[Any]) -> Any:
        """Call the operation with `tensors`, in the order of the attribute."""
        given = iter(tensors)

        def in_place_of(leaf: Any) -> Any:
            return next(given) if keras.utils.is_keras_tensor(leaf) else leaf

        args, kwargs = keras.tree.map_structure(in_place_of, self._arguments.value)
        return self.operation(*args, **kwargs)

    def compute_output_spec(self, tensors: list[Any]) -> Any:
        """What the operation says about its own output."""
        args, kwargs = self._arguments.value
        return self.operation.compute_output_spec(*args, **kwargs)


@dataclass(frozen=True)
class _Held:
    """Holds an object that Keras must not track as an attribute of a layer."""

    value: Any
