"""What a run's identity must depend on, and what it must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.environment import NUMERICS
from qbench.config.experiment import Experiment
from qbench.planning.identity import graph_settings, identity, phases
from qbench.storage.records import content_id

RANGE_GIVEN = {"quant.range_given": True}
FAKE_QUANT = {"quant.op": "fake_quant"}
FLOAT = {"quant.enabled": False}
VALIDATION = {"data.validation": 0.1}

# Came after the first records; see test_records_keep_their_ids.
LATER_SETTINGS = {
    "weight_range": "symmetric_narrow",
    "granularity": "channel",
    "first_last": "8",
    "fold_batch_norm": True,
    "freeze_batch_norm": True,
    "tie_inputs": True,
}
MATTERS: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "data.name", "mnist"),
    ({}, "data.preprocessing", "inception"),
    ({}, "data.augment", True),
    ({}, "data.augment", "rand"),
    ({"data.augment": True}, "data.augment", "slim_inception"),
    ({}, "data.preprocessing", "none"),
    ({}, "data.preprocessing", "keras:VGG16"),
    ({}, "deploy.input", "int8"),
    ({"deploy.input": "int8"}, "deploy.input", "uint8"),
    (FLOAT, "deploy.input", "int8"),
    ({}, "data.resolution", 16),
    ({}, "data.slim_image_size", 16),
    ({}, "data.validation", 0.1),
    ({}, "data.validation", 150),
    (VALIDATION, "data.validation", 0.2),
    (VALIDATION, "data.validation", 1),
    (VALIDATION, "data.validation_seed", 1),
    (FLOAT | VALIDATION, "data.validation_seed", 1),
    ({}, "model.name", "resnet8"),
    ({}, "model.activation", "relu6"),
    ({}, "model.width", 8),
    ({}, "quant.enabled", False),
    ({}, "quant.op", "fake_quant"),
    ({}, "quant.rounding", "half_up"),
    ({}, "quant.bits", 4),
    ({}, "quant.weight_bits", 4),
    ({}, "quant.activation_bits", 4),
    ({}, "quant.signed", False),
    ({}, "quant.placement", ["conv"]),
    ({}, "quant.range_given", True),
    *[({}, f"quant.{name}", value) for name, value in LATER_SETTINGS.items()],
    ({}, "quant.weight_range", "narrow"),
    ({"quant.weight_range": "symmetric_narrow"}, "quant.weight_range", "narrow"),
    ({}, "quant.delay", 0.5),
    (RANGE_GIVEN, "quant.ema_decay", 0.9),
    (FAKE_QUANT, "quant.ema_decay", 0.9),
    (FAKE_QUANT, "quant.bits", 4),
    (FAKE_QUANT, "quant.placement", ["conv", "activation", "add"]),
    (FAKE_QUANT, "quant.delay", 0.4),
    ({}, "train.steps", 101),
    ({}, "train.batch_size", 32),
    ({}, "train.learning_rate", 0.1),
    ({}, "train.optimizer", examples.OPTIMIZER_EXAMPLES["adam"]),
    ({}, "train.optimizer.momentum", 0.8),
    ({}, "train.schedule", examples.SCHEDULE_EXAMPLES["constant"]),
    ({}, "train.weight_decay", 0.0),
    ({}, "train.class_weights", "balanced"),
    ({}, "train.balanced_batches", True),
    ({}, "train.jit", "on"),
    ({}, "train.log_every", 2),
    ({}, "eval.batch_size", 50),
    ({}, "eval.limit", 10),
    ({}, "threads", 1),
    ({}, "deterministic", True),
    ({}, "seeds", [1]),
    (FLOAT, "seeds", [1]),
    (FLOAT, "train.steps", 101),
]
MEANS_NOTHING: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "data.dir", "elsewhere"),
    ({}, "data.note", "a remark"),
    ({}, "data.validation", None),
    ({}, "data.validation_seed", 1),
    (VALIDATION, "data.validation_seed", 0),
    ({}, "quant.ema_decay", 0.5),
    ({}, "quant.weight_bits", 8),
    ({}, "quant.activation_bits", 8),
    ({}, "quant.delay", 0.799),
    (FAKE_QUANT, "quant.rounding", "half_up"),
    (FAKE_QUANT, "quant.signed", False),
    (FAKE_QUANT, "quant.range_given", True),
    *[
        (FLOAT, f"quant.{name}", value)
        for name, value in {
            "op": "fake_quant",
            "rounding": "half_up",
            "bits": 4,
            "weight_bits": 4,
            "activation_bits": 2,
            "signed": False,
            "placement": ["add"],
            "range_given": True,
            **LATER_SETTINGS,
            "ema_decay": 0.5,
            "delay": 0.1,
        }.items()
    ],
    ({}, "out", "elsewhere"),
    ({}, "study.name", "other"),
    ({}, "design.baseline", False),
    ({}, "design.levels", {"quant.weight_bits": [8, 4]}),
    ({}, "design.ensembles", [2]),
    ({}, "design.ensemble_draws", "rotated"),
    ({}, "model.activation", "relu"),  # what there was before it could be chosen
    ({}, "model.stem_stride", 1),
    ({}, "train.checkpoint_every", 10),
    ({}, "train.jit", "off"),
    ({"train.jit": "off"}, "train.jit", False),
    ({"train.jit": "on"}, "train.jit", True),
    ({}, "quant.first_last", "same"),
    ({}, "deploy.enabled", True),
    ({}, "deploy.calibration", None),
    ({}, "deploy.seeds", 1),
    ({}, "share", False),
    ({}, "keep_trunks", True),
    ({}, "retries", 0),
    ({}, "fail_fast", True),
    ({}, "isolate", False),
    ({}, "device", "cpu"),
    ({}, "workers", 2),
    ({}, "track", "tensorboard"),
    ({}, "budget", "2h"),
    ({}, "stop_when", "decided"),
    ({}, "job", "run-0123"),
]


def _ids(table: list[tuple[dict[str, Any], str, Any]]) -> list[str]:
    return [f"{'-'.join(base) or 'default'}:{key}" for base, key, _ in table]


def _identities(base: dict[str, Any], key: str, value: Any) -> tuple[Any, Any]:
    one, two = examples.experiment(base), examples.experiment(base | {key: value})
    return identity(one), identity(two)


@pytest.mark.parametrize(("base", "key", "value"), MATTERS, ids=_ids(MATTERS))
def test_matters(base: dict[str, Any], key: str, value: Any) -> None:
    one, two = _identities(base, key, value)
    assert one != two


@pytest.mark.parametrize(("base", "key", "value"), MEANS_NOTHING, ids=_ids(MEANS_NOTHING))
def test_means_nothing(base: dict[str, Any], key: str, value: Any) -> None:
    one, two = _identities(base, key, value)
    assert one == two


@given(
    bits=st.tuples(st.integers(1, 62), st.none() | st.integers(1, 62)),
    more=st.none() | st.integers(1, 62),
)
def test_bits_count_as_those_of_weights_and_activations(
    bits: tuple[int, int | None], more: int | None
) -> None:
    both, weight = bits
    short = {"quant.bits": both, "quant.weight_bits": weight, "quant.activation_bits": more}
    long = {
        "quant.bits": 62,
        "quant.weight_bits": both if weight is None else weight,
        "quant.activation_bits": both if more is None else more,
    }
    assert identity(examples.experiment(short)) == identity(examples.experiment(long))


@given(one=st.floats(0, 1), two=st.floats(0, 1), steps=st.integers(1, 30))
def test_delays_are_alike_exactly_when_quantization_starts_alike(
    one: float, two: float, steps: int
) -> None:
    first, second = (
        examples.experiment({"quant.delay": delay, "train.steps": steps}) for delay in (one, two)
    )
    same = first.quantization_start == second.quantization_start
    assert (identity(first) == identity(second)) == same


@pytest.mark.parametrize("base", [{}, RANGE_GIVEN, FAKE_QUANT, FLOAT])
def test_identity_is_plain_data(base: dict[str, Any]) -> None:
    content = identity(examples.experiment(base))
    assert json.loads(json.dumps(content)) == content


def test_a_run_compiled_by_xla_says_that_its_evaluation_is_too() -> None:
    """Its figures differ from those of before; its training, and so its states, do not."""
    chosen = examples.experiment({"train.jit": "on"})
    assert identity(chosen)["train"]["jit"] == "steps and evaluation"
    for phase in phases(chosen, None):
        assert json.loads(phase.content)[1]["train"]["jit"] is True


def test_a_step_is_built_from_all_but_what_counts_in_evaluation_or_never() -> None:
    config = examples.experiment().as_config()
    del config["data"]["dir"], config["data"]["note"]
    del config["train"]["log_every"], config["train"]["checkpoint_every"]
    assert graph_settings(examples.experiment()) == config | {"eval": {}}


def test_identity_of_a_float_run_has_no_quantization() -> None:
    assert "quant" not in identity(examples.experiment(FLOAT))


def test_identity_leaves_the_experiment_alone() -> None:
    experiment = examples.experiment()
    identity(experiment)
    assert experiment == examples.experiment()


@pytest.mark.parametrize("phase", [0, 1], ids=["float", "quantized"])
@pytest.mark.parametrize("key", ["data.validation", "data.validation_seed"])
def test_no_step_is_shared_by_runs_with_other_training_images(key: str, phase: int) -> None:
    one, two = examples.experiment(VALIDATION), examples.experiment(VALIDATION | {key: 7})
    assert phases(one, None)[phase].content != phases(two, None)[phase].content


@pytest.mark.parametrize("seed", [0, 3])
def test_without_a_validation_part_ids_are_those_from_before_it(seed: int) -> None:
    found = examples.experiment({"data.validation_seed": seed})
    config = examples.experiment().as_config()
    del config["data"]["validation"], config["data"]["validation_seed"]
    assert identity(found) == identity(Experiment.from_config(config))
    assert not {"validation", "validation_seed"} & set(identity(found)["data"])
    assert phases(found, None) == phases(Experiment.from_config(config), None)


@pytest.mark.parametrize("name", sorted(LATER_SETTINGS))
def test_records_keep_their_ids(name: str) -> None:
    """A setting that was not there yet is left out where it does what was done before it."""
    config = examples.experiment().as_config()
    assert name not in identity(Experiment.from_config(config))["quant"]
    del config["quant"][name]
    assert identity(Experiment.from_config(config)) == identity(examples.experiment())


def test_the_committed_records_keep_their_ids() -> None:
    """Of results/digits, on the software and the data that they were trained with."""
    runs = Path(__file__).parents[2] / "results" / "digits" / "runs"
    for folder in runs.iterdir():
        record = json.loads((folder / "record.json").read_text())
        config = json.loads((folder / "config.json").read_text())
        versions = {name: record["versions"][name] for name in ("tensorflow", "keras")}
        content = {
            "experiment": identity(Experiment.from_config(config)),
            "data": record["data"]["hash"],
            "device": record["device"]["kind"],
            "software": {"qbench": NUMERICS, **versions},
        }
        assert content_id(content) == folder.name


SAME = [
    ({"data.augment": True}, {"data.augment": "slim_vgg"}),
    ({"data.augment": True}, {"data.augment": "crop_flip"}),
    ({"data.augment": False}, {"data.augment": "none"}),
    (
        {"data.preprocessing": "inception", "data.augment": True},
        {"data.preprocessing": "inception", "data.augment": "slim_inception"},
    ),
    (
        {"data.preprocessing": "inception", "data.augment": "crop_flip"},
        {"data.preprocessing": "keras:MobileNetV2", "data.augment": True},
    ),
    (
        {"data.preprocessing": "imagenet_caffe", "data.augment": True},
        {"data.preprocessing": "keras:ResNet50", "data.augment": "crop_flip"},
    ),
    ({"data.preprocessing": "none"}, {"data.preprocessing": "keras:EfficientNetB0"}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_of_one_computation_count_as_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = (examples.experiment(values) for values in (one, other))
    assert identity(first) == identity(second)
    assert phases(first, None) == phases(second, None)
    assert first != second


def test_the_tensors_of_files_count_as_the_table_of_kinds_has_them() -> None:
    """Runs of `deploy` from before this table keep ids of their own; other placements have one."""
    found = identity(examples.experiment({"quant.placement": ["conv", "deploy"]}))
    assert found["quant"]["placement"] == ["conv", "deploy, by kinds"]
    for placement in (["contrib"], ["conv", "activation", "add", "shortcut"]):
        other = examples.experiment({"quant.placement": placement})
        assert identity(other)["quant"]["placement"] == placement


def test_both_forms_of_raw_pixels_are_trained_alike() -> None:
    one, other = (examples.experiment({"deploy.input": value}) for value in ("uint8", "int8"))
    assert phases(one, None) == phases(other, None)
    plain = phases(examples.experiment(), None)
    assert (phases(one, None)[0], phases(one, None)[1]) != plain
    assert phases(one, None)[0] == plain[0]
