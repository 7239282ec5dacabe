"""Reading a configuration, writing it back, and changing single values."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment, Variants
from qbench.config.model import Model

VALUES = st.fixed_dictionaries(
    {
        "data.preprocessing": st.sampled_from(["vgg", "inception", "mean_std", "keras:VGG16"]),
        "data.augment": st.sampled_from([True, False, "none", "rand"]),
        "data.resolution": st.none() | st.integers(1, 1024),
        "data.slim_image_size": st.none() | st.integers(1, 256),
        "data.note": st.none() | st.text(max_size=5),
        "quant.op": st.sampled_from(["qdq_v2", "fake_quant"]),
        "quant.bits": st.integers(1, 62),
        "quant.weight_bits": st.none() | st.integers(1, 62),
        "quant.placement": st.permutations(["conv", "activation", "add"]).map(lambda p: p[:2]),
        "quant.delay": st.floats(0, 1),
        "quant.ema_decay": st.floats(0, 1, exclude_max=True),
        "train.optimizer": st.sampled_from(list(examples.OPTIMIZER_EXAMPLES.values())),
        "train.schedule": st.sampled_from(list(examples.SCHEDULE_EXAMPLES.values())),
        "train.learning_rate": st.floats(0, 1e300),
        "train.checkpoint_every": st.none() | st.integers(1, 10**9),
        "deterministic": st.booleans(),
        "eval.limit": st.none() | st.integers(1, 10**9),
    }
)


@given(values=VALUES)
def test_as_config_and_from_config_undo_each_other(values: dict[str, Any]) -> None:
    experiment = examples.experiment(values)
    config = experiment.as_config()
    assert Experiment.from_config(config) == experiment
    assert Experiment.from_config(json.loads(json.dumps(config))) == experiment
    assert Experiment.from_config(config).as_config() == config


def test_as_config_is_what_was_read() -> None:
    keys = ("data", "model", "quant", "train", "eval", "threads", "deterministic")
    shared = {key: examples.PLAIN[key] for key in keys}
    # The rest of these groups belongs to the command.
    deploy = {"input": "float32"}
    rest = {key: value for key, value in shared["train"].items() if not key.startswith("auto_")}
    shared["train"] = rest
    assert examples.experiment().as_config() == shared | {"seed": 0, "deploy": deploy}
    older = {key: value for key, value in shared.items() if key != "deploy"}
    assert Experiment.from_config(older) == examples.experiment()


def test_from_config_leaves_its_argument_alone() -> None:
    config = examples.experiment().as_config()
    before = json.dumps(config)
    Experiment.from_config(config)
    assert json.dumps(config) == before


CHANGES: list[tuple[str, Any]] = [
    ("seed", 7),
    ("deterministic", True),
    ("train.checkpoint_every", 50),
    ("threads", 1),
    ("data.preprocessing", "inception"),
    ("model.name", "resnet8"),
    ("model.width", 4),
    ("quant.bits", 4),
    ("quant.placement", ["conv"]),
    ("quant.delay", 0.5),
    ("train.steps", 3),
    ("train.optimizer.momentum", 0.5),
    ("train.schedule.end_fraction", 0.1),
    ("eval.limit", 10),
]


@pytest.mark.parametrize(("key", "value"), CHANGES, ids=[key for key, _ in CHANGES])
def test_with_values_changes_one_value_in_a_copy(key: str, value: Any) -> None:
    base = examples.experiment()
    before = base.as_config()
    expected = json.loads(json.dumps(before))
    *groups, name = key.split(".")
    node = expected
    for group in groups:
        node = node[group]
    node[name] = value
    assert base.with_values({key: value}).as_config() == expected
    assert base.as_config() == before


def test_with_values_of_nothing_is_the_same_experiment() -> None:
    assert examples.experiment().with_values({}) == examples.experiment()


def test_variants_are_the_same_experiments_and_share_equal_groups() -> None:
    base, variants = examples.experiment(), Variants()
    every = dict(CHANGES)
    assert variants.of(base, every) == base.with_values(every)
    assert variants.of(base, {}) is base
    one, other = (variants.of(base, {"quant.bits": 4, "threads": n}) for n in (1, 3))
    assert one.quant is other.quant and one.train is base.train
    assert (one.threads, other.threads) == (1, 3)
    assert variants.of(one, {"quant.bits": 4, "quant.delay": 0.5}).quant.delay == 0.5


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("quant.bitz", "quant.bitz is not a setting"),
        ("nothing", "nothing is not a setting"),
        ("model.arguments", "model.arguments is not a setting"),
        ("model.depth", "model.depth is not a setting"),
        ("train.optimizer.rho", "train.optimizer.rho is not a setting"),
        ("quant", "quant is not a single setting"),
        ("train.optimizer", "train.optimizer is not a single setting"),
        ("quant.bits.high", "quant.bits.high is not a single setting"),
    ],
)
def test_with_values_refuses_what_is_no_single_setting(key: str, says: str) -> None:
    for changed in (Experiment.with_values, Variants().of):
        with pytest.raises(QbenchError) as error:
            changed(examples.experiment(), {key: 1})
        assert says in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("quant.bits", 99), ("quant.placement", ["x"]), ("train.optimizer.momentum", 3), ("seed", -1)],
)
def test_with_values_checks_the_new_value(key: str, value: Any) -> None:
    with pytest.raises(QbenchError, match=f"{key}=.* is not allowed"):
        examples.experiment().with_values({key: value})


STARTS = [
    (0.8, 800, 640),
    (0.07, 100, 7),  # 0.07 * 100 is 7.000000000000001 in binary
    (0.29, 100, 29),
    (0.0, 100, 0),
    (1.0, 100, 100),
    (0.8, 1, 1),
    (0.5, 3, 2),
    (1e-9, 10, 1),
]


@pytest.mark.parametrize(("delay", "steps", "start"), STARTS)
def test_quantization_starts_after_the_delay_rounded_up(
    delay: float, steps: int, start: int
) -> None:
    experiment = examples.experiment({"quant.delay": delay, "train.steps": steps})
    assert experiment.quantization_start == start


@given(percent=st.integers(0, 100), steps=st.integers(1, 10**7))
def test_whole_percents_are_exact(percent: int, steps: int) -> None:
    experiment = examples.experiment({"quant.delay": percent / 100, "train.steps": steps})
    assert experiment.quantization_start == math.ceil(Fraction(percent, 100) * steps)


def test_float_run_never_starts_quantization() -> None:
    assert examples.experiment({"quant.enabled": False}).quantization_start == 100


@pytest.mark.parametrize(
    ("weight", "activation", "expected"),
    [(None, None, (8, 8)), (4, None, (4, 8)), (None, 4, (8, 4)), (2, 3, (2, 3))],
)
def test_bits_of_weights_and_activations(
    weight: int | None, activation: int | None, expected: tuple[int, int]
) -> None:
    quant = examples.experiment(
        {"quant.weight_bits": weight, "quant.activation_bits": activation}
    ).quant
    assert (quant.bits_of_weights, quant.bits_of_activations) == expected


@pytest.mark.parametrize(
    ("out", "root"), [(None, Path("outputs") / "digits"), ("some/place", Path("some/place"))]
)
def test_root_of_the_results(out: str | None, root: Path) -> None:
    assert examples.settings({"out": out}).root == root


def test_an_older_or_newer_configuration_is_told_what_it_lacks_or_has() -> None:
    config = examples.experiment().as_config()
    del config["eval"]
    with pytest.raises(QbenchError) as error:
        Experiment.from_config(config)
    assert str(error.value) == "eval is missing; give it a value."
    with pytest.raises(QbenchError) as error:
        Experiment.from_config(examples.experiment().as_config() | {"thread": 1})
    assert str(error.value) == (
        "thread is not a setting; did you mean threads? Allowed: data, model, quant, train, eval,"
        " deploy, threads, deterministic, seed."
    )


def test_a_model_has_one_key_however_its_arguments_are_written() -> None:
    key = Model(name="mine", arguments={"width": 8, "blocks": [1, 2]}).as_key()
    assert Model(name="mine", arguments={"blocks": (1, 2), "width": 8}).as_key() == key
    others = [("yours", {"width": 8, "blocks": [1, 2]}), ("mine", {"width": 8, "blocks": [2, 1]})]
    for name, arguments in others:
        assert Model(name=name, arguments=arguments).as_key() != key
