"""A report knows no metric by name: it shows those that the records say they have."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path
from statistics import fmean, stdev

import pytest
import report_conversions as conversions
import report_examples as examples
import report_grids as grids
import report_hostile as hostile
import report_tasks as tasks
from quick_sweeps import figures_are_drawn

from qbench.cli.main import main
from qbench.report import deployed, differences, values
from qbench.report.build import build_report
from qbench.report.collect import collect, runs_frame
from qbench.report.reference import reference
from qbench.storage.conversions import read
from qbench.tasks.classification import Classification
from qbench.tasks.metric import TAKEN, TAKEN_STARTS, Metric

COMPARED = ("difference", "difference_std", "difference_low", "difference_high", "verdict")
ACCURACY = Classification(10).metrics[0]
SIMILARITY = Metric("similarity", "similarity", "", 3, True, "first")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _heads(page: str) -> list[str]:
    """The heads of the table of all rows, and the names of the columns that it leaves out."""
    head = page.partition('<table id="rows">')[2].partition("</thead>")[0]
    left_out = page.partition('<details id="constant">')[2].partition("</details>")[0]
    return [*re.findall("<th [^>]*>([^<]*)", head), *re.findall("<dt>([^<]*)", left_out)]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of the baseline and the default; the default has files."""
    made = examples.write(
        tmp_path_factory.mktemp("seeds"), tasks.rows(tasks.HEIGHTS, 2)[:2], seeds=2
    )
    for seed in range(2):
        tasks.add(made, 1, seed, 1.25 + seed)
    build_report(made)
    return made


def test_columns_are_those_of_the_task(seeds: Path) -> None:
    assert list(_read(seeds / "table.csv")[0]) == [
        *("mean_absolute_error", *COMPARED),
        *("quantized", *examples.COLUMNS, "size_mb", "loss", "status"),
        *("n_seeds", "mean_absolute_error_std", "loss_std", "deployed_mean_absolute_error"),
        *(
            "agreement",
            *(f"deployed_{name}" for name in COMPARED),
            "packed_mb",
            "tflite_mb",
            "export",
            "export_note",
            "n_deployed",
        ),
        *("deployed_mean_absolute_error_std", "agreement_std", "configuration"),
    ]
    head = list(_read(seeds / "runs.csv")[0])
    assert head[4:7] == ["mean_absolute_error", "loss", "size_mb"]
    assert [name for name in head if name.startswith("builtin")] == [
        *("builtin_mean_absolute_error", "builtin_agreement"),
        *("builtin_largest_difference", "builtin_mean_difference"),
    ]


def test_means_and_spreads_have_the_digits_and_heads_of_the_task(seeds: Path) -> None:
    head, _, line = examples.cells((seeds / "table.md").read_text().partition("\n- ")[0])
    shown = dict(zip(head, line, strict=True))
    found = [tasks.value(1, seed) for seed in range(2)]
    assert shown["mean absolute error px"] == f"{fmean(found):.3f} ± {stdev(found):.3f}"
    assert shown["deployed px"] == "1.750 ± 0.707"
    assert shown["deployed seeds"] == "2"
    assert sorted(_heads((seeds / "report.html").read_text())) == sorted(head)


def test_metrics_of_one_heading_have_a_column_each(tmp_path: Path) -> None:
    """And so has one that is headed as a factor is; older tasks were not asked for labels."""
    metrics = [
        {**metric, "label": label, "unit": ""}
        for metric, label in zip(tasks.HEIGHTS["metrics"], ("bits", "bits"), strict=True)
    ]
    task = {**tasks.HEIGHTS, "metrics": metrics}
    folder = examples.write(tmp_path, tasks.rows(task)[:2])
    build_report(folder)
    head, _, line = examples.cells((folder / "table.md").read_text().partition("\n- ")[0])
    assert [text for name, text in zip(head, line, strict=True) if name == "bits"] == [
        *(f"{examples.metrics(1, 0, task)[tasks.ERROR]:.3f}", "8"),
        f"{examples.metrics(1, 0, task)['loss']:.4f}",
    ]
    assert sorted(_heads((folder / "report.html").read_text())) == sorted(head)


