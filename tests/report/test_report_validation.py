"""The columns and notes about validation images, where records have metrics on them."""

from __future__ import annotations

import csv
import html
from pathlib import Path
from statistics import fmean, stdev

import pytest
import report_conversions as conversions
import report_examples as examples
import report_tasks as tasks
from quick_sweeps import figures_are_drawn

from qbench.report import notes
from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.figures import loss_figures

HEAD = ["accuracy", "recall_at_5", "validation_accuracy", "validation_recall_at_5", "quantized"]
NOTE = (
    "Validation: 150 of 1,198 training images of digits, seed 0; runs with this part train on the"
    " others."
)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _value(number: int, seed: int, name: str = "accuracy") -> float:
    return examples.metrics(number, seed + 1000)[name]


def _rows(seeds: int = 1) -> list[examples.Row]:
    """Five rows with a validation part, of which two have no values, and two rows without."""
    table = examples.rows(seeds)
    for row in table[:5]:
        row.validation = (150, 0)
    table[3].statuses = ["diverged"] * seeds
    table[4].statuses = ["failed"] * seeds
    return table


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A sweep with one seed, and what is printed of it."""
    folder = examples.write(tmp_path_factory.mktemp("single"), _rows())
    return folder, build_report(folder).text


@pytest.fixture
def single(printed: tuple[Path, str]) -> Path:
    return printed[0]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds; the second run of the default has failed."""
    table = _rows(2)
    table[1].statuses = ["ok", "failed"]
    folder = examples.write(tmp_path_factory.mktemp("several"), table, seeds=2)
    build_report(folder)
    return folder


def test_they_stand_beside_the_metrics_of_the_test_set(single: Path) -> None:
    lines = _read(single / "table.csv")
    assert [name for name in lines[0] if "difference" not in name and name != "verdict"][:5] == HEAD
    assert not any(name.startswith("validation_") for name in list(lines[0])[4:])
    for number in range(3):
        for name in ("accuracy", "recall_at_5"):
            found = lines[number][f"validation_{name}"], lines[number][name]
            expected = _value(number, 0, name), examples.metrics(number, 0)[name]
            assert [*map(float, found)] == pytest.approx(expected, abs=1e-6)
    head = list(_read(single / "runs.csv")[0])
    assert head[4:12] == [*examples.METRICS, *HEAD[2:4], "size_mb"]


def test_runs_without_them_have_empty_cells(single: Path) -> None:
    for name in ("table.csv", "runs.csv"):
        lines = _read(single / name)
        assert [line["validation_accuracy"] == "" for line in lines] == [False] * 3 + [True] * 4
        assert [line["accuracy"] == "" for line in lines[3:]] == [True, True, False, False]
    cells = examples.cells((single / "table.md").read_text())
    place = cells[0].index("validation accuracy %")
    assert [row[place] for row in cells[4:]] == ["-"] * 4


def test_several_seeds_have_means_and_spreads(several: Path) -> None:
    lines = _read(several / "table.csv")
    ends = ["accuracy_std", "recall_at_5_std", "recall_macro_std", "precision_macro_std"]
    ends += ["loss_std", "validation_accuracy_std", "validation_recall_at_5_std", "configuration"]
    assert list(lines[0])[-8:] == ends
    both = [_value(0, seed) for seed in (0, 1)]
    found = [float(lines[0][f"validation_accuracy{end}"]) for end in ("", "_std")]
    assert found == pytest.approx([fmean(both), stdev(both)], abs=1e-6)
    assert float(lines[1]["validation_accuracy"]) == pytest.approx(_value(1, 0), abs=1e-6)
    assert lines[1]["validation_accuracy_std"] == lines[5]["validation_accuracy_std"] == ""
    text = (several / "table.md").read_text()
    assert f"{fmean(both):.2f} ± {stdev(both):.2f}" in text


