"""Designs: levels of factors in, rows of a table out."""

from __future__ import annotations

import math
from typing import Any

import config_examples as examples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.planning.crossed import crossed
from qbench.planning.designs import (
    DESIGNS,
    EACH,
    Row,
    changes_of,
    factorial,
    label,
    levels_of,
    one_factor_at_a_time,
    rows,
)
from qbench.planning.factors import FACTORS, cells
from qbench.statistics.aliases import aliases

A, B, C = (1, 2, 3), ("x", "y"), (True, False)

OFAT_TABLE: list[tuple[str, dict[str, tuple[Any, ...]], list[dict[str, Any]]]] = [
    ("no factor", {}, [{}]),
    ("one level", {"a": (1,)}, [{}]),
    ("one factor", {"a": A}, [{}, {"a": 2}, {"a": 3}]),
    (
        "three factors",
        {"a": A, "b": B, "c": C},
        [{}, {"a": 2}, {"a": 3}, {"b": "y"}, {"c": False}],
    ),
]
FACTORIAL_TABLE: list[tuple[str, dict[str, tuple[Any, ...]], list[dict[str, Any]]]] = [
    ("no factor", {}, [{}]),
    ("one level", {"a": (1,)}, [{}]),
    ("one factor", {"a": A}, [{}, {"a": 2}, {"a": 3}]),
    ("last varies fastest", {"b": B, "c": C}, [{}, {"c": False}, {"b": "y"}, {"b": "y", "c": 0}]),
]


@pytest.mark.parametrize(
    ("levels", "expected"), [case[1:] for case in OFAT_TABLE], ids=[case[0] for case in OFAT_TABLE]
)
def test_one_factor_at_a_time(levels: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert one_factor_at_a_time(levels) == expected
    assert DESIGNS["ofat"](levels) == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [case[1:] for case in FACTORIAL_TABLE],
    ids=[case[0] for case in FACTORIAL_TABLE],
)
def test_factorial(levels: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert factorial(levels) == expected
    assert DESIGNS["factorial"](levels) == expected


LEVELS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True).map(tuple),
    max_size=4,
)


def _full(levels: dict[str, Any], changes: dict[str, Any]) -> tuple[Any, ...]:
    """The level of every factor in one row."""
    return tuple(changes.get(key, values[0]) for key, values in levels.items())


@given(levels=LEVELS)
def test_ofat_has_the_default_and_every_other_level_once(levels: dict[str, Any]) -> None:
    table = one_factor_at_a_time(levels)
    assert len(table) == 1 + sum(len(values) - 1 for values in levels.values())
    assert len({_full(levels, changes) for changes in table}) == len(table)
    assert all(len(changes) <= 1 for changes in table)
    assert {(k, v) for changes in table for k, v in changes.items()} == {
        (key, value) for key, values in levels.items() for value in values[1:]
    }


@given(levels=LEVELS)
def test_factorial_has_every_combination_once(levels: dict[str, Any]) -> None:
    table = factorial(levels)
    assert len(table) == math.prod(len(values) for values in levels.values())
    assert len({_full(levels, changes) for changes in table}) == len(table)
    assert table[0] == {}


def _rows(
    base: Experiment | None = None,
    chosen: tuple[str, ...] | None = None,
    given: dict[str, tuple[Any, ...]] | None = None,
    design: str = "ofat",
    baseline: bool = True,
) -> list[Row]:
    base = base or examples.experiment()
    levels = levels_of(base, chosen, given or {}, design == "ofat")
    default = base.with_values({key: values[0] for key, values in levels.items()})
    return rows(changes_of(design, levels, baseline), default.with_values)


FULL = "conv+activation"
ADD = "conv+activation+add"
# Table I of Kwasniewska et al. 2019 in qbench's order: op, rounding, bits, preprocessing,
# signedness, placement, range_given, delay_pct. The paper's FakeQuant row prints half_to_even,
# signed and no; that op has none of the three, so qbench leaves them empty.
PAPER: list[tuple[str, ...]] = [
    ("", "", "", "", "", "", "", ""),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", FULL, "no", "80"),
    ("FakeQuant", "", "8", "vgg", "", FULL, "", "80"),
    ("QDQv2", "half_up", "8", "vgg", "signed", FULL, "no", "80"),
    ("QDQv2", "half_to_even", "4", "vgg", "signed", FULL, "no", "80"),
    ("QDQv2", "half_to_even", "16", "vgg", "signed", FULL, "no", "80"),
    ("QDQv2", "half_to_even", "32", "vgg", "signed", FULL, "no", "80"),
    ("QDQv2", "half_to_even", "8", "inception", "signed", FULL, "no", "80"),
    ("QDQv2", "half_to_even", "8", "vgg", "unsigned", FULL, "no", "80"),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", ADD, "no", "80"),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", FULL, "yes", "80"),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", FULL, "no", "40"),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", FULL, "no", "50"),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", FULL, "no", "60"),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", FULL, "no", "70"),
    ("QDQv2", "half_to_even", "8", "vgg", "signed", FULL, "no", "90"),
]
COLUMNS = [
    *("op", "rounding", "bits", "preprocessing"),
    *("signedness", "placement", "range_given", "delay_pct"),
]


