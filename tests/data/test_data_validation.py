"""The validation images: which they are, how many of each class, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regression_task import Regression
from validation_examples import LABELS, SEEDS, Chosen, classes, made

from qbench.base.errors import QbenchError
from qbench.data import Dataset, load, split
from qbench.data.validation import largest_remainders, validation_indices
from qbench.tasks.classification import Classification
from qbench.tasks.task import Task


def _numbers(images: Any) -> Any:
    return np.ascontiguousarray(images).reshape(-1, 4).view(np.uint32).ravel()


def _halves(labels: list[int], seed: int, task: Task) -> tuple[Dataset, Dataset]:
    whole = made(labels, task)
    return whole, split(whole, Chosen(len(labels) // 2, seed))


@given(labels=LABELS, seed=SEEDS)
@pytest.mark.parametrize("task", [Classification(10), Regression(1)], ids=lambda task: task.name)
def test_the_parts_are_disjoint_and_complete_and_keep_their_order(
    labels: list[int], seed: int, task: Task
) -> None:
    whole, found = _halves(labels, seed, task)
    assert found.validation is not None
    images, targets = found.validation
    taken, left = _numbers(images), _numbers(found.train_images)
    assert len(taken) == len(labels) // 2
    assert sorted([*taken, *left]) == list(range(len(labels)))
    for kept, own in ((taken, targets), (left, found.train_labels)):
        assert np.all(np.diff(kept) > 0)
        np.testing.assert_array_equal(own, whole.train_labels[kept])
    assert found.test_images is whole.test_images and found.test_labels is whole.test_labels
    assert (found.hash, found.name, found.task) == (whole.hash, whole.name, whole.task)


@given(labels=LABELS, part=st.floats(0.01, 0.99) | st.integers(1, 119), seed=SEEDS)
def test_every_class_gives_its_share_within_one_image(
    labels: list[int], part: float, seed: int
) -> None:
    data, number = classes(labels), part
    if isinstance(part, float):
        number = int(part * len(labels) + 0.5)
    counts = np.bincount(labels, minlength=10)
    try:
        found = np.bincount(data.train_labels[validation_indices(data, part, seed)], minlength=10)
    except QbenchError:
        exact = largest_remainders(counts, int(number)) if 0 < number < len(labels) else counts
        assert number < 1 or np.any((exact == counts) & (counts > 0))
        return
    assert found.sum() == number
    assert np.all(np.abs(found - counts * number / len(labels)) < 1)
    assert np.all((found < counts) | (counts == 0))


@given(
    counts=st.lists(st.integers(1, 10**6), min_size=1, max_size=20),
    share=st.floats(0, 1),
)
def test_largest_remainders_against_fractions(counts: list[int], share: float) -> None:
    number = int(share * sum(counts))
    found = largest_remainders(np.array(counts), number)
    exact = [count * number / sum(counts) for count in counts]
    assert found.sum() == number
    assert all(abs(f - e) < 1 for f, e in zip(found, exact, strict=True))
    # No stratum is rounded down with a larger remainder than one that is rounded up.
    parts = [divmod(count * number, sum(counts)) for count in counts]
    up = [rest for (low, rest), f in zip(parts, found, strict=True) if f > low]
    down = [rest for (low, rest), f in zip(parts, found, strict=True) if f == low]
    assert min(up, default=sum(counts)) >= max(down, default=0)


def test_a_tie_goes_to_the_first_strata() -> None:
    assert largest_remainders(np.array([5, 5, 5, 5]), 6).tolist() == [2, 2, 1, 1]


DIGITS = {
    (0.1, 0): "c63c3c101a29632d",
    (0.1, 1): "0e5d09a3b5fdab87",
    (150, 0): "46a2f2254e9aa4e4",
}


@pytest.mark.parametrize(("part", "seed"), DIGITS, ids=lambda value: str(value))
def test_the_digits_are_divided_like_this_for_ever(part: float, seed: int) -> None:
    """Another numpy, another machine or another process must choose the same images."""
    found = validation_indices(load("digits", None), part, seed)
    assert len(found) == (120 if part == 0.1 else 150)
    digest = hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == DIGITS[part, seed]


def test_each_class_gives_its_images_with_the_smallest_numbers_of_philox() -> None:
    data = load("digits", None)
    numbers = np.random.Philox(key=[5, 2**62]).random_raw(len(data.train_labels))
    found = validation_indices(data, 0.3, 5)
    for label in range(10):
        own = np.flatnonzero(data.train_labels == label)
        taken = np.intersect1d(found, own)
        assert set(taken) == set(own[np.argsort(numbers[own])][: len(taken)])


def test_a_larger_part_with_the_same_seed_holds_the_smaller_one() -> None:
    """With strata of one size, whose shares grow together."""
    data = classes(list(range(10)) * 20)
    small, large = (set(validation_indices(data, part, 3).tolist()) for part in (0.1, 0.3))
    assert small < large


def test_seeds_choose_independently() -> None:
    data = classes([0] * 2000)
    found = [set(validation_indices(data, 0.5, seed).tolist()) for seed in range(4)]
    for k, one in enumerate(found):
        for other in found[:k]:
            assert 420 < len(one & other) < 580  # 500 are expected


def test_a_share_is_rounded_half_up_in_decimals() -> None:
    data = made(np.zeros(50), Regression(1))
    sizes = {
        0.01: 1,
        0.03: 2,
        0.05: 3,
        0.07: 4,
        0.29: 15,
        0.49: 25,
    }  # 0.29 x 50 is 14.49... in binary
    found = {share: len(validation_indices(data, share, 0)) for share in sizes}
    assert found == sizes


def test_without_a_part_the_data_are_those_that_were_loaded() -> None:
    data = classes([0, 0, 1, 1])
    assert split(data, Chosen(None, 5)) is data
    assert data.validation is None


def test_the_same_part_is_made_once_and_another_one_anew() -> None:
    data = classes([0, 0, 1, 1])
    found = split(data, Chosen(2))
    assert split(data, Chosen(2)) is found
    assert split(data, Chosen(0.5, 1)) is not found
    assert split(classes([0, 0, 1, 1]), Chosen(2)) is not found


EACH = "a part that leaves made a training image of each class (none would be left of class"
# Labels of the training images, the part, what is expected instead.
REFUSED: list[tuple[list[int], float, str]] = [
    ([0] * 1200, 1200, "fewer than the 1,200 training images of made."),
    ([0] * 4, 2000, "fewer than the 4 training images of made."),
    ([0] * 4, 0.9, "fewer than the 4 training images of made."),
    ([0] * 4, 0.1, "at least one of the 4 training images of made."),
    ([0] * 6 + [7], 0.6, f"{EACH} 7)."),
    ([*range(10)] * 2, 19, f"{EACH} 0, 1, 2, 3, 4 and 4 more)."),
]


@pytest.mark.parametrize(("labels", "part", "said"), REFUSED, ids=[str(p) for _, p, _ in REFUSED])
def test_a_part_that_leaves_too_little_is_refused(
    labels: list[int], part: float, said: str
) -> None:
    with pytest.raises(QbenchError) as error:
        split(classes(labels), Chosen(part))
    assert str(error.value) == f"data.validation={part} is not allowed: expected {said}"


def test_without_strata_one_training_image_is_enough() -> None:
    found = split(made([1.0, 2.0, 3.0], Regression(1)), Chosen(2))
    assert len(found.train_images) == 1


def test_strata_may_have_any_labels_that_can_be_sorted() -> None:
    class Sides(Regression):
        def strata(self, targets: Any) -> Any:
            return np.where(targets > 5, "right", "left")

    data = made([*range(6), *range(6, 10)], Sides(1))
    found = validation_indices(data, 5, 0)
    assert (np.sum(found < 6), np.sum(found >= 6)) == (3, 2)
    with pytest.raises(QbenchError, match=r"of each position \(none would be left of position lef"):
        validation_indices(made([1, 6, 7, 8, 9, 9], Sides(1)), 5, 0)


def test_strata_of_a_wrong_shape_are_said() -> None:
    class Wrong(Regression):
        def strata(self, targets: Any) -> Any:
            return targets[:-1]

    with pytest.raises(QbenchError) as error:
        validation_indices(made([1, 2, 3], Wrong(1)), 1, 0)
    assert str(error.value) == (
        "task regression: strata gives shape (2,); expected one label for each of 3 images."
    )


@dataclass
class Answers:
    """A task's `strata` that gives one answer after the other."""

    answers: list[Any]

    def __call__(self, targets: Any) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(targets) if callable(answer) else answer


