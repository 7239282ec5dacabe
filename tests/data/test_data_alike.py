"""Training images that are alike stay on one side of the validation part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from validation_examples import LABELS, SEEDS, Chosen, classes

from qbench.base.errors import QbenchError
from qbench.data import split
from qbench.data.validation import validation_indices


@given(groups=st.lists(st.integers(0, 20), min_size=30, max_size=30), seed=SEEDS)
def test_images_that_are_alike_are_on_one_side(groups: list[int], seed: int) -> None:
    labels = [k % 3 for k in range(30)]
    data = replace(classes(labels), alike=np.array(groups))
    try:
        found = validation_indices(data, 12, seed)
    except QbenchError as error:
        assert "equal images are kept on one side and none of these fit" in str(error)
        return
    taken = {groups[k] for k in found}
    assert len(found) and taken.isdisjoint({groups[k] for k in set(range(30)) - set(found)})
    counts = np.bincount(np.array(labels)[found], minlength=3)
    assert counts.max() <= 4
    for group in set(groups) - taken:  # each of the others has no room
        more = [labels[k] for k in range(30) if groups[k] == group]
        assert np.any(counts + np.bincount(more, minlength=3) > 4)
    assert split(data, Chosen(12, seed)).alike is None


@given(labels=LABELS, seed=SEEDS)
def test_different_images_are_divided_as_ever(labels: list[int], seed: int) -> None:
    data = classes(labels)
    grouped = replace(data, alike=np.random.default_rng(seed).permutation(len(labels)))
    for part in (len(labels) // 2, 1):
        try:
            known = validation_indices(data, part, seed).tolist()
        except QbenchError:
            continue
        assert validation_indices(grouped, part, seed).tolist() == known


def test_a_number_for_each_image_is_needed() -> None:
    data = replace(classes([0, 1] * 3), alike=np.arange(5))
    with pytest.raises(QbenchError, match=r"alike of shape \(5,\) for 6 training images; expected"):
        validation_indices(data, 2, 0)
