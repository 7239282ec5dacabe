"""Which images a step trains on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.data.batches import Batches

SIZES = st.tuples(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**31 - 1))


def _laid_end_to_end(images: int, size: int, seed: int, steps: int) -> np.ndarray:
    batches = Batches(images, size, seed)
    return np.concatenate([batches.indices(step) for step in range(steps)])


@given(sizes=SIZES, steps=st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_a_batch_depends_on_seed_and_step_alone(
    sizes: tuple[int, int, int], steps: list[int]
) -> None:
    kept = Batches(*sizes)
    for step in steps:
        np.testing.assert_array_equal(kept.indices(step), Batches(*sizes).indices(step))


@given(sizes=SIZES, order=st.permutations(range(8)))
def test_the_order_of_calls_does_not_matter(sizes: tuple[int, int, int], order: list[int]) -> None:
    forwards, mixed = Batches(*sizes), Batches(*sizes)
    shuffled = {step: mixed.indices(step) for step in order}
    for step in range(8):
        np.testing.assert_array_equal(forwards.indices(step), shuffled[step])


@given(sizes=SIZES)
def test_every_epoch_holds_every_image_once(sizes: tuple[int, int, int]) -> None:
    images, size, seed = sizes
    indices = _laid_end_to_end(images, size, seed, steps=-(-3 * images // size))
    for epoch in range(3):
        part = indices[epoch * images : (epoch + 1) * images]
        np.testing.assert_array_equal(np.sort(part), np.arange(images))


@given(sizes=SIZES, other=st.integers(1, 40))
def test_the_batch_size_only_cuts(sizes: tuple[int, int, int], other: int) -> None:
    """A batch that reaches over the end of an epoch goes on with the next epoch."""
    images, size, seed = sizes
    one = _laid_end_to_end(images, size, seed, 6)
    two = _laid_end_to_end(images, other, seed, -(-6 * size // other))
    np.testing.assert_array_equal(one, two[: len(one)])


@pytest.mark.parametrize(("images", "size"), [(10, 4), (3, 8), (1, 1), (1198, 64)])
def test_every_batch_is_full(images: int, size: int) -> None:
    for step in (0, 1, 2, 3, 1000):
        indices = Batches(images, size, 0).indices(step)
        assert (indices.shape, indices.dtype) == ((size,), np.int64)
        assert 0 <= indices.min() <= indices.max() < images


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    orders = [
        tuple(Batches(50, 50, seed).indices(epoch)) for seed in (0, 1, 2) for epoch in (0, 1, 2)
    ]
    assert len(set(orders)) == 9
    assert tuple(range(50)) not in orders


def test_the_order_is_fixed_for_good() -> None:
    """A literal: another order would change every result under the same run id."""
    generator = np.random.Generator(np.random.Philox(key=[3, 0]))
    expected = generator.permutation(6).tolist()
    assert Batches(6, 6, 3).indices(0).tolist() == expected == [4, 5, 0, 1, 2, 3]
