"""Which tensors and kernels of a graph a scheme quantizes, and with which quantizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qbench.base.patterns import EVERY, check_each_matches, matches
from qbench.quantize.entry import PixelQuantizer
from qbench.quantize.fixed_grid import BITS as FILE_BITS
from qbench.quantize.fixed_grid import as_prescribed
from qbench.quantize.folding import foldable_in
from qbench.quantize.interface import KernelQuantizing, TensorQuantizing
from qbench.quantize.placement import PLACEMENTS, Placement
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.shared_ranges import groups
from qbench.quantize.tensors import Call, Graph, Tensor
from qbench.quantize.traits import is_concatenation, is_convolution

LAYERS = "quant.scheme.layers"
"""The key of the scheme's patterns of layers, for messages."""


@dataclass(frozen=True, eq=False)
class Rules:
    """A scheme for one graph; without a scheme nothing is quantized."""

    graph: Graph
    scheme: QuantizationScheme | None

    def wanted(self, call: Call, tensor: Tensor) -> tuple[str, TensorQuantizing] | None:
        """The placement that quantizes a tensor for a reader, and the quantizer."""
        if self.scheme is None:
            return None
        if self.graph.leads(call):
            return None
        if self.graph.is_image(tensor):
            return self._wanted_end(self.pixels or self.scheme.edge)
        placement = self._placement(call, tensor)
        is_edge = tensor.root == self.graph.output.root  # later ops only pass its values on
        quantizer = self.scheme.edge if is_edge else self.scheme.activation
        if not placement or not quantizer:
            return None
        return placement, self._in_a_file(placement, tensor, quantizer)

    def wanted_end(self) -> tuple[str, TensorQuantizing] | None:
        """The placement that quantizes the network's output, and the quantizer."""
        quantizer, output = self.scheme.edge if self.scheme else None, self.graph.output
        chosen = next((name for name, found in self._chosen if output.name in found), None)
        wanted = (chosen, quantizer) if chosen and quantizer else self._wanted_end(quantizer)
        return wanted and (wanted[0], self._in_a_file(wanted[0], output, wanted[1]))

    def _wanted_end(
        self, quantizer: TensorQuantizing | None
    ) -> tuple[str, TensorQuantizing] | None:
        placement = self._simulating
        return (placement, quantizer) if placement and quantizer else None

    def grid_root(self, tensor: Tensor) -> Tensor:
        """The tensor whose range counts where this one is quantized.

        A simulation of files passes over what files leave out.
        """
        return self.graph.root_in_file(tensor) if self.simulates_files else self.graph.root(tensor)

    def _in_a_file(
        self, placement: str, tensor: Tensor, quantizer: TensorQuantizing
    ) -> TensorQuantizing:
        """The quantizer of a tensor; a placement that simulates files takes the kernel's grid."""
        root = self.grid_root(tensor)
        if not PLACEMENTS[placement].gathered or root.name in self.shared_ranges:
            return quantizer
        return as_prescribed(root.producer, quantizer)

    @property
    def inside(self) -> str | None:
        """The placement that quantizes what files have on grids inside an operation.

        It is the logistic function in SiLU, and slopes. None if the scheme does not simulate files,
        or activations have more bits than files.
        """
        activation, placement = self.scheme.activation if self.scheme else None, self._simulating
        if activation is None or placement is None or activation.bits > FILE_BITS:
            return None
        return placement

    @property
    def simulates_files(self) -> bool:
        """Whether a placement quantizes what an int8 file has on grids, and nothing else."""
        return self._simulating is not None

    @property
    def _simulating(self) -> str | None:
        return next((name for name, rule in self._placements if rule.gathered), None)

    @cached_property
    def pixels(self) -> PixelQuantizer | None:
        """The grid of raw pixels at the beginning of the network; None if it has none."""
        image = self.scheme.image if self.scheme else None
        return image and image.behind(self.graph.lead)

    @cached_property
    def kernels(self) -> dict[str, tuple[str, KernelQuantizing]]:
        """The placement that quantizes the kernels of a layer, and the quantizer, by layer.

        Raises:
            QbenchError: one of the scheme's patterns of layers matches no kernel.
        """
        names = [op.name for op in self.graph.operations if is_convolution(op)]
        wanting = [name for name, rule in self._placements if rule.kernels]
        if self.scheme is None or not wanting:
            return {}
        ends = {*names[:1], *names[-1:]}
        scheme = self.scheme
        every = {name: scheme.edge_kernel if name in ends else scheme.kernel for name in names}
        found = {name: quantizer for name, quantizer in every.items() if quantizer}
        if scheme.layers != EVERY:
            check_each_matches(LAYERS, scheme.layers, list(found), "layer with a quantized kernel")
        return {
            name: (wanting[0], quantizer)
            for name, quantizer in found.items()
            if matches(name, scheme.layers)
        }

    @cached_property
    def folds(self) -> dict[str, Any]:
        """The batch normalizations that are folded into kernels, by the layer of the kernel."""
        if self.scheme is None or not self.scheme.fold:
            return {}
        found = foldable_in(self.graph)
        return {name: norm for name, norm in found.items() if name in self.kernels}

    @cached_property
    def folded(self) -> dict[int, str]:
        """The layer of the kernel that takes up a batch normalization, by its id."""
        return {id(norm): into for into, norm in self.folds.items()}

    @cached_property
    def held(self) -> frozenset[int]:
        """The ids of the layers that are called with `training=False`."""
        return frozenset(id(call.op) for call in self.graph.calls if call.is_in_inference)

    @cached_property
    def shared_ranges(self) -> Mapping[str, tuple[str, ...]]:
        """For each tensor with a shared range, all tensors that share it.

        In a simulation of files, what is concatenated shares the range of the whole too, since a
        file has one grid for all of it. A tensor on a grid that its kernel prescribes shares none.
        """
        if self.scheme is None or not self.scheme.share_ranges:
            return {}
        joining = [call for call in self.graph.calls if call.joins]
        return groups(self._sharing(call) for call in joining)

    def _sharing(self, call: Call) -> list[str]:
        """The tensors that share a range because of one call."""
        activation = self.scheme.activation if self.scheme else None
        if not self.simulates_files or activation is None:
            return [tensor.root for tensor in call.reads]
        names = [self.graph.root_in_file(tensor).name for tensor in call.reads]
        if is_concatenation(call.op):
            names += [tensor.name for tensor in call.makes if tensor.name in self._gathered]
        makers = {name: self.graph.tensors[name].producer for name in names}
        return [name for name in names if as_prescribed(makers[name], activation) is activation]

    @cached_property
    def _placements(self) -> list[tuple[str, Placement]]:
        chosen = self.scheme.placement if self.scheme else ()
        return [(name, PLACEMENTS[name]) for name in chosen]

    @cached_property
    def _chosen(self) -> list[tuple[str, frozenset[str]]]:
        """The tensors that placements choose in the whole graph."""
        return [(name, rule.tensors_of(self.graph)) for name, rule in self._placements]

    @cached_property
    def _gathered(self) -> frozenset[str]:
        return frozenset(self.graph.gathered)

    def _placement(self, call: Call, tensor: Tensor) -> str | None:
        """The placement that quantizes a tensor for a reader."""
        rules, read = self._placements, (call.op, len(call.reads))
        wanting = [name for name, rule in rules if rule.gathered and tensor.root in self._gathered]
        wanting += [name for name, found in self._chosen if tensor.name in found]
        wanting += [name for name, rule in rules if rule.outputs_of(tensor.producer)]
        wanting += [name for name, rule in rules if rule.inputs_of(*read)]
        if tensor.depth < call.depth:
            wanting += [name for name, rule in rules if rule.shortcuts_of(*read)]
        return wanting[0] if wanting else None
