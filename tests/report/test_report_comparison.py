"""Differences, intervals and verdicts of made-up sweeps, in every form of the report."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import report_conversions as conversions
import report_derived as derived
import report_examples as examples
import report_grids as grids
import report_tasks as tasks

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.report import build
from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.comparison import comparisons, sentences
from qbench.report.texts import columns
from qbench.statistics.comparison import compare, compare_differences
from qbench.statistics.verdict import Verdict

LABELS = [row.label for row in examples.rows()]
FOUR_BITS, GIVEN, PLACEMENT = (
    LABELS.index(f"quant.{name}")
    for name in ("bits=4", "range_given=true", "placement=[conv,activation,add]")
)
OFFSETS = {FOUR_BITS: -3.4, GIVEN: 0.9}
NOISE = (0.0, 0.11, -0.08, 0.05, -0.13, 0.02, 0.09, -0.04)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons stand in tables and on the page; figures have tests of their own."""
    monkeypatch.setattr(build, "draw", lambda drawings, folder: [])


def accuracy(row: int, seed: int) -> float:
    """Seeds shift all rows; the noise of a row is small."""
    noise = NOISE[(seed * (row + 1) + row) % len(NOISE)] if row != 1 else 0.0
    return 85 + 0.3 * (seed % 4) + OFFSETS.get(row, 0.0) + noise


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records have these accuracies; figures are not drawn."""
    monkeypatch.setattr(build, "draw", lambda drawings, folder: [])
    random = examples.metrics

    def metrics(row: int, seed: int, task: dict[str, Any] | None = None) -> dict[str, float]:
        found = random(row, seed, task)
        return {**found, next(iter(found)): accuracy(row, seed)}

    monkeypatch.setattr(examples, "metrics", metrics)


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writing(seeds: int, table: list[examples.Row] | None = None, **manifest: Any) -> Path:
        folder = examples.write(tmp_path, table or examples.rows(seeds), seeds)
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **manifest}))
        return folder

    return writing


def _read(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {line["configuration"]: line for line in csv.DictReader(file)}


def _expected(seeds: int, reference: str = "default", **options: Any) -> Any:
    rows = {
        label: {seed: accuracy(row, seed) for seed in range(seeds)}
        for row, label in enumerate(LABELS)
    }
    made = {"margin": 0.5, "unit": "percentage points", "resolution": 100 / 599, **options}
    return compare(rows, reference, **made)


def test_a_table_has_the_comparison_of_its_runs(write: Write) -> None:
    folder = write(5)
    shown = build_report(folder).text
    table, expected = _read(folder / "table.csv"), _expected(5)
    head, *body = examples.cells((folder / "table.md").read_text().partition("\n- ")[0])
    for cells, one in zip(body, expected.rows, strict=True):
        line = table[one.row]
        assert line["verdict"] == one.verdict.value
        if one.verdict is Verdict.REFERENCE:
            assert [line[f"difference{end}"] for end in ("", "_std", "_low", "_high")] == [""] * 4
            continue
        found = [float(line[f"difference{end}"]) for end in ("", "_std", "_low", "_high")]
        assert found == pytest.approx([one.mean, one.deviation, one.low, one.high], abs=1e-6)
        interval = expected.wording.interval(one.low, one.high)
        by_name = dict(zip(head, cells, strict=True))
        assert (by_name["95 % interval"], by_name["verdict"]) == (interval, one.verdict.value)
        assert by_name["difference"] == f"{one.mean:+.2f} ± {one.deviation:.2f}"
        pattern = rf"^{re.escape(one.row)} .*{re.escape(interval)} +{one.verdict.value} "
        assert re.search(pattern, shown, re.MULTILINE)
    assert {table[LABELS[FOUR_BITS]]["verdict"], table[LABELS[GIVEN]]["verdict"]} == {
        *("worse", "better")
    }


def test_the_terminal_has_at_most_120_columns(write: Write) -> None:
    folder = write(8)
    for row in range(len(LABELS)):
        conversions.add(folder, row, 0)
    tables = build_report(folder).text.partition("quant.bits=4:")[0]
    assert max(map(columns, tables.splitlines())) <= 120


def test_verdicts_are_said_in_words_everywhere(write: Write) -> None:
    folder = write(8)
    made = comparisons(collect(folder))
    said = sentences(made)
    assert said[0].startswith("quant.bits=4: worse by 3.4")
    assert said[1].startswith("quant.range_given=true: better by 0.9")
    assert said[2].startswith("Equivalent to default within 0.5 percentage points: baseline, ")
    shown = build_report(folder).text.splitlines()
    text = (folder / "table.md").read_text().replace("\\", "")
    page = html.unescape((folder / "report.html").read_text())
    for line in said:
        assert line in shown and f"- {line}" in text
    assert made.simulated is not None
    rows = [one for one in made.simulated.rows if one.low is not None]
    assert len(rows) == len(LABELS) - 1
    assert all(f"{one.row}: {one.sentence}" in page for one in rows)
    assert all(note in page for note in made.simulated.notes)
    assert not any("only large effects" in line for line in said)


def test_few_seeds_are_all_shown(write: Write) -> None:
    folder = write(3)
    shown = build_report(folder).text
    text = (folder / "table.md").read_text().partition("## Accuracy of every seed")[2]
    head, *body = examples.cells(text)
    assert head == [*("configuration", "seed 0", "seed 1", "seed 2", "difference", "95 % interval")]
    assert [line[1:4] for line in body] == [
        [f"{accuracy(row, seed):.2f}" for seed in range(3)] for row in range(len(LABELS))
    ]
    assert "Accuracy of every seed" in shown
    assert "With fewer than 5 seeds intervals are wide" in shown
    assert "of every seed" not in build_report(_with_seeds(folder, 5)).text


def _with_seeds(folder: Path, seeds: int) -> Path:
    return examples.write(folder / str(seeds), examples.rows(seeds), seeds)


def test_one_seed_has_no_interval_and_it_is_said(write: Write) -> None:
    folder = write(1)
    shown = build_report(folder).text
    line = _read(folder / "table.csv")[LABELS[FOUR_BITS]]
    assert float(line["difference"]) == pytest.approx(accuracy(FOUR_BITS, 0) - accuracy(1, 0))
    assert (line["difference_low"], line["verdict"]) == ("", "no interval")
    assert "One seed gives no interval" in shown and "verdict" not in shown


def test_files_have_a_family_of_their_own(write: Write) -> None:
    folder = write(8)
    for row in (0, 1, FOUR_BITS):
        for seed in range(6):
            value = accuracy(row, seed) - (1.0 if row == 0 else 0.0)
            conversions.add(folder, row, seed, value, sha256=f"{row} {seed}")
    made = comparisons(collect(folder))
    assert made.simulated and made.deployed
    assert (made.simulated.family, made.deployed.family) == (6, 2)
    baseline = made.deployed.row("baseline")
    assert baseline.verdict is Verdict.WORSE and baseline.seeds == tuple(range(6))
    build_report(folder)
    table = _read(folder / "table.csv")
    assert table["baseline"]["deployed_verdict"] == "worse"
    assert table["baseline"]["verdict"] == "equivalent"
    assert table[LABELS[GIVEN]]["deployed_verdict"] == ""
    assert any(line.startswith("Converted files: baseline: worse") for line in sentences(made))


def _set(folder: Path, key: str, value: Any, *rows: int) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for row in rows:
        manifest["rows"][row][key] = value
    path.write_text(json.dumps(manifest))


def test_rows_that_are_alike_are_left_out(write: Write) -> None:
    folder = write(5)
    _set(folder, "alike", "default", 1, PLACEMENT)
    made = comparisons(collect(folder))
    assert made.simulated == _expected(5, same=[LABELS[PLACEMENT]])
    assert made.simulated and made.simulated.family == 5
    assert f"so without interval: {LABELS[PLACEMENT]}." in sentences(made)[-2]


@pytest.mark.parametrize(
    ("other", "apart", "same"), [("equal", 0, True), ("different", 0, False), ("equal", 1, False)]
)
def test_rows_with_equal_results_are_the_same(
    other: str, apart: float, same: bool, write: Write
) -> None:
    """Equal weights may still have been evaluated differently."""
    folder = write(5)
    sweep = collect(folder)
    for seed in range(5):
        mine, default = (sweep.records[examples.run_id(row, seed)] for row in (PLACEMENT, 1))
        mine["metrics"] = default["metrics"]
        default["weights_sha256"] = mine["weights_sha256"] = f"equal {seed}"
    mine["weights_sha256"] = f"{other} 4"
    mine["metrics"] = {**default["metrics"], "accuracy": default["metrics"]["accuracy"] + apart}
    made = comparisons(sweep).simulated
    assert made is not None
    assert (made.row(LABELS[PLACEMENT]).verdict is Verdict.SAME) is same


def test_the_baseline_as_the_reference(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(5)
    build_report(folder)
    before = (folder / "table.csv").read_bytes()
    assert main(["report", str(folder), "stats.reference=baseline", "stats.margin=0.2"]) == 0
    assert "Differences are to baseline" in capsys.readouterr().out
    table, expected = _read(folder / "table.csv"), _expected(5, "baseline", margin=0.2)
    assert {label: line["verdict"] for label, line in table.items()} == {
        one.row: one.verdict.value for one in expected.rows
    }
    assert main(["report", str(folder)]) == 0
    assert (folder / "table.csv").read_bytes() == before


def test_a_sweep_says_how_its_rows_are_compared(write: Write) -> None:
    chosen = {"reference": "quant.bits=4", "method": "paired", "margin": 4.0}
    folder = write(5, stats=chosen)
    assert comparisons(collect(folder)).simulated == _expected(5, "quant.bits=4", margin=4.0)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("stats.reference=quant.bits=5", "stats.reference=quant.bits=5 is not allowed"),
        ("stats.method=dunnett", "not allowed with 5 seeds that all rows have"),
        ("stats.margin=-1", "stats.margin=-1 is not allowed"),
        ("stats.level=0.9", "stats.level is not a setting"),
        ("seeds=3", "qbench report takes the folder of one sweep"),
    ],
)
def test_a_report_refuses_what_its_table_does_not_allow(
    typed: str, said: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(5)
    assert main(["report", str(folder), typed]) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "table.csv").exists()


def test_dunnett_and_its_warning(write: Write) -> None:
    folder = write(8)
    shown = build_report(folder, {"method": "dunnett"}).text
    assert "Blocked Dunnett assumes that all rows are equally noisy." in shown
    found = _read(folder / "table.csv")["baseline"]
    (expected,) = (one for one in _expected(8, method="dunnett").rows if one.row == "baseline")
    assert float(found["difference_low"]) == pytest.approx(expected.low, abs=1e-6)


def test_dunnett_without_enough_seeds_of_all_rows_falls_back_and_says_so(write: Write) -> None:
    table = examples.rows(8)
    table[FOUR_BITS].statuses[2] = "failed"
    folder = write(8, table)
    made = comparisons(collect(folder, {"method": "dunnett"}))
    assert made.simulated and made.simulated.method == "paired"
    assert "not allowed with 7 seeds" in made.notes[0]
    assert made.notes[0].endswith("So the intervals are those of stats.method=paired.")
    assert made.notes[0] in sentences(made)


def test_pairs_alone_count(write: Write) -> None:
    table = examples.rows(5)
    table[FOUR_BITS].statuses = ["ok", "failed", "ok", None, "ok"]
    table[1].statuses[4] = "diverged"
    made = comparisons(collect(write(5, table))).simulated
    assert made and made.row(LABELS[FOUR_BITS]).seeds == (0, 2)
    assert any("of 4 seeds, these rows have fewer: quant.bits=4 (2)" in n for n in made.notes)


def test_a_reference_without_values_is_said(write: Write) -> None:
    table = examples.rows(2)
    table[1].statuses = ["failed", "failed"]
    folder = write(2, table)
    said = sentences(comparisons(collect(folder)))
    assert said == ["default has no values, so no row is compared with it."]
    build_report(folder)
    assert {line["verdict"] for line in _read(folder / "table.csv").values()} == {""}


def test_ensembles_are_compared_with_the_mean_of_their_seeds(write: Write) -> None:
    folder = write(6)
    derived.add(folder)
    made = comparisons(collect(folder)).simulated
    assert made is not None
    row = made.row("ensemble of 2: default")
    groups = [derived.accuracy(1, group) for group in range(3)]
    means = [(accuracy(1, 2 * k) + accuracy(1, 2 * k + 1)) / 2 for k in range(3)]
    assert row.differences == pytest.approx([a - b for a, b in zip(groups, means, strict=True)])
    assert row.seeds == ((0, 1), (2, 3), (4, 5))


def test_lower_may_be_better(write: Write) -> None:
    folder = write(8, tasks.rows(tasks.HEIGHTS, 8))
    build_report(folder)
    table = _read(folder / "table.csv")
    assert table[LABELS[FOUR_BITS]]["verdict"] == "better"
    (line,) = (one for one in sentences(comparisons(collect(folder))) if "bits=4" in one)
    assert re.fullmatch(r"quant\.bits=4: better by 3\.3\d\d px \[3\.\d{3}, 3\.\d{3}\]\.", line)


def test_networks_are_compared_with_their_own_float_rows(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS, seeds=5)
    shown = build_report(folder).text
    with (folder / "differences.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    differences = {
        label: {seed: accuracy(row, seed) - accuracy(row - 1, seed) for seed in range(5)}
        for label, row in (("8", 1), ("20", 3))
    }
    expected = compare_differences(differences, "", margin=0.5, resolution=100 / 599)
    for line, one in zip(lines, expected.rows, strict=True):
        assert float(line["difference_low"]) == pytest.approx(one.low, abs=1e-6)
        assert line["verdict"] == one.verdict.value
    assert (
        "Differences are to the float row of the network" in (folder / "differences.md").read_text()
    )
    assert re.search(r"difference +95 % interval +verdict +size MB", shown)


def test_a_manifest_with_an_impossible_comparison_is_refused(write: Write) -> None:
    folder = write(2, stats={"reference": None, "method": "tukey", "margin": 0.5})
    with pytest.raises(QbenchError, match=r"stats\.method=tukey is not allowed"):
        collect(folder)
