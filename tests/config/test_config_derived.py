"""Derived rows of a plan: which there are, what their members are, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import config_examples as examples
import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.planning.derived import DERIVED, Member, run_name
from qbench.planning.forecast import forecast, print_forecast
from qbench.planning.plan import Plan, make_plan, outline
from qbench.storage import layout
from qbench.storage.outputs import TEST, outputs_file
from qbench.tasks.classification import Classification

FAKE = {"quant.op": "fake_quant", "design.factors": []}


def _plan(seeds: list[int], ensembles: list[int], **values: Any) -> Plan:
    """Of baseline and default with fake_quant, and of 32 bits, which it does not take."""
    own = FAKE | {"seeds": seeds, "design.ensembles": ensembles}
    settings = examples.settings(own | values)
    return make_plan(outline(settings, {"quant.bits": (8, 32)}, ()))


def _members(plan: Plan) -> dict[str, list[list[int]]]:
    """The seeds of each run, by the label of its row; each run's members are of one row."""
    for row in plan.derived:
        for run in row.runs:
            assert {label for label, _ in run.members} == {row.of.label}
    return {row.label: [run.seeds for run in row.runs] for row in plan.derived}


def test_every_applicable_row_comes_as_ensembles_the_baseline_too() -> None:
    plan = _plan([7, 3], [2])
    assert [row.label for row in plan.rows] == ["baseline", "default", "quant.bits=32"]
    assert _members(plan) == {
        "ensemble of 2: baseline": [[7, 3]],
        "ensemble of 2: default": [[7, 3]],
    }


@pytest.mark.parametrize(
    ("seeds", "count", "members"),
    [
        (6, 2, [[0, 1], [2, 3], [4, 5]]),
        (6, 3, [[0, 1, 2], [3, 4, 5]]),
        (6, 6, [[0, 1, 2, 3, 4, 5]]),
        (5, 2, [[0, 1], [2, 3]]),
        (5, 3, [[0, 1, 2]]),
        (5, 4, [[0, 1, 2, 3]]),
    ],
)
def test_ensembles_are_disjoint_in_the_order_of_the_seeds(
    seeds: int, count: int, members: list[list[int]]
) -> None:
    plan = _plan(list(range(seeds)), [count])
    assert _members(plan)[f"ensemble of {count}: default"] == members


@pytest.mark.parametrize(
    ("seeds", "count", "members"),
    [
        (3, 1, [[0], [1], [2]]),
        (3, 2, [[0, 1], [1, 2], [2, 0]]),
        (3, 3, [[0, 1, 2]]),
        (4, 3, [[0, 1, 2], [1, 2, 3], [2, 3, 0], [3, 0, 1]]),
    ],
)
def test_rotated_ensembles_begin_at_each_seed(
    seeds: int, count: int, members: list[list[int]]
) -> None:
    plan = _plan(list(range(seeds)), [count], **{"design.ensemble_draws": "rotated"})
    found = _members(plan)[f"ensemble of {count}: default"]
    assert found == members
    assert len({found_in for group in found for found_in in group}) == seeds


def test_the_draws_are_in_the_name_of_the_sweep_only_with_ensembles() -> None:
    rotated = {"design.ensemble_draws": "rotated"}
    assert _plan([0, 1, 2], [2]).name != _plan([0, 1, 2], [2], **rotated).name
    assert _plan([0, 1, 2], []).name == _plan([0, 1, 2], [], **rotated).name


def test_an_ensemble_of_one_has_the_bits_of_its_member(tmp_path: Path) -> None:
    """A combination of one would round them: to logarithms of probabilities."""
    logits = np.random.default_rng(0).normal(0, 5, (20, 3)).astype(np.float32)
    (tmp_path / layout.OUTPUTS).write_bytes(outputs_file(logits))
    data: Any = SimpleNamespace(task=Classification(3))
    one = Member(tmp_path, {})
    found = DERIVED["ensemble"].outputs([one], data, TEST)
    assert (found.dtype, found.tobytes()) == (logits.dtype, logits.tobytes())
    twice = DERIVED["ensemble"].outputs([one, one], data, TEST)
    np.testing.assert_allclose(np.exp(twice).sum(axis=1), 1)
    assert twice.tobytes() != logits.tobytes()


