"""What ends a sweep before all its seeds are done: times, open seeds, looks, and forecasts."""

from __future__ import annotations

import json
from pathlib import Path

import config_examples as examples
import pytest

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.planning.budget import (
    Budget,
    Measured,
    Pace,
    Work,
    duration,
    measured,
    pace,
    seeds_that_fit,
)
from qbench.planning.execution import MOST, Stopping, seconds_of
from qbench.planning.plan import make_plan, outline
from qbench.storage import layout, records

WORK = Work(steps=100, runs=4)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("3600s", 3600), ("1h30m", 5400), ("0.5h10s", 1810)],
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds == Stopping(budget=text).seconds


def test_a_budget_opens_the_seeds_that_are_not_typed() -> None:
    timed, both = Stopping(budget="2h"), Stopping(budget="2h", stop_when="decided")
    assert timed.seeds(False, (7, 1)) == (7, 1, 0, 2, 3, 4, 5, 6, *range(8, MOST))
    assert timed.seeds(True, (7, 1)) == (7, 1)
    assert Stopping().seeds(False, (7, 1)) == (7, 1)
    assert len(timed.seeds(False, tuple(range(30)))) == 30
    assert both.looks(8) == 6 and timed.looks(8) == 1


def test_a_row_needs_three_seeds_to_be_decided() -> None:
    rule = Stopping(stop_when="decided")
    with pytest.raises(QbenchError, match="not allowed with 1 seed: expected 3 or more"):
        rule.seeds(False, (0,))
    with pytest.raises(QbenchError, match="with 2 seeds"):
        rule.seeds(True, (0, 1))


def test_one_row_cannot_be_decided() -> None:
    values = {"seeds": [3, 1, 2], "stop_when": "decided", "design.baseline": False}
    settings = examples.settings(values | {"design.factors": ["quant.bits"]})
    with pytest.raises(QbenchError, match="stop_when=decided is not allowed with one row"):
        make_plan(outline(settings, {"quant.bits": (8,)}, ()))
    assert len(make_plan(outline(settings, {"quant.bits": (8, 4)}, ())).rows) == 2


def test_a_plan_of_some_of_its_seeds() -> None:
    values = {"seeds": [3, 1, 2], "design.ensembles": [2], "design.factors": ["quant.bits"]}
    settings = examples.settings(values)
    plan = make_plan(outline(settings, {"quant.bits": (8, 4)}, ()))
    part = plan.with_seeds({1, 3})
    assert [run.experiment.seed for run in part.runs] == [3, 1] * 3
    assert len(part.derived) == 3
    assert plan.with_seeds([2]).derived == []  # no ensemble of two


def test_a_part_converts_what_the_whole_converts() -> None:
    values = {"seeds": [3, 1, 2], "deploy.enabled": True, "deploy.seeds": 2}
    plan = make_plan(outline(examples.settings(values), {"quant.bits": (8, 4)}, ()))
    assert plan.settings.deployed_seeds == (3, 1)
    assert plan.with_seeds([2, 1]).settings.deployed_seeds == (1,)
    assert plan.with_seeds([2]).settings.deployed_seeds == ()


def _budget(seconds: float | None, now: list[float], *more: Measured) -> Budget:
    return Budget(seconds, lambda: now[0], workers=2, known=lambda: Pace(0.1, 2.0), measured=more)


def test_earlier_jobs_tell_how_long_a_seed_takes_until_one_is_done() -> None:
    now = [50.0]
    budget = _budget(20, now)
    assert budget.expected(WORK) == 100 * 0.1 + 4 * 2.0 / 2
    now[0] = 60.0
    assert budget.left == 10 and not budget.allows(WORK)

    def do() -> bool:
        now[0] += 3
        return True

    assert budget.timed(WORK, do)
    assert budget.expected(WORK) == 3
    assert budget.expected(Work(50, 1)) == 1.5
    assert budget.allows(WORK)
    assert _budget(None, now).allows(WORK)
    assert Budget(1, lambda: 0.0).allows(WORK)  # nothing tells


