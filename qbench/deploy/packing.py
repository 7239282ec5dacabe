"""Collects the packed form of a trained network: trained codes, their scales and biases."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.config.quant import Quant
from qbench.deploy.agreement import check_codes
from qbench.deploy.baking import FoldedKernel, scales_of
from qbench.deploy.export import CONVERTIBLE
from qbench.deploy.grids import Grid, tensor_grid
from qbench.deploy.packed import (
    MOST_BITS,
    BookCodes,
    Codes,
    Floats,
    Layer,
    Packed,
    identical,
    pack,
    unpack,
)
from qbench.deploy.simulation import Simulation
from qbench.quantize.code_book import CodeBook
from qbench.quantize.entry import PixelQuantizer
from qbench.quantize.folding import foldable, scaled
from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.kept_float import beside_kernels
from qbench.quantize.kernels import channel_form
from qbench.quantize.ops import OpGrid
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.states import NO_STATES, States
from qbench.quantize.tensors import graph_of
from qbench.quantize.traits import kernels
from qbench.quantize.walk import functional


def packed_file(
    model: Any,
    averages: RangeAverages,
    quant: Quant,
    states: States = NO_STATES,
    pixels: PixelQuantizer | None = None,
) -> bytes:
    """The packed form of a trained network; it is read back and checked.

    Raises:
        ValueError: the form read back differs from the written form.
    """
    written = contents(model, averages, quant, states, pixels)
    content = pack(written)
    if not identical(unpack(content), written):
        raise ValueError("a packed model does not read back as it was written")
    return content


def contents(
    model: Any,
    averages: RangeAverages,
    quant: Quant,
    states: States = NO_STATES,
    pixels: PixelQuantizer | None = None,
) -> Packed:
    """The contents of a network's packed form.

    Kernels have their trained bits, 1 to 16. A kernel with more bits, or a float kernel, is stored
    as float32 values. Codes are on the op's grid. An op that measures its range may let values
    outside its codes through; then the kernel gets the number of bits that all its values need. A
    kernel whose channels have different zero points gets this number too: its codes are counted
    from the zero points.

    Tensors that only the first and the last layer leave float have the 8-bit grid that an int8 file
    gives them. If activations have more
    than 16 bits, or stay float, no grids are stored. A bias is int32 if its layer has codes on a
    grid, reads one tensor with a grid, and all its channels fit. If not, it is float32, which has
    the same size.

    Args:
        model: the trained float model.
        averages: the range averages of the model.
        quant: the quantization settings of the run.
        states: the variables of the scheme, if it keeps any.
        pixels: the grid of raw pixels, if the network reads these.

    Raises:
        QbenchError: the op has no grid for up to 16 bits.
    """
    model = functional(model)
    folds = foldable(model)
    simulation = Simulation(model, averages, quant, states, pixels)
    grids = _grids(simulation, averages, quant)
    read = _roots(model)
    layers = []
    held = {norm.name for norm in folds.values()}
    for layer in model.layers:
        if isinstance(layer, CONVERTIBLE):
            roots = read[layer.name]
            grid = grids.get(roots[0]) if len(roots) == 1 else None
            layers.append(_layer(layer, folds.get(layer.name), simulation, grid))
            held.add(layer.name)
    rest = [layer for layer in model.layers if layer.name not in held]
    beside = [layer for layer in model.layers if isinstance(layer, CONVERTIBLE)]
    weights = [weight for layer in rest for weight in layer.weights]
    weights += [weight for layer in beside for weight in beside_kernels(layer)]
    others = [np.asarray(weight) for weight in weights]
    floats = tuple(values for values in others if values.dtype == np.float32)
    return Packed(tuple(grids.values()), tuple(layers), floats)


def _roots(model: Any) -> dict[str, list[str]]:
    """By layer, the tensors with a gathered range that it reads in all its calls."""
    found: dict[str, list[str]] = {}
    for call in graph_of(model).calls:
        found.setdefault(call.op.name, []).extend(tensor.root for tensor in call.reads)
    return found


def _grids(simulation: Simulation, averages: RangeAverages, quant: Quant) -> dict[str, Grid]:
    """The grid of every tensor with a gathered range; its scale is a float32 value."""
    scheme = quant.quantization
    if scheme is None or scheme.activation_bits > MOST_BITS:
        return {}
    found = {}
    for name in averages.tensors:
        ends, quantizer = simulation.range_of(name), simulation.quantizer_of(name)
        grid = tensor_grid(*ends, quantizer, most_bits=MOST_BITS)
        found[name] = Grid(float(np.float32(grid.scale)), grid.zero_point)
    return found


def _layer(layer: Any, norm: Any | None, simulation: Simulation, grid: Grid | None) -> Layer:
    quantizer = simulation.kernel_quantizer(layer.name)
    folded = simulation.folded_kernel(layer, norm)
    if quantizer is None:
        return Layer(folded.values, folded.bias)
    book = quantizer.book(layer, kernels(layer)[0], folded.before)
    if book is not None:
        return Layer(_book_codes(layer, folded, quantizer.bits, book), folded.bias)
    codes = _codes(layer, folded, quantizer)
    if codes is None:
        return Layer(folded.values, folded.bias)
    return Layer(codes, _bias(folded.bias, codes, grid))


def _book_codes(layer: Any, folded: FoldedKernel, bits: int, book: CodeBook) -> BookCodes:
    """The codes of a kernel in its code book, with the scales of folding.

    Raises:
        QbenchError: a weight is not in the code book.
    """
    variable = kernels(layer)[0]
    form = channel_form(layer, variable)
    columns = folded.quantized if form is None else form.columns(folded.quantized)
    codes = book.codes(f"{layer.name} {variable.name}", np.asarray(columns))
    shaped = codes.reshape(folded.quantized.shape) if form is None else form.back(codes)
    scales = (book.scales * folded.after).astype(np.float32)
    scales = scales if np.ptp(scales) else scales[:1]
    return BookCodes(_in_channels(layer, np.asarray(shaped)), bits, book.levels, scales)


def _codes(layer: Any, folded: FoldedKernel, quantizer: KernelQuantizing) -> Codes | None:
    """The codes of a kernel on its trained grid.

    None if 16 bits cannot hold them, or if the grid of a channel has no scale. The codes of a
    depthwise kernel have the shape (height, width, channels).
    """
    bits, kernel = quantizer.bits, folded.quantized
    if bits > MOST_BITS:
        return None
    steps = scales_of(layer, kernels(layer)[0], folded.before, quantizer)
    if not np.all(steps):
        return None
    lowest, zero_point = _lowest_code(quantizer.grids(layer, kernels(layer)[0], folded.before))
    steps = steps * np.ones(len(folded.after))
    per_code = np.asarray(scaled(layer, np.ones_like(kernel, np.float64), steps))
    codes = check_codes(quantizer.op, kernel / per_code) + zero_point
    smallest, largest = int(codes.min()), int(codes.max())
    if not lowest <= smallest <= largest < lowest + 2**bits:
        lowest, bits = smallest, max((largest - smallest).bit_length(), 1)
    if bits > MOST_BITS:
        return None
    scales = (steps * folded.after).astype(np.float32)
    scales = scales if np.ptp(scales) else scales[:1]
    return Codes(_in_channels(layer, codes).astype(np.int32), bits, lowest, zero_point, scales)


def _lowest_code(grids: list[OpGrid]) -> tuple[int, int]:
    """The smallest code of a kernel, and the code of 0.

    If they differ between channels, the codes of each channel are counted from its code of 0.
    """
    found = {(grid.lowest, grid.zero_point) for grid in grids}
    return found.pop() if len(found) == 1 else (0, 0)


def _in_channels(layer: Any, codes: Any) -> Any:
    """Codes with the output channels last."""
    form = channel_form(layer, kernels(layer)[0])
    if form is not None and form.swapped:
        return np.swapaxes(codes, -1, -2)
    if form is None or form.channels == codes.shape[-1]:
        return codes
    return codes.reshape(*codes.shape[:-2], form.channels)


def _bias(bias: Floats, codes: Codes, grid: Grid | None) -> Any:
    """The bias in int32 codes, with the scale of input times kernel; else in float32."""
    steps = codes.scales * np.float64(grid.scale) if grid else np.zeros(1)
    if not steps.all():
        return bias
    biases = np.rint(bias / steps)
    if np.abs(biases).max() >= 2**31:
        return bias
    return biases.astype(np.int32)
