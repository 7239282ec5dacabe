"""Recommendations, from records that are made by hand."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_tasks as tasks

from qbench.base.errors import QbenchError
from qbench.report.collect import Sweep
from qbench.report.recommend import Limits, Recommendation, recommend
from qbench.report.recommend.words import latency, notes, sentence, size, table, text
from qbench.statistics.comparison import compare
from qbench.tasks.recorded import recorded

SEEDS = 5
# By label: validation accuracy and test accuracy of the first seed, and the size of the file.
ROWS = {
    "baseline": (90.0, 80.0, 318_000),
    "default": (89.9, 81.0, 96_448),
    "quant.bits=4": (87.0, 85.0, 50_300),
    "quant.delay=0.4": (89.95, 79.0, 96_440),
}


def sweep(
    folder: Path, seeds: int = SEEDS, files: bool = True, task: dict[str, Any] | None = None
) -> Sweep:
    """A sweep whose rows differ by nearly the same in every seed."""
    name = recorded({"task": task} if task else None).metrics[0].name
    rows, records, exports = [], {}, {}
    for number, (label, (chosen, tested, weight)) in enumerate(ROWS.items()):
        runs = [{"seed": seed, "id": f"{number}{seed}"} for seed in range(seeds)]
        rows.append({"label": label, "reason": None, "changes": {}, "runs": runs})
        for seed in range(seeds):
            noise = seed + 0.01 * ((number * 3 + seed * seed) % 4)
            run = f"{number}{seed}"
            records[run] = {
                "status": "ok",
                "metrics": {name: tested - noise},
                "validation": {"images": 2000, "seed": 0, "metrics": {name: chosen - noise}},
                "size": {"megabytes": weight / 2e6},
                "data": {"name": "digits", "test_images": 599},
            }
            kernels = {"xnnpack": {name: tested - noise}}
            if files and seed == 0:
                exports[run] = {
                    "export": "exact",
                    "export_note": "",
                    "bytes": weight,
                    "sha256": "aa",
                    "kernels": kernels,
                }
    manifest = {"study": "digits", "seeds": [*range(seeds)], "runs": "../runs", "rows": rows}
    of_task = recorded({"task": task} if task else None)
    return Sweep(folder / "study", manifest, records, of_task, exports, {})


@pytest.fixture
def made(tmp_path: Path) -> Sweep:
    return sweep(tmp_path)


def labels(made: Recommendation) -> list[str]:
    return [one.label for one in made.choices]


def said(made: Recommendation) -> str:
    return text(made, {one.label: f"train {one.label}" for one in made.choices})


def test_the_smallest_row_within_the_margin_comes_first(made: Sweep) -> None:
    found = recommend(made, Limits())
    # The two files of 96.4 kB differ by 8 bytes; the better one comes first.
    assert labels(found) == ["quant.delay=0.4", "default", "baseline"]
    assert [one.row for one in found.worse] == ["quant.bits=4"]
    assert found.best == "baseline"
    assert sentence(found) == (
        "Of the 2 smallest rows quant.delay=0.4 is the best on the validation images: 96.4 kB. It"
        " is shown to be less than 0.5 percentage"
        " points behind the best row, or is the best."
    )


def test_intervals_to_a_best_row_that_was_chosen_hold_for_all_pairs(made: Sweep) -> None:
    """The best one was chosen from four rows, which have six pairs."""
    found = recommend(made, Limits())
    values = {
        row["label"]: {
            run["seed"]: made.records[run["id"]]["metrics"]["accuracy"] for run in row["runs"]
        }
        for row in made.manifest["rows"]
        if row["label"] in labels(found)
    }
    given = {"margin": 0.5, "resolution": 100 / 599}
    wide, narrow = (compare(values, "baseline", family=family, **given) for family in (6, None))
    for one in found.choices:
        assert one.test.low == wide.row(one.label).low
        if one.label != "baseline":
            assert one.test.low < narrow.row(one.label).low


def test_a_limit_of_the_metric_says_what_it_is_about(made: Sweep) -> None:
    limited = recommend(made, Limits(metric=80.0))
    assert any("is about the means on the validation images" in note for note in notes(limited))
    assert not any("is about the means" in note for note in notes(recommend(made, Limits())))


def test_looks_that_were_added_after_looking_are_said(made: Sweep) -> None:
    raised = "intervals of all times hold together with at least"
    assert not any(raised in note for note in notes(recommend(made, Limits())))
    made.manifest["by_seed"] = {"looks": 10, "stages": [6, 10]}
    assert any(raised in note for note in notes(recommend(made, Limits())))


def test_the_choice_never_sees_figures_of_the_test_images(made: Sweep) -> None:
    """Other figures of the test images change no choice; they change what is shown."""
    limits = Limits(metric=80.0, size=400_000)
    before = recommend(made, limits)
    other = copy.deepcopy(made)
    shuffled = np.random.default_rng(0).permutation([r["metrics"] for r in other.records.values()])
    for record, metrics in zip(other.records.values(), shuffled, strict=True):
        record["metrics"] = {name: value / 3 for name, value in metrics.items()}
    for report in other.exports.values():
        report["kernels"]["xnnpack"] = {"accuracy": 1.0}
    after = recommend(other, limits)
    assert [(one.candidate, one.behind) for one in before.choices] == [
        (one.candidate, one.behind) for one in after.choices
    ]
    assert (after.best, after.worse, after.undecided) == (
        before.best,
        before.worse,
        before.undecided,
    )
    assert [one.test for one in before.choices] != [one.test for one in after.choices]
    assert labels(recommend(other, replace(limits, part="test", metric=None))) != labels(before)


def test_figures_are_those_of_the_test_images(made: Sweep) -> None:
    choice = recommend(made, Limits()).choices[1]
    values = [made.records[f"1{seed}"]["metrics"]["accuracy"] for seed in range(SEEDS)]
    assert choice.test.mean == pytest.approx(np.mean(values))
    assert choice.test.deviation == pytest.approx(np.std(values, ddof=1))
    assert choice.test.difference == pytest.approx(1.0, abs=0.02)
    assert (choice.test.deployed, choice.test.deployed_seeds) == (values[0], 1)
    assert choice.test.deployed_deviation is None
    assert any("are of 1 seed" in line for line in notes(recommend(made, Limits())))


def test_the_file_of_several_seeds_has_a_deviation(made: Sweep) -> None:
    for seed, accuracy in enumerate((80.0, 82.0)):
        kernels = {"xnnpack": {"accuracy": accuracy}}
        made.exports[f"1{seed}"] = {**made.exports["10"], "kernels": kernels}
    head, *body = table(recommend(made, Limits()))
    cells = {line[0]: line[head.index("of the file %")] for line in body}
    assert cells["default"] == "81.00 ± 1.41" and "±" not in cells["baseline"]


def test_limits_on_size_and_metric(made: Sweep) -> None:
    assert labels(recommend(made, Limits(size=96_444))) == ["quant.delay=0.4"]
    assert labels(recommend(made, Limits(size=60_000))) == ["quant.bits=4"]
    assert labels(recommend(made, Limits(margin=20.0, metric=86.0))) == [
        "quant.delay=0.4",
        "default",
        "baseline",
    ]


def validated(made: Sweep, row: int, images: list[int]) -> None:
    """Sets how many of 2,000 validation images a row gets right, by seed."""
    for seed, right in enumerate(images):
        metrics = {"accuracy": 100 * right / 2000}
        made.records[f"{row}{seed}"]["validation"]["metrics"] = metrics


def test_of_equal_rows_the_smallest_is_the_best(made: Sweep) -> None:
    validated(made, 0, [1852, 1853, 1854, 1855, 1856])
    validated(made, 1, [1853, 1852, 1854, 1856, 1855])
    found = recommend(made, Limits())
    assert (found.best, labels(found)[0]) == ("default", "default")
    assert found.choices[0].test.difference is None


def test_a_row_exactly_at_the_margin_is_listed(made: Sweep) -> None:
    """Its mean is half a point behind the best, in float64 a little more."""
    best = [1852 + seed for seed in range(SEEDS)]
    validated(made, 0, best)
    validated(made, 1, [one - apart for one, apart in zip(best, (10, 8, 12, 9, 11), strict=True)])
    found = recommend(made, Limits())
    (behind,) = [one.behind.mean for one in found.choices if one.label == "default"]
    assert behind > 0.5 and behind == pytest.approx(0.5)


def test_a_row_exactly_at_the_least_value_satisfies_it(made: Sweep) -> None:
    validated(made, 0, [1858, 1857, 1895, 1851, 1832])  # 92.93 %, in float64 a little less
    assert labels(recommend(made, Limits(metric=92.93))) == ["baseline"]
    assert recommend(made, Limits(metric=92.94)).nearest is not None


def test_without_a_row_within_the_limits_the_nearest_is_named(made: Sweep) -> None:
    found = recommend(made, Limits(size=45_000, metric=90.0))
    assert found.choices == ()
    assert sentence(found) == (
        "No row satisfies the limits. The nearest is quant.bits=4: 50.3 kB is 5.30 kB above the"
        " allowed 45.0 kB and 84.98 % is 5.02 percentage points below the allowed 90.00 %."
    )


def test_a_row_that_is_measured_behind_but_not_shown_to_be_is_not_recommended(
    tmp_path: Path,
) -> None:
    made = sweep(tmp_path)
    for seed, noise in enumerate((3.0, -3.0, 2.0, -1.0, 0.0)):
        made.records[f"2{seed}"]["validation"]["metrics"]["accuracy"] += noise
    found = recommend(made, Limits())
    assert "quant.bits=4" not in labels(found)
    assert [one.row for one in found.undecided] == ["quant.bits=4"]
    assert "Undecided, and measured further behind" in said(found)


def test_without_validation_images_it_refuses_and_names_the_setting(made: Sweep) -> None:
    for record in made.records.values():
        del record["validation"]
    with pytest.raises(QbenchError, match=r"sweep with data\.validation=0\.1"):
        recommend(made, Limits())
    found = recommend(made, Limits(part="test"))
    assert "The choice saw the test images" in said(found)


def test_one_seed_chooses_by_values_alone_and_says_so(tmp_path: Path) -> None:
    found = recommend(sweep(tmp_path, seeds=1), Limits())
    assert labels(found) == ["quant.delay=0.4", "default", "baseline"]
    assert ([one.row for one in found.undecided], found.worse) == (["quant.bits=4"], ())
    assert "interval" not in table(found)[0]
    assert "One seed gives no interval" in said(found)
    assert "which may be chance" in sentence(found)


def test_a_row_with_one_seed_leaves_the_bounds_of_the_others(made: Sweep) -> None:
    """It is named; the bounds of the other rows are those without it."""
    whole = {one.label: one.behind for one in recommend(made, Limits()).choices}
    made.manifest["rows"][3]["runs"][1:] = []
    made.records["30"]["validation"]["metrics"]["accuracy"] = 89.6
    found = recommend(made, Limits())
    bounds = {one.label: one.behind for one in found.choices}
    assert labels(found) == ["default", "quant.delay=0.4", "baseline"]
    assert bounds["default"].high is not None
    assert bounds["default"].high <= (whole["default"].high or 0)
    assert bounds["default"].uncounted == ("quant.delay=0.4",)
    assert "The bounds do not count quant.delay=0.4: " in said(found)


def test_a_row_with_one_seed_that_comes_first_names_the_row_that_would_do(made: Sweep) -> None:
    made.manifest["rows"][2]["runs"][1:] = []  # the smallest
    made.records["20"]["validation"]["metrics"]["accuracy"] = 89.8
    assert sentence(recommend(made, Limits())) == (
        "The smallest row is quant.bits=4: 50.3 kB. It is measured 0.20 percentage points behind"
        " the best row, which may be chance, since too few of its seeds are those of other rows."
        " The smallest one that is shown to be within the margin is quant.delay=0.4: 96.4 kB."
    )


def test_without_files_sizes_are_theoretical(tmp_path: Path) -> None:
    found = recommend(sweep(tmp_path, files=False), Limits())
    assert found.choices[-1].candidate.bytes == 159_000
    assert "No row has a converted file, so sizes are theoretical" in said(found)


def test_rows_without_a_right_file_or_with_a_diverged_run_are_left_out(made: Sweep) -> None:
    made.exports["10"] |= {"export": "none", "export_note": "it answers otherwise."}
    made.records["32"] |= {"status": "diverged", "metrics": None}
    found = recommend(made, Limits())
    assert labels(found) == ["baseline"]
    assert found.found.left_out == {
        "not converted: it answers otherwise": ["default"],
        "a run diverged": ["quant.delay=0.4"],
    }


def test_a_file_that_loses_more_than_the_margin_is_pointed_out(made: Sweep) -> None:
    made.exports["30"]["kernels"]["xnnpack"]["accuracy"] -= 7
    assert "! The choice saw the simulation of quant.delay=0.4" in said(recommend(made, Limits()))


def test_lower_may_be_better(tmp_path: Path) -> None:
    found = recommend(sweep(tmp_path, task=tasks.HEIGHTS), Limits(margin=0.5, metric=89.0))
    assert labels(found) == ["quant.bits=4"]
    assert "is 1.001 px above the allowed" in sentence(
        recommend(sweep(tmp_path, task=tasks.HEIGHTS), Limits(metric=83.975))
    )


def timed(made: Sweep, milliseconds: dict[int, float]) -> None:
    """Give first runs of these rows latencies on one thread."""
    for number, median in milliseconds.items():
        folder = made.run_folder(f"{number}0")
        folder.mkdir(parents=True)
        row = {"kernels": "xnnpack", "threads": 1, "milliseconds": {"int8": {"median": median}}}
        report = {"file": "model_int8.tflite", "sha256": "aa", "batch": 1, "rows": [row]}
        (folder / "latency.json").write_text(json.dumps(report))


def test_limits_on_latency_and_the_fastest_first(made: Sweep) -> None:
    with pytest.raises(QbenchError, match=r"no file was timed on xnnpack; `qbench latency"):
        recommend(made, Limits(order="latency"))
    timed(made, {0: 0.9, 1: 0.31, 3: 0.52})
    assert labels(recommend(made, Limits(order="latency"))) == [
        "default",
        "quant.delay=0.4",
        "baseline",
    ]
    found = recommend(made, Limits(latency=0.6))
    assert labels(found) == ["quant.delay=0.4", "default"]
    assert "Left out: quant.bits=4 (not timed on xnnpack)." in said(found)
    assert "0.31 ms is 0.21 ms above the allowed 0.1 ms" in sentence(
        recommend(made, Limits(latency=0.1))
    )


def test_rows_with_other_validation_images_are_not_compared(made: Sweep) -> None:
    made.records["10"]["validation"]["seed"] = 1
    with pytest.raises(QbenchError, match="different validation images"):
        recommend(made, Limits())


@pytest.mark.parametrize(
    ("number", "shown"),
    [(950, "950 B"), (96_448, "96.4 kB"), (999_960, "1.00 MB"), (101_400, "101 kB")],
)
def test_sizes(number: float, shown: str) -> None:
    assert size(number) == shown
    assert latency(number / 1e6) == f"{float(f'{number / 1e6:.2g}'):g} ms"


def test_a_row_whose_scheme_chose_by_validation_images_is_left_out(made: Sweep) -> None:
    """Its values on them are too good; by the test images it may be chosen."""
    for run in made.manifest["rows"][3]["runs"]:
        made.records[run["id"]]["validation"]["read_by_scheme"] = 1000
    found = recommend(made, Limits())
    assert "quant.delay=0.4" not in labels(found)
    reason = "its scheme chose by validation images, so it looks too good on them"
    assert found.found.left_out[reason] == ["quant.delay=0.4"]
    assert "quant.delay=0.4" not in recommend(made, Limits(part="test")).found.left_out.values()
    assert reason not in recommend(made, Limits(part="test")).found.left_out
