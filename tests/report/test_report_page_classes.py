"""Classes and images that changed, counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_examples as examples

from qbench.report.collect import collect
from qbench.report.page.classes import Classes, Count, classes


def _with_predictions(
    root: Path, predicted: dict[tuple[int, int], list[int]], names: Any = None, labels: Any = None
) -> Classes | None:
    """The section of three rows whose runs predict this for the labels 0, 0, 1, 1, 2."""
    seeds = 1 + max(seed for _, seed in predicted)
    folder = examples.write(root, examples.rows(seeds)[:3], seeds=seeds)
    for (number, seed), classes_of in predicted.items():
        run = root / "runs" / examples.run_id(number, seed)
        own = np.array(labels or [0, 0, 1, 1, 2], np.uint8)
        np.savez(run / "predictions.npz", label=own, predicted=np.array(classes_of, np.uint8))
    sweep = collect(folder)
    for record in sweep.records.values():
        record["data"] |= {"classes": names} if names else {}
    return classes(sweep)


def test_classes_gain_and_lose_images(tmp_path: Path) -> None:
    found = _with_predictions(
        tmp_path,
        {(0, 0): [0, 0, 1, 1, 2], (1, 0): [0, 1, 1, 1, 1], (2, 0): [1, 2, 1, 0, 2]},
        names=["cat", "dog", "hen"],
    )
    assert found is not None
    assert (found.reference, found.names) == ("default", ["cat", "dog", "hen"])
    baseline, other = found.rows
    assert (baseline.images, baseline.gained, baseline.lost) == (Count(2), Count(2), Count(0))
    assert baseline.classes == [Count(1), Count(0), Count(1)]
    assert (other.images, other.gained, other.lost) == (Count(4), Count(1), Count(2))
    assert other.classes == [Count(-1), Count(-1), Count(1)]
    assert found.largest == 1
    # Image 1 and image 4 change in both rows.
    assert found.images[0] == (1, "cat", "dog", "cat, hen", "2 of 2 runs")
    assert [image for image, *_ in found.images] == [1, 4, 0, 3]


def test_counts_are_means_over_seeds_and_the_reference_has_its_own_spread(tmp_path: Path) -> None:
    same = [0, 0, 1, 1, 2]
    predicted = {(0, 0): same, (0, 1): same, (1, 0): same, (1, 1): [0, 0, 1, 1, 0]}
    found = _with_predictions(tmp_path, predicted)
    assert found is not None
    (row,) = found.rows
    half, none = Count(0.5, pytest.approx(0.5**0.5)), Count(0, 0)
    assert (row.images, row.gained, row.lost, row.classes) == (half, half, none, [none, none, half])
    assert found.names == ["0", "1", "2"]
    assert "between two seeds of default itself, 1.0 images change" in found.said[-1]


def test_a_row_without_a_change_is_named(tmp_path: Path) -> None:
    same = [0, 0, 1, 1, 2]
    found = _with_predictions(tmp_path, {(0, 0): same, (1, 0): same})
    assert found is not None and found.rows == [] and found.images == []
    assert "No prediction changes in 1 row: baseline." in found.said


def test_predictions_of_another_kind_or_of_other_images_are_not_compared(tmp_path: Path) -> None:
    same = [0, 0, 1, 1, 2]
    assert _with_predictions(tmp_path / "a", {(0, 0): same}) is None
    folder = examples.write(tmp_path / "b", examples.rows()[:2])
    for number in (0, 1):
        run = folder.parent / "runs" / examples.run_id(number, 0)
        np.savez(run / "predictions.npz", target=np.zeros(5), position=np.zeros(5))
    assert classes(collect(folder)) is None
    other = np.array([1, 0, 1, 1, 2], np.uint8)
    made = tmp_path / "c"
    assert _with_predictions(made, {(0, 0): same, (1, 0): same}) is not None
    run = made / "runs" / examples.run_id(1, 0)
    np.savez(run / "predictions.npz", label=other, predicted=other)
    assert classes(collect(made / "ofat-12345678")) is None
