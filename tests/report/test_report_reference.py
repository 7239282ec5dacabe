"""The sentences on float rows that were quantized after training."""

from __future__ import annotations

from pathlib import Path

import pytest
import report_conversions as conversions
import report_examples as examples
import report_grids as grids

from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.reference import reference

HOW = "(int8, ranges calibrated on training images)"


def _said(folder: Path) -> list[str]:
    return reference(collect(folder))


@pytest.fixture
def single(tmp_path: Path) -> Path:
    return examples.write(tmp_path, examples.rows()[:2])


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return examples.write(tmp_path, examples.rows(2)[:2], seeds=2)


def test_without_any_nothing_is_said(single: Path) -> None:
    assert _said(single) == []


def test_the_baseline(single: Path) -> None:
    conversions.add_reference(single, 0)
    said = (
        f"For comparison, post-training quantization of the float baseline {HOW}: 96.00 %"
        " deployed, agreement with the float network 98.25 %, 0.105 MB."
    )
    assert _said(single) == [said]
    assert said in build_report(single).text.splitlines()
    assert f"- {said}" in (single / "table.md").read_text().splitlines()


def test_each_network_has_its_own(tmp_path: Path) -> None:
    """Networks are never averaged, and each keeps its label."""
    folder = grids.write(tmp_path, grids.DEPTHS)
    conversions.add_reference(folder, 0, accuracy=90.0)
    conversions.add_reference(folder, 2, accuracy=96.0, bytes=400_000)
    first, second = _said(folder)
    assert f"of the float row baseline {HOW}: 90.00 %" in first
    assert f"of the float row model.depth=20 quant.enabled=false {HOW}: 96.00 %" in second
    assert (first[-9:], second[-7:]) == ("0.105 MB.", "0.4 MB.")


def test_seeds_of_a_row_are_averaged(two: Path) -> None:
    for seed, accuracy in enumerate([90.0, 94.0]):
        conversions.add_reference(two, 0, seed, accuracy)
    (said,) = _said(two)
    assert f"{HOW}: 92.00 ± 2.83 % deployed" in said
    assert said.endswith("0.105 MB (means over 2 seeds).")


def test_a_seed_that_was_not_converted(two: Path) -> None:
    conversions.add_reference(two, 0, 0, 90.0)
    conversions.put(two, 0, 1, conversions.none(), conversions.REPRESENTATIVE)
    (said,) = _said(two)
    assert f"{HOW}: 90.00 % deployed" in said
    assert said.endswith(
        "(means over 1 of 2 seeds). 1 seed of 2: not converted. stem: a Conv2D cannot be converted"
        " yet."
    )


def test_none_is_said_of_the_row_it_belongs_to(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS)
    conversions.put(folder, 0, 0, conversions.none(), conversions.REPRESENTATIVE)
    conversions.add_reference(folder, 2)
    first, second = _said(folder)
    assert first == (
        "Post-training quantization of the float row baseline: none. stem: a Conv2D cannot be"
        " converted yet."
    )
    assert "96.00 % deployed" in second


def test_a_path_that_cannot_run_the_file_leaves_its_size(single: Path) -> None:
    kernels = {"xnnpack": conversions.ERROR, "builtin": conversions.path(95.0)}
    conversions.add_reference(single, 0, kernels=kernels)
    (said,) = _said(single)
    assert said.endswith(
        f"{HOW}: 0.105 MB. No accuracy: XNNPACK cannot run the file: no kernel for this."
    )


def test_figures_of_other_images_are_left_out(single: Path) -> None:
    conversions.add_reference(single, 0, images=50)
    (said,) = _said(single)
    assert f"{HOW}: 0.105 MB. No accuracy: measured on 50 test images" in said
    assert "`qbench convert RUN deploy.calibration=representative`" in said


def test_a_report_without_the_packed_size(two: Path) -> None:
    """In one seed only; the sentence does not need it."""
    conversions.add_reference(two, 0, 0)
    conversions.add_reference(two, 0, 1, packed_bytes=None)
    assert "(means over 2 seeds)" in _said(two)[0]