def test_rows_follow_number_by_number() -> None:
    assert list(_members(_plan([0, 1, 2], [3, 2]))) == [
        *("ensemble of 3: baseline", "ensemble of 3: default"),
        *("ensemble of 2: baseline", "ensemble of 2: default"),
    ]


def test_there_are_none_without_the_setting() -> None:
    plan = _plan([0, 1, 2], [])
    assert plan.derived == []
    assert plan.name != _plan([0, 1, 2], [2]).name != _plan([0, 1, 2], [3]).name
    assert len(plan.runs) == len(_plan([0, 1, 2], [2, 3]).runs)


@pytest.mark.parametrize(("seeds", "ensembles"), [([0], [2]), ([0, 1, 2, 3], [2, 5, 3])])
def test_more_members_than_seeds_are_refused(seeds: list[int], ensembles: list[int]) -> None:
    with pytest.raises(QbenchError) as error:
        _plan(seeds, ensembles)
    given = f"[{','.join(map(str, ensembles))}]"
    assert str(error.value) == (
        f"design.ensembles={given} is not allowed: expected numbers of at most {len(seeds)}, the"
        " number of seeds."
    )


def test_it_is_no_factor() -> None:
    with pytest.raises(QbenchError, match=r"^design\.ensembles: takes one value; it is not a"):
        make_plan(outline(examples.settings(FAKE), {"design.ensembles": (2, 3)}, ()))


def test_an_id_is_that_of_kind_number_and_members_in_any_order() -> None:
    first, _, third, _ = _plan([0, 1, 2], [2, 3]).derived
    one = first.run_id(["b", "a"])
    assert one == first.run_id(["a", "b"])
    others = [first.run_id(["a", "c"]), first.run_id(["a"]), third.run_id(["a", "b"])]
    assert len({one, *others}) == 4
    assert first.content(["b", "a"]) == {"kind": "ensemble", "count": 2, "members": ["b", "a"]}


def test_a_forecast_lists_them_and_counts_no_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, without = (_plan([0, 1, 2, 3], k, out=str(tmp_path)) for k in ([2], []))
    facts, expected = forecast(plan, 2, None), forecast(without, 2, None)
    assert facts.pop("derived") == [
        {
            "label": f"ensemble of 2: {row} seeds {seeds[0]}, {seeds[1]}",
            "row": f"ensemble of 2: {row}",
            "kind": "ensemble",
            "seeds": list(seeds),
        }
        for row in ("baseline", "default")
        for seeds in ((0, 1), (2, 3))
    ]
    assert expected.pop("derived") == []
    assert facts == expected
    print_forecast(plan, 2, None, False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[9] == f"{9:>4}  {'ensemble of 2: baseline':<44} {'0,1':>6} {0:>9} {0:>9}"
    assert lines[13].startswith("   -  quant.bits=32")
    (total,) = [line for line in lines if line.startswith("digits, ofat: ")]
    assert "3 configurations, 8 runs, 4 derived runs, 800 steps;" in total


def test_an_ensemble_has_the_size_of_its_networks() -> None:
    size = {"values": 10, "bits": 4, "megabytes": 0.25}
    found = DERIVED["ensemble"].size([size, size, size])
    assert found == {"values": 30, "bits": 4, "megabytes": 0.75}
    floats = DERIVED["ensemble"].size([size | {"float_values": 2}] * 2)
    assert floats == {"values": 20, "bits": 4, "megabytes": 0.5, "float_values": 4}


def test_names_of_runs_for_people() -> None:
    row: dict[str, Any] = {"label": "default"}
    assert run_name(row, {"seed": 3}) == "default seed 3"
    row = {"label": "ensemble of 2: default", "derived": {"kind": "ensemble"}}
    run = {"seed": None, "seeds": [3, 1]}
    assert run_name(row, run, ", ") == "ensemble of 2: default, seeds 3, 1"
