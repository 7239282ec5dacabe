"""Which key of the configuration changes which steps of a run: sharing rests on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import config_examples as examples
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_schemes import registered

from qbench.base.setting import EVALUATION, NEVER, Group
from qbench.config.experiment import Experiment
from qbench.planning import effective
from qbench.planning.effective import plain_settings
from qbench.planning.factors import FACTORS, effects
from qbench.planning.identity import phases

FIRST, LATER, NOTHING = "from the first step", "quantized phase", "nothing"
FLOAT = {"quant.enabled": False}

# Key, another value of it, what it changes.
TABLE: list[tuple[str, Any, str]] = [
    ("study.name", "other", NOTHING),
    ("study.repeats", "kwasniewska2019", NOTHING),
    ("data.name", "mnist", FIRST),
    ("data.dir", "elsewhere", NOTHING),
    ("data.preprocessing", "inception", FIRST),
    ("data.augment", True, FIRST),
    ("data.augment", "none", NOTHING),  # the same as false
    ("data.resolution", 16, FIRST),
    ("data.slim_image_size", 16, FIRST),
    ("data.validation", 0.1, FIRST),
    ("data.validation_seed", 1, NOTHING),  # without a validation part
    ("data.note", "a remark", NOTHING),
    ("model.name", "resnet8", FIRST),
    ("model.blocks", 2, FIRST),
    ("model.width", 8, FIRST),
    ("model.batch_norm_momentum", 0.99, FIRST),
    ("quant.enabled", False, LATER),
    ("quant.op", "fake_quant", LATER),
    ("quant.rounding", "half_up", LATER),
    ("quant.bits", 4, LATER),
    ("quant.weight_bits", 4, LATER),
    ("quant.activation_bits", 4, LATER),
    ("quant.signed", False, LATER),
    ("quant.placement", ["conv"], LATER),
    ("quant.range_given", True, LATER),
    ("quant.weight_range", "symmetric_narrow", LATER),
    ("quant.granularity", "channel", LATER),
    ("quant.first_last", "float", LATER),
    ("quant.fold_batch_norm", True, LATER),
    ("quant.freeze_batch_norm", True, LATER),
    ("quant.tie_inputs", True, LATER),
    ("quant.ema_decay", 0.9, FIRST),  # ranges are gathered from the first step on
    ("quant.delay", 0.5, LATER),
    ("quant.scheme.name", {"name": "powers"}, LATER),
    ("train.steps", 101, FIRST),  # the schedule goes over all steps
    ("train.batch_size", 32, FIRST),
    ("train.class_weights", "balanced", FIRST),
    ("train.balanced_batches", True, FIRST),
    ("train.learning_rate", 0.1, FIRST),
    ("train.optimizer.name", examples.OPTIMIZER_EXAMPLES["adam"], FIRST),
    ("train.optimizer.momentum", 0.8, FIRST),
    ("train.optimizer.nesterov", True, FIRST),
    ("train.schedule.name", examples.SCHEDULE_EXAMPLES["constant"], FIRST),
    ("train.schedule.end_fraction", 0.1, FIRST),
    ("model.weights", "none", NOTHING),
    ("model.weights_strict", False, NOTHING),
    ("model.head", "new", NOTHING),  # without trained weights every head is new
    ("model.freeze", ["stem"], FIRST),
    ("train.weight_decay", 0.0, FIRST),
    ("train.log_every", 2, NOTHING),
    ("train.auto_every", 10, NOTHING),
    ("train.auto_patience", 3, NOTHING),
    ("train.auto_min_delta", 0.1, NOTHING),
    ("train.auto_most", 500, NOTHING),
    ("train.checkpoint_every", 10, NOTHING),
    ("train.jit", "on", FIRST),
    ("train.jit", "off", NOTHING),
    ("eval.batch_size", 50, NOTHING),
    ("eval.limit", 10, NOTHING),
    ("design.name", "factorial", NOTHING),
    ("design.baseline", False, NOTHING),
    ("design.factors", [], NOTHING),
    ("design.levels", {"quant.weight_bits": [8, 4]}, NOTHING),
    ("design.rows", [{"quant.bits": 4}], NOTHING),
    ("design.ensembles", [2], NOTHING),
    ("design.ensemble_draws", "rotated", NOTHING),
    ("design.resolution", 3, NOTHING),
    ("stats.reference", "baseline", NOTHING),
    ("stats.method", "dunnett", NOTHING),
    ("stats.margin", 1.0, NOTHING),
    ("seeds", [1], FIRST),
    ("threads", 1, FIRST),
    ("deterministic", True, FIRST),
    ("out", "elsewhere", NOTHING),
    ("deploy.enabled", True, NOTHING),
    ("deploy.input", "int8", LATER),
    ("deploy.calibration", None, NOTHING),
    ("deploy.seeds", 1, NOTHING),
    ("stats.reference", "baseline", NOTHING),
    ("stats.method", "dunnett", NOTHING),
    ("stats.margin", 1.0, NOTHING),
    ("share", False, NOTHING),
    ("keep_trunks", True, NOTHING),
    ("retries", 0, NOTHING),
    ("fail_fast", True, NOTHING),
    ("isolate", False, NOTHING),
    ("device", "cpu", NOTHING),
    ("workers", 2, NOTHING),
    ("track", "tensorboard", NOTHING),
    ("budget", "2h", NOTHING),
    ("stop_when", "decided", NOTHING),
    ("job", "run-0123", NOTHING),
]
IDS = [key for key, *_ in TABLE]


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


def _changed(key: str, value: Any, base: dict[str, Any] | None = None) -> Experiment:
    group = key.removesuffix(".name")
    if isinstance(value, dict):  # an optimizer or schedule comes with arguments of its own
        key = group
    return examples.experiment((base or {}) | {key: value})


def test_every_key_is_in_the_table_with_another_value() -> None:
    assert set(IDS) == examples.dotted_keys(examples.PLAIN)
    assert all(examples.changed({key: value}) != examples.PLAIN for key, value, _ in TABLE)


@pytest.mark.parametrize(("key", "value", "changes"), TABLE, ids=IDS)
def test_what_a_key_changes(key: str, value: Any, changes: str) -> None:
    before = phases(examples.experiment(), "common")
    after = phases(_changed(key, value), "common")
    assert [phase.name for phase in before] == ["float", "quantized"]
    assert (before[0].content == after[0].content) is (changes != FIRST)
    assert (before == after) is (changes == NOTHING)
    if changes == FIRST:
        assert before[1].content != after[1].content


@pytest.mark.parametrize(("key", "value", "changes"), TABLE, ids=IDS)
def test_what_a_key_changes_in_a_float_run(key: str, value: Any, changes: str) -> None:
    before = phases(examples.experiment(FLOAT), "common")
    after = phases(_changed(key, value, FLOAT), "common")
    assert [phase.name for phase in after] == ["float"]
    assert (before == after) is (changes != FIRST)


@pytest.mark.parametrize(("key", "value", "changes"), TABLE, ids=IDS)
def test_baseline_and_quantized_runs_share_the_float_phase(
    key: str, value: Any, changes: str
) -> None:
    quantized = phases(_changed(key, value), "common")
    baseline = phases(_changed(key, value, FLOAT), "common")
    assert baseline[0].content == quantized[0].content
    assert baseline[0].end == (101 if key == "train.steps" else 100)


def test_the_factors_say_the_same_as_the_table() -> None:
    told = {key: changes for key, _, changes in TABLE}
    told["quant.scheme"] = told["quant.scheme.name"]
    for factor in FACTORS:
        assert told[factor.key] == factor.effect
    for key, effect in effects().items():
        assert told[key] == (NOTHING if effect in (EVALUATION, NEVER) else effect)


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        (0.8, [("float", 80), ("quantized", 100)]),
        (0.0, [("float", 0), ("quantized", 100)]),
        (1.0, [("float", 100)]),
        (0.999, [("float", 100)]),
    ],
)
def test_ends_of_the_phases(delay: float, expected: list[tuple[str, int]]) -> None:
    found = phases(examples.experiment({"quant.delay": delay}), None)
    assert [(phase.name, phase.end) for phase in found] == expected


def test_delays_share_the_content_of_both_phases() -> None:
    one, two = (phases(examples.experiment({"quant.delay": d}), None) for d in (0.4, 0.9))
    assert [s.content for s in one] == [s.content for s in two]
    assert [s.end for s in one] != [s.end for s in two]


@pytest.mark.parametrize("common", [None, "other", {"data": "a", "device": "CPU"}])
def test_what_runs_have_in_common_is_in_every_phase(common: Any) -> None:
    before = phases(examples.experiment(), {"data": "a", "device": "GPU"})
    after = phases(examples.experiment(), common)
    assert all(one.content != two.content for one, two in zip(before, after, strict=True))


MEANS_NOTHING: list[tuple[dict[str, Any], str, Any]] = [
    ({"quant.op": "fake_quant"}, "quant.rounding", "half_up"),
    ({"quant.op": "fake_quant"}, "quant.signed", False),
    ({"quant.op": "fake_quant"}, "quant.range_given", True),
    ({}, "quant.weight_bits", 8),
    ({"quant.weight_bits": 4, "quant.activation_bits": 4}, "quant.bits", 16),
]


@pytest.mark.parametrize(("base", "key", "value"), MEANS_NOTHING, ids=[m[1] for m in MEANS_NOTHING])
def test_what_means_nothing_splits_nothing(base: dict[str, Any], key: str, value: Any) -> None:
    before = phases(examples.experiment(base), None)
    assert phases(examples.experiment(base | {key: value}), None) == before


@pytest.mark.parametrize("place", ["data", "model", "quant", "train", "eval", None])
def test_an_unknown_setting_of_the_future_counts_from_the_first_step(
    place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sharing too little costs time; sharing too much would be a wrong result."""

    def later_version(group: Group) -> dict[str, Any]:
        future = {"future": version[0]} if group.prefix == (place or "") else {}
        return plain_settings(group) | future

    version = [1]
    monkeypatch.setattr(effective, "plain_settings", later_version)
    before = phases(examples.experiment(), None)
    version[0] = 2
    after = phases(examples.experiment(), None)
    assert all(one.content != two.content for one, two in zip(before, after, strict=True))


GROUPS = ("train.optimizer", "train.schedule", "quant.scheme")
SINGLE = [row for row in TABLE if not row[0].startswith(GROUPS)]


@given(rows=st.lists(st.sampled_from(SINGLE), max_size=6, unique_by=lambda row: row[0]))
def test_several_changes_act_like_the_strongest(rows: list[tuple[str, Any, str]]) -> None:
    before = phases(examples.experiment(), None)
    after = phases(examples.experiment({key: value for key, value, _ in rows}), None)
    effects_there = {changes for *_, changes in rows}
    assert (before[0].content == after[0].content) is (FIRST not in effects_there)
    assert (before == after) is (effects_there <= {NOTHING})