def test_work_that_was_cut_short_tells_nothing() -> None:
    budget = _budget(None, [0.0])
    assert not budget.timed(WORK, lambda: False)
    assert budget.timed(Work(), lambda: True)
    assert budget.measured == []


def test_seeds_with_files_tell_of_seeds_with_files() -> None:
    slow, fast = Measured(Work(100, 4, 4), 90), [Measured(WORK, s) for s in (99, 10, 20, 30)]
    budget = _budget(None, [0.0], slow, *fast)
    assert budget.expected(Work(100, 4, 4)) == 90
    assert budget.expected(WORK) == 20  # the last three
    only = _budget(None, [0.0], slow)
    assert only.expected(WORK) == 100 * 0.1 + 4 * 2.0 / 2  # less than with files
    assert _budget(None, [0.0], fast[1]).expected(Work(100, 4, 4)) == 10


def test_seeds_that_fit() -> None:
    assert seeds_that_fit(100, 40, 20, 9) == 4
    assert seeds_that_fit(10, 40, 20, 9) == 1
    assert seeds_that_fit(1e9, 40, 20, 9) == 9


@pytest.mark.parametrize(
    ("seconds", "text"), [(45.2, "45 seconds"), (720, "12 minutes"), (9000, "2.5 hours")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_log_of_jobs_tells_the_seconds_of_a_step(tmp_path: Path) -> None:
    assert pace(tmp_path) is None
    jobs = [{"steps": 100, "train_seconds": 30.0}, {"steps": 300, "train_seconds": 50.0}]
    lines = [*map(json.dumps, jobs), '{"steps": 0, "train_seconds": 9}', '{"steps": 70, "tra']
    layout.jobs_log(tmp_path).write_text("\n".join(lines))
    assert pace(tmp_path) == Pace(0.2, 0.0)
    record = {
        "schema": records.SCHEMA,
        "status": "ok",
        "step_seconds": {"float": 0.5},
        "seconds": {"set_up": 1.0, "train": 100.0, "evaluate": 2.0},
    }
    records.write_run(tmp_path, "one", config={}, record=record, history=())
    assert pace(tmp_path) == Pace(0.2, 3.0)
    assert pace(tmp_path, 0.7) == Pace(0.7, 3.0)
    layout.jobs_log(tmp_path).unlink()
    assert pace(tmp_path) == Pace(0.5, 3.0)


def test_seeds_of_another_number_of_workers_tell_nothing(tmp_path: Path) -> None:
    one = Measured(WORK, 9.0)
    manifest = {
        "schema": records.SCHEMA,
        "by_seed": {"workers": 2, "measured": [one.as_config()]},
    }
    (tmp_path / layout.MANIFEST).write_bytes(records.as_json(manifest))
    assert measured(tmp_path, 2) == [one]
    assert measured(tmp_path, 1) == []
    assert measured(tmp_path / "other", 2) == []


def test_a_plan_says_how_many_seeds_a_budget_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One seed has a trunk of 80 steps and three tails: 120 steps on one worker."""
    design = ["design.factors=[quant.bits]", "quant.bits=8,4", "train.steps=100", "workers=1"]
    asked = ["plan", "study=digits", *design, f"out={tmp_path}", "budget=1m", "stop_when=decided"]
    assert main([*asked, "--step-seconds", "0.1", "seeds=range(9)"]) == 0
    assert "at most 9 seeds, with 7 looks whether a row is undecided; the budget of 60 seconds" in (
        said := capsys.readouterr().out
    )
    steps = 80 + 20 + 20 + 20
    assert f"gives about 4, at about {steps / 10:.0f} seconds each\n" in said
    assert main(asked) == 0
    assert "at most 20 seeds" in (said := capsys.readouterr().out)
    assert "gives as many as the first one will tell" in said
    assert main([*asked, "--step-seconds", "0.1", "deploy.enabled=true"]) == 0
    assert "each, conversion not counted\n" in capsys.readouterr().out
