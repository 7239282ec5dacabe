"""What a sweep runs, and the mistakes that stop it before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest

from qbench.base.errors import QbenchError
from qbench.base.setting import Group
from qbench.config.experiment import Experiment
from qbench.planning import identity
from qbench.planning.effective import effective
from qbench.planning.forecast import print_forecast
from qbench.planning.identity import phases
from qbench.planning.plan import Choices, Plan, make_plan, outline


def _composed(choices: Choices) -> Experiment:
    """Stands in for Hydra: the choice `model=wide` has 32 channels, any other 8."""
    values: dict[str, Any] = {"model.width": 32 if "model=wide" in choices else 8}
    return examples.experiment(values | {"quant.enabled": "quant=none" not in choices})


def _plan(
    values: dict[str, Any] | None = None,
    given: dict[str, tuple[Any, ...]] | None = None,
    fixed: tuple[str, ...] = (),
) -> Plan:
    design = outline(examples.settings(values), given or {}, fixed)
    return make_plan(design, {choices: _composed(choices) for choices in design.choices})


FAKE = {"quant.op": "fake_quant"}
ERRORS: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...], str]] = [
    ("seeds", {}, {"seeds": (1, 2)}, (), "seeds: takes one value"),
    ("threads", {}, {"threads": (1, 2)}, (), "threads: takes one value"),
    ("study", {}, {"study": ("a", "b")}, (), "study: takes one value"),
    ("out", {}, {"out": ("a", "b")}, (), "out: takes one value"),
    ("design", {}, {"design.name": ("ofat", "factorial")}, (), "design.name: takes one value"),
    *[
        (key, {}, {key: levels}, (), f"{key}: takes one value")
        for key, levels in {
            "deterministic": (False, True),
            "share": (False, True),
            "keep_trunks": (False, True),
            "retries": (0, 1),
            "fail_fast": (False, True),
            "isolate": (False, True),
            "device": ("cpu", "gpu"),
            "workers": (1, 2),
            "budget": ("1h", "2h"),
            "job": ("a", "b"),
            "deploy.enabled": (False, True),
            "design.baseline": (False, True),
        }.items()
    ],
    ("float", {"quant.enabled": False}, {}, (), "nothing is left for a sweep to vary"),
    ("unknown key", {}, {"quant.bitz": (1, 2)}, (), "quant.bitz is not a setting"),
    ("wrong level", {}, {"quant.bits": (8, 0)}, (), "quant.bits=0 is not allowed"),
    ("not single", {}, {"train.optimizer": (1, 2)}, (), "is not a single setting"),
    ("default", FAKE | {"quant.bits": 32}, {}, ("quant.bits",), "fake_quant takes 2 to 16 bits"),
    (
        "first level",
        FAKE,
        {"quant.bits": (32, 8)},
        (),
        "quant.bits=32: fake_quant takes 2 to 16 bits",
    ),
    (
        "set in vain",
        FAKE | {"quant.signed": False},
        {},
        ("quant.op", "quant.signed"),
        "quant.signed=false: fake_quant has no such setting",
    ),
    ("factor", {"design.factors": ["quant.bit"]}, {}, (), "quant.bit is not one of the factors"),
]


@pytest.mark.parametrize(
    ("values", "given", "fixed", "says"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS]
)
def test_errors(
    values: dict[str, Any], given: dict[str, Any], fixed: tuple[str, ...], says: str
) -> None:
    with pytest.raises(QbenchError) as error:
        _plan(values, given, fixed)
    assert says in str(error.value)
    assert examples.is_one_line(error)


def test_inherited_settings_that_an_op_lacks_are_no_mistake() -> None:
    plan = _plan(FAKE | {"quant.signed": False}, fixed=("quant.op",))
    assert plan.rows[1].reason is None


@pytest.mark.parametrize("key", ["quant.enabled", "quant"])
def test_quantization_itself_may_be_a_factor(key: str) -> None:
    values = {"quant.enabled": False, "design.name": "factorial", "design.baseline": False}
    levels = {"quant.enabled": (False, True), "quant": ("none", "paper")}[key]
    plan = _plan(values, {key: levels})
    assert [row.experiment.quant.enabled for row in plan.rows] == [False, True]


def test_every_applicable_row_is_run_with_every_seed() -> None:
    plan = _plan(FAKE | {"seeds": [5, 3]})
    applicable = [row for row in plan.rows if row.reason is None]
    assert 0 < len(applicable) < len(plan.rows)
    assert [(run.row, run.experiment) for run in plan.runs] == [
        (row.label, row.experiment.with_values({"seed": seed}))
        for row in applicable
        for seed in (5, 3)
    ]
    assert [run.experiment.seed for run in plan.runs[:3]] == [5, 3, 5]


@pytest.mark.parametrize(
    ("deploy", "seeds"),
    [
        ({"deploy.enabled": True}, [4, 0, 2]),
        ({"deploy.enabled": True, "deploy.seeds": 2}, [4, 0]),
        ({"deploy.enabled": True, "deploy.seeds": 9}, [4, 0, 2]),
        ({"deploy.seeds": 2}, []),
    ],
    ids=["all", "first two", "more than there are", "not enabled"],
)
def test_the_first_seeds_of_every_row_are_converted(
    deploy: dict[str, Any], seeds: list[int]
) -> None:
    plan = _plan({**deploy, "seeds": [4, 0, 2], "design.factors": ["quant.bits"]})
    found = [(plan.runs[n].row, plan.runs[n].experiment.seed) for n in plan.deployed]
    assert found == [(row.label, seed) for row in plan.rows for seed in seeds]


@pytest.mark.parametrize("common", [None, {"software": "a", "data": "b"}])
def test_the_phases_of_a_run_are_those_of_its_experiment(common: Any) -> None:
    """Which the plan works out once for all seeds of a row."""
    levels = {"model": ("wide", "narrow"), "quant.bits": (8, 4, 32), "quant.delay": (0.0, 0.4, 1.0)}
    plan = _plan({**FAKE, "design.name": "factorial", "seeds": [5, 3]}, levels)
    found = [plan.phases(run, common) for run in plan.runs]
    assert found == [phases(run.experiment, common) for run in plan.runs]
    assert [{json.loads(phase.content)[1]["seed"] for phase in one} for one in found] == [
        {run.experiment.seed} for run in plan.runs
    ]


def test_the_content_of_a_phase_is_canonical_json() -> None:
    """As json.dumps writes it: ids are hashes of this text."""
    plan = _plan({"seeds": [3]})
    texts = [one.content for one in plan.phases(plan.runs[-1], {"b": [0.1, "\u00e8"], "a": None})]
    assert len(texts) == 2
    assert texts == [json.dumps(json.loads(text), sort_keys=True) for text in texts]


def test_equal_levels_that_differ_as_text_have_phases_of_their_own() -> None:
    values = {"design.name": "factorial", "design.baseline": False}
    plan = _plan(values, {"model.width": (4, 8, 8.0), "quant.bits": (8, 4)})
    widths = [str(run.experiment.model.arguments["width"]) for run in plan.runs]
    assert widths == ["4", "8", "8.0"] * 2
    assert [plan.phases(run, None) for run in plan.runs] == [
        phases(run.experiment, None) for run in plan.runs
    ]


def test_what_a_group_adds_to_phases_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each of the rows that share the group."""
    groups: list[str] = []

    def counted(group: Group) -> dict[str, Any]:
        groups.append(group.prefix)
        return effective(group)

    monkeypatch.setattr(identity, "effective", counted)
    values = {"design.name": "factorial", "design.baseline": False}
    levels = {"quant.bits": (8, 4), "quant.delay": (0.4, 0.5), "train.learning_rate": (1, 2, 3)}
    plan = _plan(values, levels)
    for run in plan.runs:
        plan.phases(run, None)
    assert len(plan.runs) == 12
    found = {name: groups.count(name) for name in groups}
    assert found == {"data": 1, "model": 1, "quant": 4, "train": 3, "eval": 1, "deploy": 1, "": 12}


