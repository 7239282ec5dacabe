"""Combinations that cannot be run, and the sentence that says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import config_examples as examples
import pytest

from qbench.planning.factors import FACTORS, cells, has_setting, impossible
from qbench.quantize.ops import OPS
from qbench.quantize.scheme import scheme_of

FAKE = {"quant.op": "fake_quant"}
UNSIGNED = {"quant.signed": False}
NO_CODES = (
    "quant.granularity=channel: needs quant.signed=true or quant.weight_range=symmetric_narrow with"
    " qdq_v2, which has no unsigned codes for a channel without positive values and makes"
    " infinities of them."
)

BALANCED = {"train.class_weights": "balanced", "train.balanced_batches": True}
TWICE = (
    "train.class_weights=balanced: train.balanced_batches=true balances the classes already; set"
    " one of the two."
)
SLIM = {"data.slim_image_size": 224}
NOT_SLIMS = "data.slim_image_size=224: slim has no data.preprocessing"
IMPOSSIBLE: list[tuple[dict[str, Any], list[str], str]] = [
    (
        SLIM | {"data.resolution": 32},
        [],
        "data.slim_image_size=224: data.resolution=32 sets another size; set one of the two.",
    ),
    (
        SLIM | {"data.preprocessing": "scale", "quant.enabled": False},
        [],
        f"{NOT_SLIMS}=scale; expected vgg or inception.",
    ),
    (
        SLIM | {"data.preprocessing": "keras:MobileNetV2"},
        [],
        f"{NOT_SLIMS}=keras:MobileNetV2; expected vgg or inception.",
    ),
    (
        SLIM | {"data.augment": "crop_flip"},
        [],
        "data.slim_image_size=224: data.augment=crop_flip is not part of slim's vgg; expected true,"
        " false or slim_vgg.",
    ),
    (
        {"deploy.input": "uint8"},
        [],
        "deploy.input=uint8: data.preprocessing=vgg does not map raw pixels to codes with one scale"
        " and a whole zero point; none and scale do.",
    ),
    (BALANCED, [], TWICE),
    (BALANCED | {"quant.enabled": False}, [], TWICE),
    (FAKE | {"quant.bits": 17}, [], "quant.bits=17: fake_quant takes 2 to 16 bits."),
    (FAKE | {"quant.bits": 32}, [], "quant.bits=32: fake_quant takes 2 to 16 bits."),
    (FAKE | {"quant.bits": 1}, [], "quant.bits=1: fake_quant takes 2 to 16 bits."),
    (FAKE | {"quant.weight_bits": 1}, [], "quant.weight_bits=1: fake_quant takes 2 to 16 bits."),
    (
        FAKE | {"quant.activation_bits": 17},
        [],
        "quant.activation_bits=17: fake_quant takes 2 to 16 bits.",
    ),
    (
        FAKE | {"quant.rounding": "half_up"},
        ["quant.rounding"],
        "quant.rounding=half_up: fake_quant has no such setting, it always rounds half up.",
    ),
    (
        FAKE | {"quant.rounding": "half_to_even"},
        ["quant.rounding"],
        "quant.rounding=half_to_even: fake_quant has no such setting, it always rounds half up.",
    ),
    (
        FAKE | {"quant.signed": False},
        ["quant.op", "quant.signed"],
        "quant.signed=false: fake_quant has no such setting, its codes are unsigned, with a zero"
        " point.",
    ),
    (
        FAKE | {"quant.range_given": True},
        ["quant.range_given"],
        "quant.range_given=true: fake_quant has no such setting, it always needs a range.",
    ),
    ({"quant.bits": 62}, [], "quant.bits=62: qdq_v2 takes 1 to 61 bits."),
    (  # the codes of a symmetric kernel are signed
        UNSIGNED | {"quant.bits": 62, "quant.weight_range": "symmetric_narrow"},
        [],
        "quant.bits=62: qdq_v2 takes 1 to 61 bits.",
    ),
    (
        {"quant.activation_bits": 62},
        ["quant.activation_bits"],
        "quant.activation_bits=62: qdq_v2 takes 1 to 61 bits.",
    ),
    (
        {"quant.bits": 1, "quant.weight_range": "symmetric_narrow"},
        [],
        "quant.weight_range=symmetric_narrow: takes kernels of 2 bits or more.",
    ),
    (
        {"quant.weight_bits": 1, "quant.weight_range": "symmetric_narrow"},
        ["quant.weight_range"],
        "quant.weight_range=symmetric_narrow: takes kernels of 2 bits or more.",
    ),
    (
        {"quant.weight_bits": 1, "quant.weight_range": "narrow"},
        [],
        "quant.weight_range=narrow: takes kernels of 2 bits or more.",
    ),
    (
        UNSIGNED | {"quant.weight_range": "narrow"},
        [],
        "quant.weight_range=narrow: needs quant.signed=true with qdq_v2, whose unsigned codes have"
        " no lowest one to leave out.",
    ),
    (UNSIGNED | {"quant.granularity": "channel"}, [], NO_CODES),
    (UNSIGNED | {"quant.granularity": "channel", "quant.range_given": True}, [], NO_CODES),
    (
        {"quant.tie_inputs": True},
        [],
        "quant.tie_inputs=true: needs moving averages; set quant.range_given=true or"
        " quant.op=fake_quant.",
    ),
]
POSSIBLE: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({}, ["quant.rounding", "quant.signed", "quant.range_given", "quant.ema_decay"]),
    ({"quant.bits": 1}, ["quant.bits"]),
    ({"quant.bits": 61}, ["quant.bits"]),
    ({"quant.bits": 62, "quant.signed": False}, ["quant.bits", "quant.signed"]),
    (FAKE | {"quant.bits": 2}, ["quant.bits"]),
    (FAKE | {"quant.bits": 16}, ["quant.bits"]),
    (FAKE | {"quant.rounding": "half_up", "quant.range_given": True}, ["quant.op"]),
    (FAKE, ["quant.ema_decay", "quant.delay", "quant.placement", "quant", "train.steps"]),
    (FAKE | {"quant.bits": 32, "quant.weight_bits": 4, "quant.activation_bits": 4}, []),
    ({"quant.weight_bits": 2, "quant.weight_range": "symmetric_narrow"}, []),
    ({"quant.activation_bits": 1, "quant.weight_range": "symmetric_narrow"}, []),
    ({"quant.weight_bits": 2, "quant.weight_range": "narrow"}, []),
    (
        UNSIGNED | {"quant.granularity": "channel", "quant.weight_range": "symmetric_narrow"},
        [],
    ),
    (UNSIGNED | FAKE | {"quant.granularity": "channel", "quant.weight_range": "narrow"}, []),
    ({"quant.granularity": "channel"}, []),
    (FAKE | {"quant.enabled": False, "quant.bits": 32}, ["quant.rounding", "quant.bits"]),
]


@pytest.mark.parametrize(("values", "explicit", "reason"), IMPOSSIBLE)
def test_impossible(values: dict[str, Any], explicit: list[str], reason: str) -> None:
    assert impossible(examples.experiment(values), explicit) == reason


def test_an_op_may_take_some_roundings_and_lack_settings_without_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    experiment, op = examples.experiment(), OPS["qdq_v2"]
    some = replace(op, roundings=("up", "down"), settings=op.settings - {"signed"})
    monkeypatch.setitem(OPS._items, "qdq_v2", some)
    said = "quant.rounding=half_to_even: qdq_v2 takes up or down."
    assert impossible(experiment, []) == said
    said = "quant.signed=true: qdq_v2 has no such setting."
    assert impossible(experiment, ["quant.signed"]) == said


@pytest.mark.parametrize(("values", "explicit"), POSSIBLE)
def test_possible(values: dict[str, Any], explicit: list[str]) -> None:
    assert impossible(examples.experiment(values), explicit) is None


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        ({}, "quant.rounding", True),
        (FAKE, "quant.rounding", False),
        (FAKE, "quant.signed", False),
        (FAKE, "quant.range_given", False),
        (FAKE, "quant.bits", True),
        (FAKE, "data.preprocessing", True),
        ({"quant.enabled": False}, "quant.bits", False),
        ({"quant.enabled": False}, "data.preprocessing", True),
    ],
)
def test_has_setting(values: dict[str, Any], key: str, expected: bool) -> None:
    assert has_setting(examples.experiment(values), key) is expected


def test_an_op_must_take_the_bits_of_the_edges_too(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(OPS["qdq_v2"], min_bits=2, max_bits=(4, 4))
    monkeypatch.setitem(OPS._items, "small", small)
    values = {"quant.op": "small", "quant.bits": 4}
    assert impossible(examples.experiment(values), []) is None
    assert impossible(examples.experiment(values | {"quant.first_last": "float"}), []) is None
    reason = impossible(examples.experiment(values | {"quant.first_last": "8"}), [])
    assert reason == "quant.first_last=8: small takes 2 to 4 bits."


def test_a_setting_that_an_op_does_not_have_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Inherited, it stands in no identity; so an op that measures every range goes on to do so."""
    measuring = replace(OPS["qdq_v2"], settings=OPS["qdq_v2"].settings - {"range_given"})
    monkeypatch.setitem(OPS._items, "measuring", measuring)
    plain, inherited = (
        scheme_of(examples.experiment({"quant.op": "measuring"} | given).quant)
        for given in ({}, {"quant.range_given": True})
    )
    assert plain == inherited
    tied = {"quant.op": "measuring", "quant.range_given": True, "quant.tie_inputs": True}
    assert str(impossible(examples.experiment(tied), [])).startswith("quant.tie_inputs=true: needs")


def test_cells_of_mixed_bits_and_odd_delays() -> None:
    values = {"quant.weight_bits": 4, "quant.delay": 0.375}
    shown = cells(examples.experiment(values))
    assert shown["bits"] == "w4/a8"
    assert shown["delay_pct"] == "37.5"


def test_cells_of_a_float_run_are_empty() -> None:
    shown = cells(examples.experiment({"quant.enabled": False}))
    assert list(shown) == [factor.column for factor in FACTORS]
    assert set(shown.values()) == {""}


@pytest.mark.parametrize(
    ("key", "level"),
    [(factor.key, level) for factor in FACTORS for level in factor.levels],
    ids=lambda value: str(value),
)
def test_every_level_of_the_table_can_be_run(key: str, level: Any) -> None:
    experiment = examples.experiment().with_values({key: level})
    assert impossible(experiment, [key]) is None