def test_the_design_is_the_paper_table() -> None:
    table = _rows()
    assert [row.experiment.quant.enabled for row in table] == [False] + [True] * 15
    assert [list(cells(row.experiment)) for row in table] == [COLUMNS] * 16
    assert [tuple(cells(row.experiment).values()) for row in table] == PAPER
    assert all(row.reason is None for row in table)


def test_rows_stand_factor_by_factor() -> None:
    labels = [row.label for row in _rows()]
    assert labels[:3] == ["baseline", "default", "quant.op=fake_quant"]
    assert labels[3:7] == ["quant.rounding=half_up", *(f"quant.bits={b}" for b in (4, 16, 32))]
    assert labels[9] == "quant.placement=[conv,activation,add]"
    changed = [row.label.split("=")[0] for row in _rows()[2:]]
    assert list(dict.fromkeys(changed)) == [factor.key for factor in FACTORS]


def test_a_row_says_what_it_changes() -> None:
    table = _rows(given={"quant.bits": (8, 4)}, design="factorial")
    assert [row.changes for row in table] == [{"quant.enabled": False}, {}, {"quant.bits": 4}]


def test_without_a_baseline_the_default_stands_first() -> None:
    assert _rows(baseline=False)[0].label == "default"


def test_moved_default_comes_first_and_the_other_levels_stay() -> None:
    table = _rows(examples.experiment({"quant.bits": 4, "quant.delay": 0.33}))
    assert cells(table[1].experiment)["bits"] == "4"
    labels = [row.label for row in table]
    assert [text for text in labels if "bits" in text] == [f"quant.bits={b}" for b in (8, 16, 32)]
    assert [text for text in labels if "delay" in text] == [
        f"quant.delay={d}" for d in (0.8, 0.4, 0.5, 0.6, 0.7, 0.9)
    ]


def test_given_levels_replace_those_of_the_paper() -> None:
    given_levels = {"quant.bits": (6, 3), "train.learning_rate": (0.1, 0.2)}
    labels = [row.label for row in _rows(given=given_levels)]
    assert [text for text in labels if "bits" in text] == ["quant.bits=3"]
    assert labels[-1] == "train.learning_rate=0.2"
    assert all(row.experiment.quant.bits in (6, 3) for row in _rows(given=given_levels)[1:])


def test_given_levels_without_repeats() -> None:
    given_levels = {"quant.bits": (8, 4, 8, 4), "quant.placement": (["conv"], ["conv"], ["add"])}
    levels = levels_of(examples.experiment(), (), given_levels, True)
    assert levels == {"quant.bits": (8, 4), "quant.placement": (("conv",), ("add",))}


@pytest.mark.parametrize(
    ("chosen", "given_levels", "expected"),
    [
        (("quant.bits",), {}, ["quant.bits"]),
        (("quant.delay", "quant.op"), {}, ["quant.op", "quant.delay"]),
        ((), {}, []),
        (("quant.op",), {"quant.bits": (8, 2)}, ["quant.op", "quant.bits"]),
        (("train.steps",), {"train.steps": (5, 6)}, ["train.steps"]),
        (None, {}, [factor.key for factor in FACTORS]),
    ],
)
def test_chosen_factors(
    chosen: tuple[str, ...] | None, given_levels: dict[str, Any], expected: list[str]
) -> None:
    assert list(levels_of(examples.experiment(), chosen, given_levels, True)) == expected


def test_factorial_takes_only_given_or_chosen_factors() -> None:
    base = examples.experiment()
    assert levels_of(base, None, {}, False) == {}
    assert list(levels_of(base, ("quant.signed",), {}, False)) == ["quant.signed"]
    table = _rows(given={"quant.bits": (8, 4), "quant.signed": (True, False)}, design="factorial")
    assert [row.label for row in table] == [
        *("baseline", "default", "quant.signed=false", "quant.bits=4"),
        "quant.bits=4 quant.signed=false",
    ]


def test_unknown_chosen_factor_is_named() -> None:
    with pytest.raises(QbenchError) as error:
        levels_of(examples.experiment(), ("train.steps",), {}, True)
    assert "design.factors: train.steps is not one of the factors quant.op," in str(error.value)
    assert "train.steps=first,second" in str(error.value)