def test_the_terminal_shows_what_leads(seeds: Path, tmp_path: Path) -> None:
    shown = [re.split("  +", line) for line in build_report(seeds).text.splitlines()]
    compared = ["difference", "95 % interval", "verdict"]
    assert shown[0] == [
        *("configuration", "mean absolute error px", *compared, "file MB", "status")
    ]
    assert shown[4] == ["configuration", "deployed px", *compared, "agreement %"]
    plain = examples.write(tmp_path, tasks.rows(tasks.HEIGHTS)[:2])
    first = build_report(plain).text.splitlines()[0]
    heads = ["configuration", "mean absolute error px", "loss", "size MB", "status"]
    assert re.split("  +", first) == heads


def test_notes_are_the_metrics_own(seeds: Path) -> None:
    text = (seeds / "table.md").read_text()
    assert "Recall" not in text and "class" not in text
    assert "get the prediction which the simulation gives them" in text
    assert "Size is theoretical" in text


def test_the_kernel_paths_have_the_metric(seeds: Path) -> None:
    text = (seeds / "table.md").read_text().partition("## Converted")[2]
    assert examples.cells(text)[:2] == [
        [
            *("configuration", "kernels", "mean absolute error px", "agreement %", "largest"),
            *("mean difference", "seeds"),
        ],
        ["default", "xnnpack", "1.750 ± 0.707", "98.25 ± 0.00", "3", "0.5 ± 0", "2"],
    ]
    assert "Differences are of outputs from" in text and "in outputs)" in text


def test_a_difference_is_quantized_less_float_in_the_metrics_unit(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS, task=tasks.HEIGHTS)
    shown = build_report(folder).text
    (first, *_) = _read(folder / "differences.csv")
    found = tasks.value(1) - tasks.value(0)
    assert list(first) == [
        *("model.depth", "float_mean_absolute_error", "mean_absolute_error", *COMPARED),
        *("size_mb", "n_seeds"),
    ]
    assert float(first["difference"]) == pytest.approx(found, abs=1e-6)
    text = (folder / "differences.md").read_text()
    for part in (shown, text, html.unescape((folder / "report.html").read_text())):
        assert "Quantized against float mean absolute error" in part
        assert f"{found:+.3f}" in part
    assert (
        "Mean absolute error in px (lower is better); the difference is quantized less float, of"
        " runs with the same network and seed."
    ) in text
    head = ["model.depth", "float px", "quantized px", "difference", "size MB"]
    assert examples.cells(text)[0] == head


def test_the_figure_of_files_is_of_the_first_metric(seeds: Path) -> None:
    sweep = collect(seeds)
    (drawing,) = deployed.deployed_figure(runs_frame(sweep), sweep.metric, [])
    (axes,) = drawing.make().axes
    assert drawing.title == "Mean absolute error in simulation and of the converted file"
    assert axes.get_xlabel() == "mean absolute error px (lower is better)"
    simulated, converted = axes.lines
    assert list(simulated.get_xdata()) == [
        pytest.approx(fmean(tasks.value(1, s) for s in range(2)))
    ]
    assert list(converted.get_xdata()) == [1.75]
    assert (seeds / "figures" / "deployed.svg").exists()


def test_the_reference_is_said_in_the_metrics_unit(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, tasks.rows(tasks.HEIGHTS)[:2])
    kernels = {"xnnpack": tasks.path(1.25)}
    conversions.add_reference(folder, 0, kernels=kernels)
    (said,) = reference(collect(folder))
    assert ": 1.250 px deployed, agreement with the float network 98.25 %, 0.105 MB." in said
    conversions.add_reference(folder, 0, kernels={"xnnpack": conversions.ERROR})
    (said,) = reference(collect(folder))
    assert said.endswith("No mean absolute error: XNNPACK cannot run the file: no kernel for this.")


@pytest.fixture
def three_classes(tmp_path: Path) -> Path:
    made = examples.write(tmp_path, tasks.rows(tasks.THREE_CLASSES)[:2])
    measured = conversions.path(97.0)
    measured["recall_at_2"] = measured.pop("recall_at_5")
    conversions.add(made, 1, kernels={"xnnpack": measured})
    build_report(made)
    return made


def test_with_three_classes_recall_is_of_the_two_best(three_classes: Path) -> None:
    (_, line) = _read(three_classes / "table.csv")
    expected = examples.metrics(1, 0, tasks.THREE_CLASSES)["recall_at_2"]
    assert float(line["recall_at_2"]) == pytest.approx(expected, abs=1e-6)
    assert line["deployed_recall_at_2"] == "99.5"
    text = (three_classes / "table.md").read_text()
    assert {"recall@2 %", "deployed recall@2 %"} <= set(examples.cells(text)[0])
    assert "recall@5" not in text.lower()
    assert "Recall@2 is the share of test images whose label is among the two largest" in text
    assert "get the class which the simulation gives them" in text