@pytest.mark.parametrize(
    ("seeds", "labels"),
    [([3], ["baseline", "default"]), ([3, 1], ["baseline seed 3", "baseline seed 1"])],
)
def test_a_run_is_labelled_by_its_seed_where_there_are_several(
    seeds: list[int], labels: list[str]
) -> None:
    plan = _plan({"design.factors": [], "seeds": seeds})
    assert [run.label for run in plan.runs][:2] == labels


def test_a_configuration_group_may_be_a_factor() -> None:
    plan = _plan(
        {"design.name": "factorial", "design.baseline": False},
        {"model": ("wide", "narrow"), "quant.bits": (8, 4)},
    )
    found = [(r.experiment.model.arguments["width"], r.experiment.quant.bits) for r in plan.rows]
    assert sorted(found) == [(8, 4), (8, 8), (32, 4), (32, 8)]
    assert plan.rows[0].label == "default"
    assert found[0] == (32, 8)


CROSSED = {"model": ("wide", "narrow"), "quant": ("paper", "none"), "quant.bits": (8, 4)}


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        ("ofat", ["wide paper", "narrow paper", "wide none"]),
        ("factorial", ["wide paper", "wide none", "narrow paper", "narrow none"]),
    ],
)
def test_choices_of_groups_are_known_before_the_plan_is_made(
    design: str, expected: list[str]
) -> None:
    values = {"design.name": design, "design.factors": []}
    found = outline(examples.settings(values), CROSSED, ()).choices
    assert found == [
        (f"model={model}", f"quant={quant}") for model, quant in map(str.split, expected)
    ]


