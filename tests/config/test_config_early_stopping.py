"""`train.steps=auto`: when the first stage ends, what it decides, and what a plan knows of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.planning.early_stopping import MOST, PATIENCE, Decided, Decision, EarlyStopping
from qbench.planning.first_stage import at_steps, planned_key, trial_of, with_decision
from qbench.planning.forecast import forecast, print_forecast
from qbench.planning.identity import identity
from qbench.planning.plan import Plan, make_plan, outline
from qbench.storage import layout, records
from qbench.storage.decisions import Decisions

RULE = EarlyStopping(auto_every=10, auto_patience=2, auto_min_delta=0.0, auto_most=55)
DECISIONS: list[tuple[str, dict[str, Any], list[float], Decision | None]] = [
    ("nothing yet", {}, [], None),
    ("the first is the best so far", {}, [50], None),
    ("one without improvement", {}, [50, 49], None),
    ("two without improvement", {}, [50, 49, 48], Decision(10, PATIENCE)),
    ("a tie is no improvement", {}, [50, 60, 60, 60], Decision(20, PATIENCE)),
    ("patience begins anew", {}, [50, 49, 51, 50], None),
    ("then it ends", {}, [50, 49, 51, 50, 50.5], Decision(30, PATIENCE)),
    ("better than the first, not the best", {}, [50, 60, 55, 56], Decision(20, PATIENCE)),
    ("at the most steps", {}, [1, 2, 3, 4, 5, 6], Decision(55, MOST)),
    ("at the most, the best is earlier", {}, [1, 2, 3, 4, 5, 5], Decision(50, MOST)),
    ("patience at the most", {}, [1, 2, 3, 9, 5, 5], Decision(40, PATIENCE)),
    ("no improvement by more than 1", {"auto_min_delta": 1}, [5, 6, 6], Decision(10, PATIENCE)),
    ("slowly better than 5 by more", {"auto_min_delta": 1}, [5, 6, 6.5, 7], None),
    ("patience of one", {"auto_patience": 1}, [5, 6, 6], Decision(20, PATIENCE)),
    ("every is the most", {"auto_every": 55}, [5], Decision(55, MOST)),
]


@pytest.mark.parametrize(
    ("changes", "scores", "decision"),
    [case[1:] for case in DECISIONS],
    ids=[case[0] for case in DECISIONS],
)
@pytest.mark.parametrize("higher", [True, False])
def test_a_decision_on_scores(
    changes: dict[str, Any], scores: list[float], decision: Decision | None, higher: bool
) -> None:
    rule = EarlyStopping(**RULE.as_config() | changes)
    signed = scores if higher else [-score for score in scores]
    assert rule.decide(signed, higher) == decision


def test_the_last_evaluation_is_at_the_most_steps() -> None:
    assert [RULE.step_of(number) for number in (1, 2, 5, 6)] == [10, 20, 50, 55]
    assert EarlyStopping.from_config(RULE.as_config()) == RULE


AUTO = {"train.steps": "auto", "train.schedule": {"name": "constant"}, "data.validation": 0.1}


def _plan(given: dict[str, tuple[Any, ...]] | None = None, **values: Any) -> Plan:
    base = AUTO | {"quant.op": "fake_quant", "design.factors": [], "train.auto_most": 2000}
    return make_plan(outline(examples.settings(base | values), given or {}, ()))


def _decide(root: Path, plan: Plan, steps: int | None, **changed: Any) -> Decided:
    """A decision on disk for all rows of a plan, as a first stage leaves it."""
    trial = trial_of(plan, changed)
    key = planned_key(trial.experiment, plan.settings.auto)
    record = {"planned": key, "steps": steps, "ended": MOST, "device": {"kind": "CPU"}} | changed
    decisions = Decisions(root, print)
    decisions.make_folder()
    decisions.write(trial.id, record)
    return Decided(trial.id, steps or 0, trial.rows, trial.experiment.seed, MOST)


ALIKE: list[dict[str, Any]] = [
    {"quant.bits": 4},
    {"quant.delay": 0.4},
    {"quant.op": "qdq_v2"},
    {"quant.ema_decay": 0.9},
    {"quant.enabled": False},
    {"deploy.input": "uint8"},
    {"eval.limit": 10},
    {"train.log_every": 7},
    {"train.checkpoint_every": 7},
]
OTHER: list[dict[str, Any]] = [
    {"model.width": 8},
    {"data.preprocessing": "inception"},
    {"data.augment": True},
    {"data.validation": 0.2},
    {"data.validation_seed": 1},
    {"train.learning_rate": 0.01},
    {"train.batch_size": 32},
    {"train.optimizer.momentum": 0.5},
    {"train.weight_decay": 0.0},
    {"eval.batch_size": 10},
    {"threads": 1},
]


def _rows(*changes: dict[str, Any]) -> Plan:
    """A plan with a row for each of these changes from the default."""
    plan = _plan()
    _, default = plan.rows
    rows = [type(default)(str(one), one, default.experiment.with_values(one)) for one in changes]
    return Plan(plan.settings, {}, tuple(rows))


@pytest.mark.parametrize("changes", ALIKE + OTHER, ids=str)
def test_the_first_row_decides_for_all(changes: dict[str, Any]) -> None:
    """Rows that differed in their number of steps too would not differ in one factor alone."""
    found = trial_of(_rows({}, changes), "the same")
    assert found.rows == ("{}", str(changes))
    assert found.id == trial_of(_rows({}), "the same").id


@pytest.mark.parametrize("changes", ALIKE, ids=str)
def test_another_first_row_with_this_float_training_has_its_decision(
    changes: dict[str, Any],
) -> None:
    assert trial_of(_rows(changes), None).id == trial_of(_rows({}), None).id


@pytest.mark.parametrize("changes", OTHER, ids=str)
def test_another_float_training_has_another_decision(changes: dict[str, Any]) -> None:
    assert trial_of(_rows(changes), None).id != trial_of(_rows({}), None).id


CROSSED: dict[str, tuple[Any, ...]] = {"train.batch_size": (64, 32, 16), "quant.bits": (8, 4)}


@pytest.mark.parametrize("design", ["ofat", "factorial"])
@pytest.mark.parametrize("baseline", [True, False, "each"])
def test_the_configuration_without_changes_decides(design: str, baseline: bool | str) -> None:
    plan = _plan(CROSSED, **{"design.name": design, "design.baseline": baseline, "seeds": [3, 1]})
    found = trial_of(plan, None)
    base = plan.settings.base.with_values({"train.batch_size": 64, "train.steps": 2000})
    assert (found.experiment.train, found.experiment.data) == (base.train, base.data)
    assert (found.experiment.quant.enabled, found.experiment.seed) == (False, 3)
    assert found.rows == tuple(row.label for row in plan.rows)


def test_a_decision_keeps_its_id() -> None:
    """Decisions in folders are found by it."""
    assert trial_of(_plan(), None).id == "d1f5670c397c"


def test_data_and_device_are_part_of_a_decision() -> None:
    plan = _rows({})
    assert trial_of(plan, {"data": "a"}).id != trial_of(plan, {"data": "b"}).id


@pytest.mark.parametrize(
    "changes", [{"auto_every": 7}, {"auto_patience": 7}, {"auto_min_delta": 7}, {"auto_most": 700}]
)
def test_the_rule_and_the_first_seed_are_part_of_a_decision(changes: dict[str, Any]) -> None:
    plans = [
        _plan(seeds=[3, 4]),
        _plan(seeds=[4, 3]),
        _plan(seeds=[3, 4], **{f"train.{key}": value for key, value in changes.items()}),
    ]
    names = [trial_of(plan, None).id for plan in plans]
    assert len(set(names)) == 3
    assert trial_of(_plan(seeds=[3, 5, 6]), None).id == names[0]


def test_a_row_with_a_number_waits_for_nothing() -> None:
    plan = _plan({"train.steps": ("auto", 800)})
    assert trial_of(plan, None).rows == ("baseline", "default")
    steps = [row.experiment.train.steps for row in at_steps(plan, 50).rows]
    assert steps == [50, 50, 800]


def test_rows_that_wait_are_decided_by_the_first_of_them() -> None:
    levels = {"train.steps": (800, "auto"), "train.batch_size": (64, 32)}
    found = trial_of(_plan(levels, **{"design.name": "factorial"}), None)
    assert found.rows == ("train.steps=auto", "train.steps=auto train.batch_size=32")
    assert found.experiment.train.batch_size == 64


def test_decided_runs_are_those_with_the_number_given_by_hand() -> None:
    plan = _plan({"quant.bits": (8, 4)})
    decided = with_decision(plan, Decided("a", 600, ("baseline", "default", "quant.bits=4"), 0))
    by_hand = _plan({"quant.bits": (8, 4)}, **{"train.steps": 600})
    mine = [run.experiment for run in decided.runs]
    assert mine == [run.experiment for run in by_hand.runs]
    assert [identity(one) for one in mine] == [identity(run.experiment) for run in by_hand.runs]
    assert mine[1].quantization_start == 480


def test_a_sweep_keeps_its_folder_when_its_steps_are_decided() -> None:
    plan = _plan()
    decided = with_decision(plan, Decided("a", 600, ("baseline", "default"), 0))
    names = [one.name for one in (plan, _plan(**{"train.steps": 600}))]
    rule = _plan(**{"train.auto_patience": 3}).name
    assert decided.name == plan.name
    assert len({*names, rule, _plan(**{"train.batch_size": 7}).name}) == 4


def test_what_needs_the_number_says_so() -> None:
    experiment: Experiment = examples.settings(AUTO).base
    for use in ("quantization_start", "phases"):
        with pytest.raises(QbenchError, match=r"^train\.steps=auto: only qbench sweep decides"):
            getattr(experiment, use)


def test_a_schedule_that_needs_the_number_is_refused() -> None:
    with pytest.raises(QbenchError) as error:
        _plan(**{"train.schedule": {"name": "cosine"}})
    assert str(error.value) == (
        "train.steps=auto: the rates of train/schedule=cosine depend on the number of steps from"
        " the first step on; constant and exponential do not."
    )
    row = _plan({"train.steps": (800, "auto")}, **{"train.schedule": {"name": "cosine"}}).rows[2]
    assert (row.label, row.reason) == ("train.steps=auto", str(error.value))


def test_settings_of_the_first_stage_need_one() -> None:
    settings = examples.settings({"train.auto_patience": 3})
    with pytest.raises(QbenchError) as error:
        make_plan(outline(settings, {}, ["train.auto_patience"]))
    only = "train.auto_patience=3: it has an effect only with train.steps=auto."
    assert str(error.value) == only
    with pytest.raises(QbenchError, match=r"^train\.auto_patience: takes one value"):
        outline(settings, {"train.auto_patience": (1, 2)}, [])


FACTORS = {"quant.delay": (0.8, 0.45), "quant.bits": (8, 32)}
TEXT = """\
   #  configuration                                  seed     float quantized
   1  baseline                                          7         1         0
   2  default                                           7       0.8       0.2
   3  quant.delay=0.45                                  7      0.45      0.55
   -  quant.bits=32                                not_applicable: \
