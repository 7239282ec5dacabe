"""Effects of crossed factors in every form of the report."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_examples as examples
import report_grids as grids

from qbench.report.build import build_report
from qbench.report.effects import Analysis, analyse, explained, frame, tables, verdict
from qbench.report.interactions import pairs
from qbench.statistics.factorial import Effect
from qbench.statistics.verdict import Wording
from qbench.storage import layout, records

LEVELS: grids.Levels = {
    "quant.bits": (8, 4),
    "train.learning_rate": (0.1,),
    "quant.signed": (True, False),
}
VALUES = {
    "default": (90.0, 91.0),
    "quant.signed=false": (90.1, 91.1),
    "quant.bits=4": (80.0, 81.4),
    "quant.bits=4 quant.signed=false": (80.1, 81.5),
}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics of rows in the order of VALUES, after a float row."""
    made = examples.metrics

    def metrics(row: int, seed: int, task: Any = None) -> dict[str, float]:
        of_row = dict(enumerate(VALUES.values())).get(row - 1, (95.0, 95.0))
        return made(row, seed, task) | {"accuracy": of_row[seed % 2]}

    monkeypatch.setattr(examples, "metrics", metrics)


def _analysis(root: Path, levels: grids.Levels = LEVELS, **more: Any) -> Analysis:
    found = analyse(grids.sweep(root, levels, **{"seeds": 2, "baseline": True, **more}))
    assert found is not None
    return found


@pytest.mark.usefixtures("known")
def test_effects_of_known_values(tmp_path: Path) -> None:
    found = frame(_analysis(tmp_path)).set_index("effect")
    assert list(found.index) == [
        "quant.bits=4",
        "quant.signed=false",
        "quant.bits=4 x quant.signed=false",
    ]
    assert found.loc["quant.bits=4", "estimate"] == pytest.approx(-9.8)
    assert list(found.loc["quant.bits=4", ["seed_0", "seed_1"]]) == pytest.approx([-10.0, -9.6])
    assert found.loc["quant.signed=false", "estimate"] == pytest.approx(0.1)
    assert found["verdict"].tolist() == [
        "worse",  # two seeds, three effects: -9.8 with 38 standard errors of 0.2
        "undecided",  # both seeds give 0.1, but one of 599 images is 0.17
        "undecided",
    ]
    assert found["n_seeds"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("low", "high", "main", "interaction"),
    [
        (1.0, 2.0, "better", "interaction"),
        (-2.0, -1.0, "worse", "interaction"),
        (0.1, 0.2, "better, below margin", "interaction, below margin"),
        (-0.1, 0.2, "equivalent", "none above margin"),
        (-1.0, 2.0, "undecided", "undecided"),
        (None, None, "no interval", "no interval"),
    ],
)
def test_verdicts_of_effects(
    low: float | None, high: float | None, main: str, interaction: str
) -> None:
    wording = Wording(0.5)
    own = Effect(((0, 1),), (), 0.0, low=low, high=high)
    assert verdict(own, wording) == main
    assert verdict(replace(own, parts=((0, 1), (1, 1))), wording) == interaction
    assert verdict(replace(own, estimate=None), wording) == "not shown by these runs"