@pytest.mark.parametrize(
    "group", ["data", "model", "quant", "train", "train/optimizer", "train/schedule"]
)
def test_any_group_may_be_chosen_in_a_design(group: str) -> None:
    values = {"design.factors": [], "design.baseline": False}
    found = outline(examples.settings(values), {group: ("a", "b"), "quant.bits": (8, 4)}, ())
    assert found.choices == [(f"{group}=a",), (f"{group}=b",)]


def test_a_design_without_groups_needs_no_choice() -> None:
    assert outline(examples.settings({}), {"quant.bits": (8, 4)}, ()).choices == []


def test_name_is_the_design_and_a_hash_of_the_runs() -> None:
    name = _plan().name
    assert name.startswith("ofat-")
    assert len(name) == len("ofat-") + 8
    assert _plan({"data.dir": "x", "data.note": "y", "study.name": "z"}).name == name
    others = [
        _plan({"train.steps": 7}).name,
        _plan({"seeds": [1]}).name,
        _plan({"design.baseline": False}).name,
        _plan(given={"quant.bits": (8, 4)}).name,
    ]
    assert len({name, *others}) == 5


def test_the_forecast_counts_runs_and_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = _plan({"design.factors": ["quant.delay", "quant.bits"], "seeds": [0, 1]}, FAKE_LEVELS)
    print_forecast(plan, 1, None, False)
    lines = capsys.readouterr().out.splitlines()
    table = lines[1 : lines.index("")]
    assert sum("not_applicable: quant.bits=32" in line for line in table) == 1
    runs = [line.split() for line in table if "not_applicable" not in line]
    assert [int(run[0]) for run in runs] == list(range(1, len(runs) + 1))
    floats, quantized = 2 * (100 + 80 + 80 + 40), 2 * (20 + 20 + 60)
    assert sum(int(run[-2]) for run in runs) == floats
    assert sum(int(run[-1]) for run in runs) == quantized
    # With sharing each seed trains its float steps once.
    assert (
        "digits, ofat: 5 configurations, 8 runs,"
        f" {floats + quantized:,} steps; {2 * 100 + quantized:,} shared, ratio 0.500"
    ) in lines


FAKE_LEVELS = {"quant.op": ("fake_quant",), "quant.bits": (8, 4, 32), "quant.delay": (0.8, 0.4)}


GRID = {
    "design.name": "factorial",
    "design.levels": {"quant.weight_bits": [8, 4], "quant.activation_bits": [8, 6, 4]},
}


@pytest.mark.parametrize(
    ("given", "fixed", "expected"),
    [
        ({}, (), {"quant.weight_bits": (8, 4), "quant.activation_bits": (8, 6, 4)}),
        (
            {"quant.weight_bits": (7, 5)},
            (),
            {"quant.weight_bits": (7, 5), "quant.activation_bits": (8, 6, 4)},
        ),
        (
            {"quant.signed": (True, False), "quant.activation_bits": (3,)},
            ("quant.op",),
            {
                "quant.signed": (True, False),
                "quant.weight_bits": (8, 4),
                "quant.activation_bits": (3,),
            },
        ),
        ({}, ("quant.weight_bits",), {"quant.activation_bits": (8, 6, 4)}),
        ({}, ("quant.weight_bits", "quant.activation_bits"), {}),
    ],
    ids=["configured", "comma list", "a factor more", "one value", "both one value"],
)
def test_the_command_line_wins_over_the_levels_of_a_design(
    given: dict[str, Any], fixed: tuple[str, ...], expected: dict[str, Any]
) -> None:
    plan = _plan(GRID, given, fixed)
    assert plan.levels == expected
    assert list(plan.levels) == list(expected)