def test_a_row_that_cannot_be_run_says_why() -> None:
    table = _rows(examples.experiment({"quant.op": "fake_quant"}))
    reasons = {row.label: row.reason for row in table}
    assert reasons["default"] is None
    assert reasons["quant.op=qdq_v2"] is None
    assert "it always rounds half up" in str(reasons["quant.rounding=half_up"])
    assert reasons["quant.bits=32"] == "quant.bits=32: fake_quant takes 2 to 16 bits."
    assert sum(reason is not None for reason in reasons.values()) == 4


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "default"),
        ({"quant.bits": 4}, "quant.bits=4"),
        ({"quant.signed": False, "eval.limit": None}, "quant.signed=false eval.limit=null"),
        ({"quant.placement": ("conv", "add")}, "quant.placement=[conv,add]"),
        ({"data.note": "$a$"}, "data.note=$a$"),
        ({"data.note": "x quant.bits=4"}, "data.note='x quant.bits=4'"),
        ({"data.note": "it's\n\x1b[31m"}, 'data.note="it\'s\\n\\x1b[31m"'),
        ({"model.arguments": {"a": 1}}, "model.arguments={'a': 1}"),
    ],
)
def test_label(changes: dict[str, Any], text: str) -> None:
    assert label(changes) == text


NETWORKS = {
    "quant.bits": (8, 4),
    "model.width": (16, 8),
    "data.preprocessing": ("vgg", "inception"),
}


def test_a_float_row_for_each_network_stands_on_top_of_its_rows() -> None:
    base = examples.experiment()
    table = rows(changes_of("factorial", NETWORKS, EACH), base.with_values)
    assert [row.label for row in table] == [
        "baseline",
        "default",
        "quant.bits=4",
        "data.preprocessing=inception quant.enabled=false",
        "data.preprocessing=inception",
        "quant.bits=4 data.preprocessing=inception",
        "model.width=8 quant.enabled=false",
        "model.width=8",
        "quant.bits=4 model.width=8",
        "model.width=8 data.preprocessing=inception quant.enabled=false",
        "model.width=8 data.preprocessing=inception",
        "quant.bits=4 model.width=8 data.preprocessing=inception",
    ]
    assert [row.experiment.quant.enabled for row in table] == [False, True, True] * 4
    assert all(row.reason is None for row in table)


@given(levels=LEVELS, design=st.sampled_from(["ofat", "factorial"]))
def test_float_rows_leave_all_other_rows_as_they_are(levels: dict[str, Any], design: str) -> None:
    """Factors of a network alone: as many float rows as rows, each before its own."""
    table = changes_of(design, levels, EACH)
    assert table[1::2] == DESIGNS[design](levels)
    assert table[0::2] == [changes | {"quant.enabled": False} for changes in table[1::2]]


def test_a_float_row_that_a_factor_brings_is_not_there_twice() -> None:
    base = examples.experiment()
    table = rows(changes_of("factorial", {"quant.enabled": (True, False)}, EACH), base.with_values)
    assert [row.label for row in table] == ["baseline", "default"]


FRACTIONS = [(3, 3, 4), (4, 3, 8), (4, 4, 8), (5, 5, 16), (6, 3, 8), (6, 4, 16), (7, 3, 8)]


@pytest.mark.parametrize(("factors", "resolution", "count"), FRACTIONS)
def test_a_fraction_has_the_default_and_its_resolution(
    factors: int, resolution: int, count: int
) -> None:
    levels = {key: ("x", "y") for key in "abcdefgh"[:factors]} | {"constant": ("z",)}
    table = changes_of("fractional", levels, False, resolution)
    assert table[0] == {} and len(table) == count
    assert table == [changes for changes in factorial(levels) if changes in table]
    for group in aliases(crossed(levels, table).combinations, factors):
        sizes = sorted(len(term) for _, term in group)[:2]
        assert len(sizes) == 1 or sum(sizes) >= resolution


@pytest.mark.parametrize(
    ("design", "levels", "resolution", "said"),
    [
        ("fractional", {"a": (1, 2, 3), "b": (1, 2), "c": (1, 2)}, 3, "a has 3 levels"),
        ("fractional", {"a": (1, 2), "b": (1, 2), "c": (1,)}, 3, "with 2 factors that vary"),
        ("fractional", {"a": (1, 2)}, None, "design.resolution=null is not allowed"),
        ("factorial", {"a": (1, 2)}, 3, "design.name=factorial makes no fraction"),
    ],
)
def test_what_has_no_fraction_is_refused(
    design: str, levels: Any, resolution: int | None, said: str
) -> None:
    with pytest.raises(QbenchError, match=said):
        changes_of(design, levels, True, resolution)


def test_rows_as_combinations() -> None:
    levels = {"quant.bits": (8, 4), "train.steps": (5,), "quant.placement": (["conv"], ["add"])}
    changes = [{"quant.enabled": False}, {}, {"quant.placement": ("add",)}, {"quant.bits": 4}]
    found = crossed(levels, changes)
    assert found.levels == {"quant.bits": ("8", "4"), "quant.placement": ("[conv]", "[add]")}
    assert found.cells == (None, (0, 0), (0, 1), (1, 0)) and not found.has_crossings
    assert crossed(levels, [*changes, {"quant.bits": 4, "quant.placement": ["add"]}]).has_crossings
