"""Compares the tensors of a file with the simulation: finds float tensors and other grids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from qbench.deploy.baking import scales_of
from qbench.deploy.file_graph import FileGraph, FileTensor, Operator
from qbench.deploy.file_grids import (
    SAME,
    is_float,
    is_integer_constant,
    is_on,
    keeps_grid,
    takes,
)
from qbench.deploy.forms import INNER, inner_grid
from qbench.deploy.grids import HIGHEST, Grid, own_grid
from qbench.deploy.simulation import Simulation
from qbench.quantize.folding import foldable
from qbench.quantize.tensors import Call, graph_of
from qbench.quantize.traits import has_slopes, is_convolution, is_identity_in_inference, kernels
from qbench.quantize.walk import readers

# Operators that a layer may begin with, on the grid of its input.
_MOVING = ("EXPAND_DIMS", "PAD", "RESHAPE")
_MULTIPLYING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")


class Comparer:
    """Finds the network's layers and operations in the file of the network.

    The exporter gives every layer and operation a scope with its name. The layers that it inserts
    have the scopes `<name>.grid` and `<name>.baked`, and `<name>.baked.2` at the second call of a
    layer. TensorFlow adds numbers to the scopes.
    """

    def __init__(self, model: Any, simulation: Simulation, tensors: Iterable[str]) -> None:
        """`model` is functional; `tensors` are the names of the tensors with a gathered range."""
        self._model = model
        self._simulation = simulation
        self._tensors = set(tensors)
        self._folds = foldable(model)
        names = {op.name for op in model.operations} | self._tensors
        self._hosts = {name: name for name in names}
        self._hosts |= {f"{name}{end}": name for name in names for end in (".grid", INNER)}
        self._baked: dict[str, Any] = {}
        for call, number in _numbered(graph_of(model).calls):
            op, norm = call.op, self._folds.get(call.op.name)
            self._hosts.setdefault(f"{op.name}{number}", op.name)
            self._hosts[f"{op.name}.baked{number}"] = norm.name if norm else op.name
            if is_convolution(op):
                self._baked[f"{op.name}.baked{number}"] = op
        calls = [call for call in graph_of(model).calls if call.makes]
        self._sloped = {call.makes[0].name: call.op for call in calls if has_slopes(call.op)}
        self._known_steps: dict[str, Any] = {}
        self._behind = dict(self._fused(model))
        self._inner = {f"{call.makes[0].name}{INNER}": call for call in calls}
        self._left_out = {
            call.makes[0].name
            for call in calls
            if call.is_left_out and simulation.quantizer_of(call.makes[0].name) is None
        }

    def differing(self, graph: FileGraph) -> list[str]:
        """The names of tensors and kernels that differ between file and simulation."""
        found = dict.fromkeys(self._differing(graph))
        return list(found)

    def moved(self, graph: FileGraph) -> list[str]:
        """The names of tensors whose grids in the file and in the exported graph differ."""
        names = sorted(self._tensors - self._left_out)
        expected = {name: self._simulation.grid_of(name) for name in names}
        return list(dict.fromkeys(self._off_grid(graph, expected)))

    def has_other_kernels(self, graph: FileGraph) -> bool:
        """Whether the converter quantized a constant that is not the kernel of a known layer."""
        return any(
            is_integer_constant(tensor)
            and self._layer(tensor) is None
            and not self._has_slopes(op, tensor)
            for op in graph.operators
            for tensor in op.reads
        )

    def float_tensors(self, graph: FileGraph) -> list[str]:
        """The layers that the file computes in float, each with its operators in the file."""
        found: dict[str, list[str]] = {}
        for op in graph.operators:
            if is_float(op):
                found.setdefault(self._reader(op), []).append(op.name)
        return [f"{layer} ({', '.join(dict.fromkeys(ops))})" for layer, ops in found.items()]

    def _differing(self, graph: FileGraph) -> Iterator[str]:
        yield from self._off_grid(graph, {name: self._grid(name) for name in sorted(self._tensors)})
        for op in graph.operators:
            yield from self._kernels(op)
            if is_float(op):
                yield self._reader(op)

    def _off_grid(self, graph: FileGraph, expected: Mapping[str, Grid | None]) -> Iterator[str]:
        """The tensors with another grid than expected, and the tensors that the file lacks."""
        missing = {name for name, grid in expected.items() if grid is not None}
        entry = self._simulation.entry
        if entry in expected and not takes(graph, expected[entry]):
            yield entry
        missing.discard(entry)
        for op in graph.operators:
            for tensor in op.makes:
                if not tensor.has_grid or tensor is graph.signed_image:
                    continue
                if self._scope(tensor) in self._inner:
                    if not self._is_inside(tensor, expected):
                        yield self._reader(op)
                    continue
                simulated = [name for name in self._names(tensor) if expected.get(name)]
                found = {name for name in simulated if is_on(tensor, expected[name])}
                missing -= found
                moves = self._host(tensor) not in self._tensors or op.name in _MOVING
                keeps = moves and keeps_grid(op, tensor)
                joined = self._is_for_a_join(op, tensor, graph, expected)
                if not (found or keeps or joined or self._is_compared(tensor, graph, expected)):
                    yield self._reader(op)
        yield from sorted(missing)

    def _fused(self, model: Any) -> Iterator[tuple[str, str]]:
        """Pairs of a layer and its only reader, if the file may fuse the two into one tensor.

        It may if the reader does nothing in inference, or if the layer's output has no gathered
        range. The converter fuses activations, and names the fused tensor after the first layer.
        """
        idle = {op.name for op in model.operations if is_identity_in_inference(op)}
        for name, reading in readers(model).items():
            if len(reading) == 1 and (reading[0] in idle or name not in self._tensors):
                yield name, reading[0]

    def _names(self, tensor: FileTensor) -> list[str]:
        """The layers whose output a tensor may be: its layer, and the layers fused behind it."""
        names, name = [], self._host(tensor)
        while name and name not in names:
            # Every call of a layer has a tensor: `<layer>`, `<layer>.2` and so on.
            names += [name, *(t for t in self._tensors if t.rpartition(".")[0] == name)]
            name = self._behind.get(name)
        return names

    def _is_for_a_join(
        self,
        op: Operator,
        tensor: FileTensor,
        graph: FileGraph,
        expected: Mapping[str, Grid | None],
    ) -> bool:
        """Whether the file requantizes a tensor to the grid of a concatenation.

        The simulation quantizes it behind the concatenation.
        """
        readers = [other for other in graph.operators if tensor in other.reads]
        return op.name == "QUANTIZE" and all(
            reader.name in ("CONCATENATION", "PACK")
            and any(is_on(tensor, expected.get(name)) for name in self._names(reader.makes[0]))
            for reader in readers
        )

    def _is_inside(self, tensor: FileTensor, expected: Mapping[str, Grid | None]) -> bool:
        """Whether a tensor inside an operation has the grid that the simulation implies."""
        call = self._inner[self._scope(tensor)]
        own = expected.get(call.makes[0].name)
        return is_on(tensor, inner_grid(call.op, len(call.reads), own))

    def _is_compared(
        self, tensor: FileTensor, graph: FileGraph, expected: Mapping[str, Grid | None]
    ) -> bool:
        """Whether a tensor that the simulation leaves float is on the grid of a maximum of it.

        To quantize the values before or behind a maximum or minimum gives the same.
        """
        readers = [other for other in graph.operators if tensor in other.reads]
        simulated = any(expected.get(name) for name in self._names(tensor))
        return (
            bool(readers)
            and not simulated
            and all(
                reader.name in ("MAXIMUM", "MINIMUM") and keeps_grid(reader, reader.makes[0])
                for reader in readers
            )
        )

    def _kernels(self, op: Operator) -> Iterator[str]:
        """The names of kernels that an operator reads and that differ from the simulation."""
        for tensor in op.reads:
            if not is_integer_constant(tensor) or self._has_slopes(op, tensor):
                continue
            if self._layer(tensor) is None:
                named = self._baked.get(self._scope(tensor))
                name = named.name if named is not None else self._host(tensor) or self._reader(op)
                yield f"{name} {'kernel' if op.name in _MULTIPLYING else 'constant'}"

    def _has_slopes(self, op: Operator, tensor: FileTensor) -> bool:
        """Whether a constant has the slopes of a ReLU, on the grid of the simulation."""
        layer = self._sloped.get(self._reader(op)) if op.name == "PRELU" else None
        if layer is None or tensor.dtype != "int8" or len(tensor.scales) != 1:
            return False
        step = np.abs(np.asarray(layer.alpha)).max() / HIGHEST
        return not step or bool(np.isclose(step, tensor.scales[0], rtol=SAME, atol=0))

    def _layer(self, tensor: FileTensor) -> Any | None:
        """The layer that has this constant as its kernel in the simulation, or None.

        The name of the constant identifies the layer. If it does not, the scales do.
        """
        named = self._baked.get(self._scope(tensor))
        layers = [named] if named is not None else list(self._baked.values())
        return next((layer for layer in layers if self._has_scales_of(tensor, layer)), None)

    def _has_scales_of(self, tensor: FileTensor, layer: Any) -> bool:
        """Whether a constant has the scales of a layer's simulated kernel."""
        steps = self._steps(layer)
        if steps is None or tensor.dtype != "int8":
            return False
        if len(tensor.scales) not in (1, len(steps)) and len(steps) != 1:
            return False
        # A channel of zeros may have any scale.
        return bool(np.all(np.isclose(steps, tensor.scales, rtol=SAME, atol=0) | (steps == 0)))

    def _steps(self, layer: Any) -> Any | None:
        """The scales of a kernel in the simulation, (channels,) or (1,); None if it is float."""
        quantizer = self._simulation.kernel_quantizer(layer.name)
        if quantizer is None:
            return None
        if layer.name not in self._known_steps:
            kernel = self._simulation.folded_kernel(layer, self._folds.get(layer.name))
            steps = scales_of(layer, kernels(layer)[0], kernel.before, quantizer)
            steps = steps * np.abs(kernel.after)
            self._known_steps[layer.name] = steps if np.ptp(steps) else steps[:1]
        return self._known_steps[layer.name]

    def _grid(self, name: str) -> Grid | None:
        """The grid of a tensor in the simulation; None if it is float or no file can have it."""
        quantizer = self._simulation.quantizer_of(name)
        if quantizer is None:
            return None
        return own_grid(*self._simulation.range_of(name), quantizer)

    def _scope(self, tensor: FileTensor) -> str:
        """The deepest scope of a tensor that belongs to a layer, without TensorFlow's number."""
        for scope in reversed(tensor.scopes):
            name, _, number = scope.rpartition("_")
            if number.isdigit() and name in self._hosts:
                return name
        return ""

    def _host(self, tensor: FileTensor) -> str | None:
        """The layer or operation whose output a tensor is."""
        return self._hosts.get(self._scope(tensor))

    def _reader(self, op: Operator) -> str:
        """The name of an operator's layer, or of the operator if no layer is found."""
        hosts = [self._host(tensor) for tensor in (*op.makes, *op.reads)]
        return next((host for host in hosts if host), op.name)


def _numbered(calls: Iterable[Call]) -> Iterator[tuple[Call, str]]:
    """Each call with what the exporter adds to its names: nothing, then `.2` and so on."""
    count: Counter[str] = Counter()
    for call in calls:
        count[call.op.name] += 1
        number = count[call.op.name]
        yield call, f".{number}" if number > 1 else ""