def test_every_form_has_their_heads_and_one_note(printed: tuple[Path, str]) -> None:
    single, shown = printed
    page = html.unescape((single / "report.html").read_text())
    markdown = (single / "table.md").read_text()
    for text in (page, markdown):
        assert "validation accuracy %" in text and "validation recall@5 %" in text
    head = shown.splitlines()[0]
    assert "recall@5 %  validation accuracy %" in head and "validation recall" not in head
    assert [text.count(NOTE) for text in (shown, page, markdown)] == [1, 1, 1]


def test_each_part_has_a_note(tmp_path: Path) -> None:
    table = examples.rows()[:4]
    for row, part in zip(table[1:], [(150, 0), (1100, 0), (150, 3)], strict=True):
        row.validation = part
    folder = examples.write(tmp_path, table)
    text = build_report(folder).text
    noted = [line.split(";")[0] for line in text.splitlines() if line.startswith("Validation")]
    assert noted == [
        "Validation: 150 of 1,198 training images of digits, seed 0",
        "Validation: 150 of 1,198 training images of digits, seed 3",
        "Validation: 1,100 of 1,198 training images of digits, seed 0",
    ]


def test_without_them_nothing_says_validation(tmp_path: Path) -> None:
    """But the page says that a recommendation needs them."""
    folder = examples.write(tmp_path, examples.rows()[:2])
    text = build_report(folder).text
    page = (folder / "report.html").read_text()
    start, _, rest = page.partition('<section id="recommendation"')
    said, _, end = rest.partition("</section>")
    assert "its runs have no validation images" in said
    files = [path.read_text() for path in folder.glob("*.*") if path.suffix != ".html"]
    assert len(files) >= 3
    assert not any("validation" in one.lower() for one in [text, start, end, *files])


def test_other_tasks_have_their_own_heads_and_digits(tmp_path: Path) -> None:
    table = tasks.rows(tasks.HEIGHTS)[:2]
    for row in table:
        row.validation = (40, 0)
    folder = examples.write(tmp_path, table)
    shown = build_report(folder).text
    cells = examples.cells((folder / "table.md").read_text())
    assert cells[0][1:4] == [
        *("mean absolute error px", "validation mean absolute error px", "difference")
    ]
    error = examples.metrics(0, 1000, tasks.HEIGHTS)[tasks.ERROR]
    assert cells[1][2] == f"{error:.3f}"
    assert "validation mean absolute error px" in shown
    assert "validation_loss" not in (folder / "table.csv").read_text()


def test_files_and_figures_are_of_the_test_set(tmp_path: Path) -> None:
    """The same with and without metrics on validation images, but for the columns of these."""
    found = []
    for part in (None, (150, 0)):
        table = examples.rows()[:3]
        for row in table:
            row.validation = part
        folder = examples.write(tmp_path / str(part), table)
        conversions.add(folder, 1, kernels={"xnnpack": conversions.path(97.0)})
        with figures_are_drawn():
            shown = build_report(folder).text
        files = [*folder.rglob("*.png"), *folder.rglob("*.svg")]
        drawn = {path.name: path.read_bytes() for path in files}
        assert "deployed.svg" in drawn
        lines = [
            {k: v for k, v in line.items() if not k.startswith("validation")}
            for line in _read(folder / "table.csv")
        ]
        titles = [drawing.title for drawing in loss_figures(collect(folder))]
        found.append((drawn, lines, titles))
        assert ("validation accuracy %" in shown) == (part is not None)
        assert "deployed %" in shown
    assert found[0] == found[1]


def test_rows_whose_scheme_chose_by_them_are_named(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, _rows()[:3])
    sweep = collect(folder)
    assert not any("chose by validation" in line for line in notes.validation(sweep))
    (run,) = sweep.manifest["rows"][1]["runs"]
    sweep.records[run["id"]]["validation"]["read_by_scheme"] = 100
    label = sweep.manifest["rows"][1]["label"]
    assert notes.validation(sweep)[-1] == (
        "The schemes of these rows chose by validation images, so their values on them are too"
        f" good: {label}."
    )