quant.bits=32: fake_quant takes 2 to 16 bits.

segments (steps, in how many runs):
  float             0 to      0.45  x3
    quantized      0.45 to         1  x1    quant.delay=0.45
  float          0.45 to       0.8  x2
    quantized       0.8 to         1  x1    default
  float           0.8 to         1  x1    baseline

digits, ofat: 4 configurations, 3 runs; shared steps, ratio 0.583
on 2 worker(s), in batches of [1, 3] jobs
train.steps=auto: fractions are of a number of steps that a first stage decides, by the float \
network of baseline with seed 7 in at most 2,000 steps; at most 4,700 steps from start to end with \
it
that is at most about 118 minutes at 1.5000 s a step
"""


def test_a_plan_is_in_fractions_until_the_number_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = _plan(FACTORS, out=str(tmp_path), seeds=[7])
    print_forecast(plan, 2, 1.5, False)
    assert capsys.readouterr().out == TEXT
    facts = forecast(plan, 2, 1.5)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["runs"][1] == {
        **{"label": "default", "row": "default", "seed": 7},
        **{"steps_float": None, "steps_quantized": None, "quantized_from": 0.8},
    }
    assert [one["fractions"] for one in facts["segments"]][:2] == [[0, 0.45], [0.45, 1]]
    assert {one["first"] for one in facts["segments"]} == {None}
    unknown = ("steps_unshared", "steps_shared", "steps_elapsed", "critical_path", "seconds")
    assert [facts[key] for key in unknown] == [None] * 5
    assert facts["first_stage"] == {
        **{"most": 2000, "seed": 7, "rows": ["baseline", "default", "quant.delay=0.45"]},
        **{"steps_elapsed_at_most": 4700, "seconds_at_most": 7050.0, "by_seed": False},
    }
    _decide(tmp_path, plan, 1000)
    by_hand = _plan(FACTORS, out=str(tmp_path), seeds=[7], **{"train.steps": 1000})
    known = forecast(plan, 2, 1.5)
    decided = known.pop("decided")
    assert known == forecast(by_hand, 2, 1.5)
    assert (decided["steps"], decided["rows"]) == (1000, facts["first_stage"]["rows"])
    print_forecast(plan, 2, 1.5, False)
    said = f"train.steps=auto: 1,000 steps for baseline and 2 more, by decision {decided['id']}\n"
    assert said in capsys.readouterr().out


def test_rows_that_wait_stand_beside_rows_that_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = {"train.steps": (1000, "auto"), "model.width": (16, 8)}
    plan = _plan(levels, out=str(tmp_path), stop_when="decided", seeds=[0, 1, 2])
    facts = forecast(plan, 1, None)
    assert facts["first_stage"]["rows"] == ["train.steps=auto"]
    assert facts["first_stage"]["by_seed"]
    floats = {run["row"]: run["steps_float"] for run in facts["runs"]}
    given = {"baseline": 1000, "default": 800, "model.width=8": 800}
    assert floats == given | {"train.steps=auto": None}
    assert (facts["ratio"], facts["steps_shared"], facts["by_seed"]) == (None, None, None)
    print_forecast(plan, 1, None, False)
    said = capsys.readouterr().out
    assert "seed by seed after the first stage, whose time is part of a budget\n" in said
    assert "12 runs\n" in said
    _decide(tmp_path, plan, 500)
    floats = {run["row"]: run["steps_float"] for run in forecast(plan, 1, None)["runs"]}
    assert floats == given | {"train.steps=auto": 400}


def test_a_row_with_another_float_training_waits_for_the_same_number(tmp_path: Path) -> None:
    """The decision of the first row is found, and counts for a row that it did not know."""
    plan = _plan({"data.preprocessing": ("vgg", "inception")}, out=str(tmp_path), seeds=[0, 1])
    facts = forecast(plan, 1, None)
    assert facts["first_stage"]["rows"] == ["baseline", "default", "data.preprocessing=inception"]
    assert facts["ratio"] is not None
    _decide(tmp_path, _plan(out=str(tmp_path), seeds=[0, 1]), 1000)
    known = forecast(plan, 1, None)
    assert {run["steps_float"] + run["steps_quantized"] for run in known["runs"]} == {1000}
    assert known["decided"]["rows"] == facts["first_stage"]["rows"]
    assert "first_stage" not in known


@pytest.mark.parametrize(
    ("records_", "values", "known"),
    [
        ([(1000, {})], {}, 1000),
        ([(1000, {"data": "a"}), (1000, {"data": "b"})], {}, 1000),
        ([(1000, {"data": "a"}), (900, {"data": "b"})], {}, None),
        ([(1000, {}), (900, {"device": {"kind": "GPU"}})], {}, None),
        ([(1000, {}), (900, {"device": {"kind": "GPU"}})], {"device": "cpu"}, 1000),
        ([(1000, {}), (900, {"device": {"kind": "GPU"}})], {"device": "gpu"}, 900),
        ([(None, {})], {}, None),
        ([(1000, {})], {"data.dir": "elsewhere"}, None),
        ([(1000, {})], {"seeds": [1]}, None),
    ],
)
def test_a_plan_shows_a_number_only_if_it_is_the_only_one(
    tmp_path: Path, records_: list[Any], values: dict[str, Any], known: int | None
) -> None:
    for steps, changed in records_:
        _decide(tmp_path, _plan(out=str(tmp_path)), steps, **changed)
    facts = forecast(_plan(out=str(tmp_path), **values), 1, None)
    assert facts["runs"][0]["steps_float"] == known


def test_a_damaged_decision_is_none(tmp_path: Path) -> None:
    name = _decide(tmp_path, _plan(out=str(tmp_path)), 1000).id
    path = layout.decision_record(tmp_path, name)
    path.write_text(path.read_text().replace("1000", "9000"))
    assert forecast(_plan(out=str(tmp_path)), 1, None)["runs"][0]["steps_float"] is None
    said: list[str] = []
    assert Decisions(tmp_path, said.append).read(name) is None
    assert said == [f"{path}: damaged; set aside as {path.name}.damaged and decided again"]
    assert not path.exists()


def test_a_decision_is_never_replaced(tmp_path: Path) -> None:
    name = _decide(tmp_path, _plan(out=str(tmp_path)), 1000).id
    before = layout.decision_record(tmp_path, name).read_bytes()
    Decisions(tmp_path, print).write(name, {"steps": 5})
    assert layout.decision_record(tmp_path, name).read_bytes() == before
    sealed = json.loads(before)
    assert sealed.pop("checksum") == records.content_id(sealed)