def test_conversions_of_any_task_are_read(three_classes: Path, tmp_path: Path) -> None:
    heights = examples.write(tmp_path / "heights", tasks.rows(tasks.HEIGHTS)[:2])
    for folder, add in ((three_classes, None), (heights, tasks.add)):
        run = folder.parent / "runs" / examples.run_id(1, 0)
        if add:
            add(folder, 1)
        report = json.loads((run / "deploy.json").read_text())
        assert read(run) == report
        report["kernels"]["xnnpack"]["agreement"] = None
        (run / "deploy.json").write_text(json.dumps(report))
        assert read(run) is None


def test_a_failed_run_says_its_task_too(tmp_path: Path) -> None:
    table = tasks.rows(tasks.HEIGHTS)[:2]
    for row in table:
        row.statuses = ["failed"]
    folder = examples.write(tmp_path, table)
    build_report(folder)
    assert "mean_absolute_error" in _read(folder / "table.csv")[0]


def test_no_column_beside_them_may_be_called_as_a_metric(seeds: Path) -> None:
    heads = [*_read(seeds / "table.csv")[0], *_read(seeds / "runs.csv")[0]]
    metrics = {tasks.ERROR, "loss"}
    beside = {name for name in heads if not any(name.endswith(own) for own in metrics)}
    beside -= {*examples.COLUMNS}
    beside |= {*differences.figures(tasks.FIRST)} - {f"float_{tasks.ERROR}", tasks.ERROR}
    free = {name for name in beside if not name.startswith(TAKEN_STARTS)}
    assert {name for name in free if not name.endswith(("_std", "_mb"))} <= TAKEN


def test_a_label_is_text_and_no_markup(tmp_path: Path) -> None:
    label, unit = "_a_ *b* <i>c</i> $d$ | `e`", "|<b>|"
    metric = {**tasks.HEIGHTS["metrics"][0], "label": label, "unit": unit, "note": label}
    task = {**tasks.HEIGHTS, "metrics": [metric]}
    folder = grids.write(tmp_path, grids.TWO_GRIDS, task=task)
    tasks.add(folder, 1)
    with figures_are_drawn():
        assert build_report(folder).undrawn == []
    for name in ("table.md", "differences.md", "bits_grid.md"):
        paragraphs = hostile.plain((folder / name).read_text())
        assert any(label in paragraph for paragraph in paragraphs)
    page = (folder / "report.html").read_text()
    assert html.escape(label) in page and "<i>" not in page and "<b>" not in page


def test_rows_with_different_metrics_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = examples.rows()[:3]
    table[2].task = tasks.HEIGHTS
    folder = examples.write(tmp_path, table)
    assert main(["report", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"qbench: {folder}: digits has accuracy in %, recall_at_5 in %, recall_macro in %,"
        " precision_macro in %, loss; digits has mean_absolute_error in px, loss; expected data"
        " with the same metrics, since they share a table: make a sweep of each."
    )
    assert not (folder / "table.csv").exists()


def test_records_with_and_without_a_task_share_a_table(tmp_path: Path) -> None:
    table = examples.rows()[:2]
    table[1].task = Classification(100).as_record()
    folder = examples.write(tmp_path, table)
    build_report(folder)
    assert [line["accuracy"] != "" for line in _read(folder / "table.csv")] == [True, True]


@pytest.mark.parametrize(
    ("metric", "number", "difference", "amount", "unit", "said"),
    [
        (ACCURACY, "1.25", "+1.25", "1.25 %", "percentage points", "Accuracy in %; the"),
        (tasks.FIRST, "1.250", "+1.250", "1.250 px", "px", "Mean absolute error in px (lower is"),
        (SIMILARITY, "1.250", "+1.250", "similarity 1.250", "similarity", "Similarity; the"),
    ],
    ids=lambda value: value.name if isinstance(value, Metric) else "",
)
def test_values_as_texts(
    metric: Metric, number: str, difference: str, amount: str, unit: str, said: str
) -> None:
    assert values.number(metric, 1.25) == number
    assert values.difference(metric, 1.25) == difference
    assert values.difference(metric, -1e-6) == metric.show(0)
    assert values.amount(metric, 1.25) == amount
    assert values.unit_of_differences(metric) == unit
    assert differences.explained(metric).startswith(said)
