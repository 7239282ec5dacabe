"""Tables of sweeps that are done seed by seed: incomplete seeds are left out, looks are counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import report_grids as grids

from qbench.report.balance import balanced, sentences
from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.comparison import comparisons, undecided
from qbench.storage import layout, records

LEVELS: grids.Levels = {"quant.bits": (8, 4)}


def _manifest(**told: Any) -> dict[str, Any]:
    runs = [{"seed": seed, "id": f"a{seed}"} for seed in range(3)]
    pairs = [{"seed": None, "seeds": [0, 1], "id": "d0"}, {"seed": None, "seeds": [2], "id": "d1"}]
    rows = [{"label": "a", "runs": runs}, {"label": "d", "derived": {}, "runs": pairs}]
    return {"seeds": [0, 1, 2], "rows": rows, "by_seed": told}


def test_an_incomplete_seed_is_left_out() -> None:
    found, left_out = balanced(_manifest(most=5), ["a0", "a1", "d0"])
    assert (found["seeds"], left_out) == ([0, 1], (2,))
    assert [[run["id"] for run in row["runs"]] for row in found["rows"]] == [["a0", "a1"], ["d0"]]
    assert balanced(_manifest(most=5), ["a2"])[0]["rows"] == [
        {"label": "a", "runs": [{"seed": 2, "id": "a2"}]},
        {"label": "d", "derived": {}, "runs": [{"seed": None, "seeds": [2], "id": "d1"}]},
    ]


@pytest.mark.parametrize(
    ("told", "there"),
    [({"most": 5}, []), ({"most": 5}, ["a0", "a1", "a2"]), ({"looks": 3}, ["a0"])],
)
def test_a_table_that_stays_as_it_is(told: dict[str, Any], there: list[str]) -> None:
    manifest = _manifest(**told)
    assert balanced(manifest, there) == (manifest, ())


def test_how_many_seeds_and_why() -> None:
    one = {"seeds": [0, 1], "by_seed": {"most": 9, "ended": "budget"}}
    assert sentences(one, ()) == [
        "Done seed by seed: 2 of at most 9 seeds, as many as fit into the budget."
    ]
    one["by_seed"] = {"most": 9, "ended": None}
    assert sentences(one, (2, 3)) == [
        "Done seed by seed: 2 of at most 9 seeds; it has not ended.",
        "Begun but not complete, so left out: seeds 2, 3.",
    ]
    assert sentences({"seeds": [0]}, ()) == []


def _told(folder: Path, **told: Any) -> None:
    manifest = json.loads((folder / layout.MANIFEST).read_bytes()) | {"by_seed": told}
    records.write_atomically(folder / layout.MANIFEST, records.as_json(manifest))


def test_a_report_compares_complete_seeds_at_the_level_of_all_looks(tmp_path: Path) -> None:
    statuses: dict[str, list[str | None]] = {"quant.bits=4": ["ok"] * 4 + [None]}
    folder = grids.write(tmp_path, LEVELS, seeds=5, statuses=statuses)
    once = comparisons(collect(folder)).simulated
    _told(folder, most=8, looks=6, ended=None)
    sweep = collect(folder)
    made = comparisons(sweep).simulated
    assert once and made and (sweep.left_out, sweep.looks) == ((4,), 6)
    assert {len(one.seeds) for one in made.rows} == {4}
    one, other = (found.row("quant.bits=4") for found in (once, made))
    assert one.seeds == other.seeds == (0, 1, 2, 3)
    assert one.high is not None and other.high is not None
    assert other.high - other.mean > 1.5 * (one.high - one.mean)
    text = build_report(folder).text
    assert "Begun but not complete, so left out: seed 4." in text
    assert "compared up to 6 times" in text
    assert "deviations of 4 seeds" in (folder / layout.TABLE_MARKDOWN).read_text()


def test_which_rows_are_undecided(tmp_path: Path) -> None:
    statuses: dict[str, list[str | None]] = {"quant.bits=4": ["ok", "failed", "failed"]}
    folder = grids.write(tmp_path, LEVELS, seeds=3, statuses=statuses)
    assert "quant.bits=4" in (undecided(folder) or ())  # one value
    failed: dict[str, list[str | None]] = {"quant.bits=4": ["failed"] * 3}
    never = grids.write(tmp_path / "never", LEVELS, seeds=3, statuses=failed)
    assert "quant.bits=4" not in (undecided(never) or ["quant.bits=4"])  # more would not help


def test_without_values_of_the_reference_nothing_is_decided(tmp_path: Path) -> None:
    failed: dict[str, list[str | None]] = {"default": ["failed"] * 3}
    assert undecided(grids.write(tmp_path, LEVELS, seeds=3, statuses=failed)) is None


def test_seeds_that_were_added_after_looking_are_less_sure() -> None:
    told = {"most": 12, "ended": "decided", "looks": 10, "stages": [6, 10]}
    assert sentences({"seeds": [*range(9)], "by_seed": told}, ())[-1] == (
        "The rows were to be compared up to 6, then 10 times, raised after looking: intervals of"
        " all times hold together with at least 93 % probability, not 95 %."
    )
    told = {"looks": 10, "stages": [6, 10]}
    assert len(sentences({"seeds": [*range(12)], "by_seed": told}, ())) == 1