def _boom(targets: Any) -> Any:
    raise RuntimeError("boom.")


# What strata gives, and the sentence after the name of the task.
NONSENSE: dict[str, tuple[list[Any], str]] = {
    "other labels": ([[0, 0, 1, 1], [0, 1, 0, 1]], "strata gives other labels for the same"),
    "an error": ([_boom], rf"strata failed at {__file__}:\d+ \(RuntimeError: boom\)\.$"),
    "unsorted": (
        [np.array([None, "a", None, "a"], object)],
        r"strata gives labels that numpy does not sort \(TypeError: ",
    ),
    "ragged": ([[[0], [0, 1], [1], [2]]], "strata gives labels that numpy does not sort"),
    "a number": ([3], r"strata gives shape \(\); expected one label"),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_strata_that_are_nonsense_are_one_sentence(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, said = NONSENSE[case]
    task = Regression(1)
    monkeypatch.setattr(task, "strata", Answers(list(answers)), raising=False)
    with pytest.raises(QbenchError, match=f"^task regression: {said}"):
        validation_indices(made([1, 2, 3, 4], task), 2, 0)


def test_strata_may_be_a_list_and_not_change_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    def emptied(targets: Any) -> Any:
        given = targets.tolist()
        targets[:] = 0
        return given

    task = Regression(1)
    monkeypatch.setattr(task, "strata", emptied, raising=False)
    data = made([1.0, 1.0, 2.0, 2.0], task)
    assert sorted(data.train_labels[validation_indices(data, 2, 0)]) == [1, 2]
    assert data.train_labels.tolist() == [1, 1, 2, 2]


def test_no_code_writes_to_the_arrays_of_loaded_data() -> None:
    found = split(load("digits", None), Chosen(0.1))
    assert found.validation is not None
    for array in (found.train_labels, found.test_images, found.test_labels, *found.validation):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