@pytest.mark.usefixtures("known")
def test_every_form_of_the_report_has_them(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, LEVELS, seeds=2, baseline=True)
    shown = build_report(folder).text
    texts = (shown, (folder / "effects.md").read_text(), (folder / layout.PAGE).read_text())
    for text in texts:
        for part in ("Effects of the factors on accuracy", "-9.80", "Interactions of two factors"):
            assert part in text
    assert "quant.signed=true. One factor:" in texts[1] and "over 2 seeds" in texts[1]
    with (folder / "effects.csv").open(newline="") as file:
        assert [line["estimate"] for line in csv.DictReader(file)] == ["-9.8", "0.1", "0.0"]
    assert layout.report_file(layout.figures_folder(folder), "interactions", "svg").exists()
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    build_report(folder)
    assert before == {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("known")
def test_of_many_effects_the_tables_have_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qbench.report.effects._MOST", 1)
    found = _analysis(tmp_path)
    main, pairs_of_factors = tables(found)
    assert [line[0] for line in main[1][1:]] == ["quant.bits=4"]
    assert len(pairs_of_factors[1]) == 2 and len(frame(found)) == 3
    assert "Of the 2 main effects the tables have the 1 with the largest" in explained(found)


def test_designs_without_crossings_have_none(tmp_path: Path) -> None:
    one = {"quant.bits": (8, 4)}
    assert analyse(grids.sweep(tmp_path / "one", one, baseline=True)) is None
    left = ("quant.bits=4 quant.signed=false",)
    assert analyse(grids.sweep(tmp_path / "ofat", LEVELS, leave_out=left)) is None
    missing = {label: [None] for label in VALUES}
    assert analyse(grids.sweep(tmp_path / "missing", LEVELS, statuses=missing)) is None


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    one = _analysis(tmp_path / "one", seeds=1)
    assert "One seed gives no interval" in explained(one)
    assert set(frame(one)["verdict"]) == {"no interval"}
    assert tables(one)[0][0] == "Main effects (1 seed, which gives no intervals)"
    lost = {"quant.bits=4": ["ok", "ok", "failed"]}
    fewer = _analysis(tmp_path / "fewer", seeds=3, statuses=lost)
    assert "Left out, because combinations lack a value: seed 2." in explained(fewer)
    never = {"quant.bits=4": [None, "failed"]}
    part = _analysis(tmp_path / "part", statuses=never)
    assert "1 combination of 4 without values" in explained(part)
    assert set(frame(part)["verdict"]) == {"not shown by these runs"}
    apart = {"quant.bits=4": ["ok", None], "quant.signed=false": [None, "ok"]}
    none = _analysis(tmp_path / "none", statuses=apart)
    assert "need a seed with a value for every combination" in explained(none)
    assert tables(none) == [] and frame(none).empty


def test_a_fraction_has_its_alias_table(tmp_path: Path) -> None:
    levels = {**LEVELS, "quant.delay": (0.8, 0.4)}
    left = [row.label for row in grids.planned(levels) if len(row.changes) % 2]
    folder = grids.write(tmp_path, levels, seeds=2, baseline=False, leave_out=tuple(left))
    path = folder / layout.MANIFEST
    manifest = json.loads(path.read_bytes())
    manifest["design"] |= {"name": "fractional", "resolution": 3}
    records.write_atomically(path, records.as_json(manifest))
    shown = build_report(folder).text
    assert "quant.bits    -quant.signed x quant.delay" in shown
    with (folder / "effects.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["effect"] for line in lines] == [
        "quant.bits=4",
        "quant.signed=false",
        "quant.delay=0.4",
    ]
    assert lines[2]["mixed_with"] == "-quant.bits x quant.signed"
    assert "the sum of all effects that the design mixes" in (folder / "effects.md").read_text()


def test_of_many_pairs_the_figure_has_those_that_interact_most(tmp_path: Path) -> None:
    keys = ("quant.bits", "quant.signed", "quant.delay", "quant.op", "train.steps", "model.depth")
    left = [
        row.label
        for row in grids.planned({key: (0, 1) for key in keys})
        if len(row.changes) % 2 and row.changes != {"quant.enabled": False}
    ]
    found = _analysis(tmp_path, {key: (0, 1) for key in keys}, leave_out=tuple(left), seeds=1)
    assert found.effects is not None
    sizes = {one.term: abs(one.estimate or 0) for one in found.effects.effects}
    chosen = pairs(found)
    assert len(chosen) == 12 and chosen == sorted(chosen)
    left_out = [size for term, size in sizes.items() if len(term) == 2 and term not in chosen]
    assert max(left_out) <= min(sizes[pair] for pair in chosen)
