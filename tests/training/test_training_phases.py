"""Training in pieces, with states stored and read back, is training in one go."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import training_examples as examples

from qbench.storage.state import pack, unpack
from qbench.training.loop import history, train_phase

QUANTIZED: list[tuple[str, dict[str, Any]]] = [
    ("measured", {}),
    ("augmented", {"data.augment": True}),
]


def _ignore(new: int, loss: float) -> None:
    """What a report is told matters not."""


def _pieces(chosen: Any, used: Any, cuts: list[int]) -> tuple[Any, list[float]]:
    """Trained with another network after each cut, which has only the stored state of this run.

    The two networks take turns: one that has trained before, and a new one.
    """
    losses: list[float] = []
    network, other = used, examples.fresh(chosen.with_values({"seed": 9}))
    network.initialise(chosen.seed)
    for first, end in pairwise(cuts):
        phase = "float" if end <= chosen.quantization_start else "quantized"
        train_phase(network, chosen, examples.digits(), phase, (first, end), losses, _ignore)
        state = unpack(pack(network.state(losses)))
        assert state.step == end
        network, other = other, network
        network.set_state(state)
        losses = [float(loss) for loss in state.losses]
    return network, losses


@pytest.mark.parametrize("values", [q[1] for q in QUANTIZED], ids=[q[0] for q in QUANTIZED])
def test_pieces_give_the_bits_of_the_whole(values: dict[str, Any]) -> None:
    chosen = examples.experiment(values)
    whole = examples.ready(chosen)
    rows = examples.trained(whole, chosen)
    one, weights = whole.state([float(row["loss"]) for row in rows]), whole.weights_hash()
    network, losses = _pieces(chosen, whole, [0, 2, 5, 9, 10])
    assert network.weights_hash() == weights
    assert history(losses, chosen.phases, 1) == rows
    two = network.state(losses)
    assert set(one.arrays) == set(two.arrays)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name])


@pytest.mark.parametrize(
    ("every", "span", "expected"),
    [
        (None, (0, 5), []),
        (2, (0, 5), [2, 4]),
        (5, (0, 5), []),
        (3, (2, 10), [3, 6, 9]),
        (1, (3, 5), [4]),
        (2, (4, 4), []),
    ],
)
def test_checkpoints_are_made_within_a_span_when_the_losses_are_there(
    every: int | None, span: tuple[int, int], expected: list[int]
) -> None:
    chosen = examples.experiment({"train.checkpoint_every": every, "quant.enabled": False})
    losses = [1.0] * span[0]
    seen: list[int] = []
    told: list[int] = []
    train_phase(
        *(examples.ready(chosen), chosen, examples.digits(), "float", span, losses),
        lambda new, loss: told.append(new),
        lambda: seen.append(len(losses)),
    )
    assert seen == expected
    assert sum(told) == span[1] - span[0]
    assert len(losses) == span[1]


def test_checkpoints_change_no_bit() -> None:
    chosen = examples.experiment()
    network = examples.ready(chosen)
    rows, weights = examples.trained(network, chosen), network.weights_hash()
    network.initialise(chosen.seed)
    often = chosen.with_values({"train.checkpoint_every": 1})
    assert examples.trained(network, often) == rows
    assert network.weights_hash() == weights
