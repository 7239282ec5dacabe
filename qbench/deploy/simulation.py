"""Describes how the simulation of a run quantizes each tensor and kernel, with fixed ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qbench.base.errors import QbenchError
from qbench.config.quant import Quant
from qbench.deploy.agreement import check_grid, check_scale, is_as_in_a_file
from qbench.deploy.baking import FoldedKernel, folded_kernel
from qbench.deploy.grids import Grid, tensor_grid
from qbench.deploy.packed import MOST_BITS
from qbench.quantize.analysis import analyse
from qbench.quantize.entry import PixelQuantizer
from qbench.quantize.insertion_plan import QuantizedSlopes
from qbench.quantize.interface import KernelQuantizing, TensorQuantizing
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.states import NO_STATES, States
from qbench.quantize.traits import kernels


class Simulation:
    """The quantized view of a trained network: what it quantizes, and how.

    The weights must not change while it is used.

    Attributes:
        entry: the name of the tensor that counts as the image.
        lead: the layers before it.
        pixels: the grid of raw pixels at the beginning, if files take these; else None.
        quantizes_kernels: whether it quantizes any kernel.
        quantizes_slopes: whether it quantizes the trained slopes of a ReLU.
    """

    def __init__(
        self,
        model: Any,
        averages: RangeAverages,
        quant: Quant,
        states: States = NO_STATES,
        pixels: PixelQuantizer | None = None,
    ) -> None:
        """Describe the view of a model.

        Args:
            model: the trained, functional float model.
            averages: the range averages of the model.
            quant: the quantization settings of the run.
            states: the variables of the run's scheme.
            pixels: the grid of raw pixels, if files take these.

        Raises:
            QbenchError: an op without a grid quantizes a tensor or kernel with up to 16 bits, an op
                gives values that are not on its declared grid, the grid of a tensor has no step
                above 0, or the network's first layers leave no grid for raw pixels.
        """
        scheme = quant.quantization
        scheme = scheme and replace(scheme, image=pixels)
        self._plan = analyse(model, scheme)
        self.entry = self._plan.entry
        self.lead = [call.op for call in self._plan.calls if call.op.name in self._plan.lead]
        self.pixels = pixels and pixels.behind(self.lead)
        self._quantizers = {
            one.root: one.quantizer.with_state(
                states.of_tensor(self._plan.range_owner(one.root)).arrays()
            )
            for one in self._plan.quantized_tensors
        }
        self._layers = {call.op.name: call.op for call in self._plan.calls}
        self._states = states
        self._folded: dict[str, FoldedKernel] = {}
        self.quantizes_kernels = any(one.is_kernel for one in self._plan.insertions)
        stand_ins = [call.stand_in for call in self._plan.calls]
        self.quantizes_slopes = any(isinstance(one, QuantizedSlopes) for one in stand_ins)
        self._rows = {name: row for row, name in enumerate(averages.tensors)}
        self._ranges = averages.averages.numpy()
        for quantizer in scheme.quantizers if scheme else ():
            if quantizer.bits <= MOST_BITS:
                quantizer.require_codes()
        for name, quantizer in self._quantizers.items():
            if quantizer.bits <= MOST_BITS:
                ends = self.range_of(name)
                check_scale(name, quantizer.grid(*ends).scale, quantizer.ends is not None)
                check_grid(quantizer, *ends)

    def other_than_files(self) -> list[str]:
        """The tensors that an int8 file rounds or clamps in another way, on the same grid."""
        return [
            name
            for name, quantizer in self._quantizers.items()
            if not is_as_in_a_file(quantizer, *self.range_of(name))
        ]

    def quantizer_of(self, name: str) -> TensorQuantizing | None:
        """The quantizer of a tensor with a gathered range; None if the tensor is float."""
        return self._quantizers.get(name)

    def grid_of(self, name: str, own: bool = True) -> Grid:
        """The grid of a tensor in an int8 file.

        Args:
            name: a tensor with a gathered range.
            own: whether the grid of the tensor's quantizer counts; if not, the grid is affine over
                the range.
        """
        if name == self.entry and self.pixels:
            return tensor_grid(*self.pixels.ends, self.pixels)
        return tensor_grid(*self.range_of(name), self.quantizer_of(name) if own else None)

    def range_of(self, name: str) -> tuple[float, float]:
        """The range of a tensor, or of all tensors that share a range with it.

        It is the averaged range, unless the quantizer of the tensor has its own, or the tensor is
        an image of raw pixels.

        Raises:
            QbenchError: the range is not finite.
        """
        if name == self.entry and self.pixels:
            return self.pixels.ends
        quantizer = self._quantizers.get(name)
        if quantizer is not None and quantizer.ends is not None:
            return quantizer.ends
        names = self._plan.shared_ranges.get(name, (name,))
        rows = [self._rows[tied] for tied in names if tied in self._rows]
        if not np.all(np.isfinite(self._ranges[rows])):
            raise QbenchError(f"{name}: its range in training was not finite.")
        return float(self._ranges[rows, 0].min()), float(self._ranges[rows, 1].max())

    def kernel_quantizer(self, layer: str) -> KernelQuantizing | None:
        """The quantizer of a layer's first kernel; None if the kernel is float."""
        rule = self._plan.kernel_rule(layer)
        if rule is None:
            return None
        owner = self._layers[layer]
        return rule[1].with_state(self._states.of_kernel(owner, kernels(owner)[0]).arrays())

    def folded_kernel(self, layer: Any, norm: Any | None) -> FoldedKernel:
        """The weights of a layer with the batch normalization `norm` folded in, computed once."""
        if layer.name not in self._folded:
            quantizer, folds = self.kernel_quantizer(layer.name), self.folds(layer.name)
            self._folded[layer.name] = folded_kernel(layer, norm, quantizer, folds)
        return self._folded[layer.name]

    def folds(self, layer: str) -> bool:
        """Whether the layer's kernel was quantized with batch normalization folded in."""
        return layer in self._plan.folds