def test_the_first_levels_of_a_design_are_its_default() -> None:
    plan = _plan({"design.levels": {"quant.weight_bits": [7, 3]}, "design.factors": []})
    assert [row.label for row in plan.rows] == ["baseline", "default", "quant.weight_bits=3"]
    assert [row.experiment.quant.weight_bits for row in plan.rows[1:]] == [7, 3]


def test_a_group_may_have_levels_in_a_design() -> None:
    plan = _plan({"design.levels": {"model": ["wide", "narrow"]}, "design.factors": []})
    assert [row.label for row in plan.rows] == ["baseline", "default", "model=narrow"]
    assert [row.experiment.model.arguments["width"] for row in plan.rows] == [32, 32, 8]


def test_rows_one_by_one_follow_those_of_the_factors() -> None:
    """Each differs from the default alone, and may choose in a group; no row is there twice."""
    rows = [{"model": "narrow", "quant.bits": 4}, {"quant.bits": 4}, {"quant.bits": 6}]
    levels = {"quant.bits": [8, 4], "model": ["wide", "middle"]}
    plan = _plan({"design.rows": rows, "design.levels": levels, "design.factors": []})
    labels = ["baseline", "default", "quant.bits=4", "model=middle"]
    assert [row.label for row in plan.rows] == [
        *labels,
        "model=narrow quant.bits=4",
        "quant.bits=6",
    ]
    width = [row.experiment.model.arguments["width"] for row in plan.rows]
    assert width == [32, 32, 32, 8, 8, 32]
    assert [row.experiment.quant.bits for row in plan.rows[1:]] == [8, 4, 8, 4, 6]


@pytest.mark.parametrize("key", ["seeds", "design.name", "workers"])
def test_keys_of_the_command_are_no_keys_of_rows(key: str) -> None:
    with pytest.raises(QbenchError, match=f"{key}: takes one value; it is not a factor"):
        _plan({"design.rows": [{key: 1}]})


@pytest.mark.parametrize("key", ["seeds", "quant.bitz"])
def test_levels_of_what_is_no_factor_are_refused(key: str) -> None:
    with pytest.raises(QbenchError, match=key):
        _plan({"design.levels": {key: [1, 2]}})


def test_a_network_s_rows_share_its_float_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """Three networks of 100 steps, and 20 quantized ones for each of their two widths."""
    levels = {"model.width": [16, 8, 4], "quant.bits": [8, 4]}
    plan = _plan({"design.name": "factorial", "design.baseline": "each", "design.levels": levels})
    print_forecast(plan, 1, None, False)
    assert f"9 runs, 900 steps; {3 * (100 + 2 * 20)} shared" in capsys.readouterr().out


def test_networks_are_told_apart_by_what_they_are_built_from() -> None:
    factors = {"design.factors": ["model.width", "data.resolution", "quant.bits"]}
    levels = {"model.width": (16, 8), "data.resolution": (None, 12), "quant.bits": (8, 4)}
    plan = _plan({**factors, "seeds": [0, 1]}, levels)
    wide, narrow = (examples.PLAIN["model"] | {"width": width} for width in (16, 8))
    assert plan.networks == [
        [wide, ["digits", None, None, {}, None], ["vgg"]],
        [narrow, ["digits", None, None, {}, None], ["vgg"]],
        [wide, ["digits", None, 12, {}, None], ["vgg"]],
    ]


def test_a_network_is_checked_once_with_every_preprocessing() -> None:
    factors = {"design.factors": ["data.preprocessing", "quant.bits"]}
    levels = {"data.preprocessing": ("vgg", "inception"), "quant.bits": (8, 4)}
    (network,) = _plan(factors, levels).networks
    assert network[-1] == ["vgg", "inception"]
