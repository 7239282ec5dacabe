"""The paper's energy, from its own equations and its own network."""

from __future__ import annotations

import pytest

from qbench.base.errors import QbenchError
from qbench.codes.dram_energy import (
    PAPER_PICOJOULES,
    Stored,
    picojoules,
    saved,
    with_shared_scales,
)
from qbench.codes.vectors import cut_of

CONVNET = ((3, 3, 3, 32), (3, 3, 32, 32), (3, 3, 32, 64), (3, 3, 64, 64))


@pytest.mark.parametrize(("bits", "printed"), [(2, 91.95), (3, 88.82)])
def test_the_savings_of_the_paper(bits, printed):
    layers = tuple(with_shared_scales(*shape, bits) for shape in CONVNET)
    assert sum(layer.scales for layer in layers) == 1179
    assert sum(layer.weights for layer in layers) == 65376
    assert round(100 * saved(layers), 2) == printed
    assert saved(layers) == pytest.approx(1 - bits / 32 - 1179 / 65376)
    # It is the cut into vectors of all filters.
    cuts = [cut_of(shape, None, "filters") for shape in CONVNET]
    assert tuple(Stored(cut.size, bits, cut.count) for cut in cuts) == layers


def test_energy():
    layer = Stored(1000, 3, 20)
    assert layer.total_bits == 3640
    assert picojoules(layer.total_bits) == pytest.approx(3640 / 32 * 640)
    assert picojoules(32, PAPER_PICOJOULES) == 6400
    # A share is the same with both energies of a word.
    for energy in (640, PAPER_PICOJOULES):
        ratio = picojoules(layer.total_bits, energy) / picojoules(32_000, energy)
        assert 1 - ratio == pytest.approx(saved((layer,)))
    assert saved((Stored(10, 3, 10),)) == pytest.approx(-3 / 32)


@pytest.mark.parametrize("wrong", [(0, 3, 1), (5, 0, 1), (5, 3, -1)])
def test_impossible_layers_are_refused(wrong):
    with pytest.raises(QbenchError, match="is not allowed: expected a whole number of at least"):
        Stored(*wrong)
