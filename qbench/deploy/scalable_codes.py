"""The scalable codes of a finished network, and what it costs to store and to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbench.codes.dram_energy import Stored, saved
from qbench.codes.levels import bits_of
from qbench.codes.scalable import Coded, coded, recovered
from qbench.codes.shift_codec import fixed, pack
from qbench.codes.thresholds import Thresholds
from qbench.schemes.scalable_kernel import DELTA, GAMMA, ScalableKernel
from qbench.training.scheme_state import SchemeState

FLOAT_BYTES = 4


def codes_of_network(applied: SchemeState) -> dict[str, Coded]:
    """The codes of each kernel with scalable codes, by its path, in the order of the network.

    Args:
        applied: the scheme of the network with its variables.
    """
    found = {}
    for layer, kernel, plan in applied.quantized_kernels():
        how = plan.kernels[layer.name][1]
        if not isinstance(how, ScalableKernel):
            continue
        form, cut = how.cut(layer, kernel)
        value = form.of(kernel.numpy())
        if how.is_fixed(layer):
            found[kernel.path] = recovered(value, cut, how.phi)
            continue
        state = applied.states.of_kernel(layer, kernel).arrays()
        chosen = Thresholds(float(state[GAMMA]), float(state[DELTA]))
        found[kernel.path] = coded(value, cut, how.phi, how.scale, chosen)
    return found


@dataclass(frozen=True)
class Costs:
    """What the coded kernels of a network cost.

    Attributes:
        weights: number of weights.
        scales: number of scales.
        zeros: the share of weights that are 0.
        file_bytes: bytes of their file.
        compression: the share of the bytes of float32 weights that the file saves.
        energy: the share of energy that reading them from DRAM saves, with scales of 32 bits.
    """

    weights: int
    scales: int
    zeros: float
    file_bytes: int
    compression: float
    energy: float


def costs(codes: Mapping[str, Coded]) -> Costs:
    """The costs of some kernels, of one at least."""
    every = list(codes.values())
    weights = sum(one.cut.size for one in every)
    size = len(pack([fixed(one) for one in every]))
    return Costs(
        weights,
        sum(one.cut.count for one in every),
        sum(one.zeros * one.cut.size for one in every) / weights,
        size,
        1 - size / (FLOAT_BYTES * weights),
        saved(tuple(Stored(one.cut.size, bits_of(one.phi), one.cut.count) for one in every)),
    )
