"""Every value that is not allowed is refused in one line with key, value and what is allowed."""

from __future__ import annotations

import copy
from typing import Any

import config_examples as examples
import pytest

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.data import load
from qbench.models import build_model
from qbench.planning.settings import Settings
from qbench.tasks.classification import Classification

NAN, INFINITY = float("nan"), float("inf")
WHOLE, NUMBER, SWITCH = "a whole number", "a number", "true or false"
UP_TO_62 = "a whole number from 1 to 62"
PLACEMENT = "a list, without repeats, of conv, activation, add, shortcut, deploy or contrib"
PREPROCESSINGS = "vgg, inception, none, scale, imagenet_torch, imagenet_caffe or mean_std"
AUGMENTATIONS = "true or false, or none, crop_flip, slim_vgg, slim_inception, rand"
FROM_0 = "a number of at least 0"
FROM_1 = "a whole number of at least 1"
SHARE = "a share above 0 and below 1, or a whole number of at least 1"
UP_TO_1 = "a number from 0 to 1"
SGD, COSINE = examples.OPTIMIZER_EXAMPLES["sgd"], examples.SCHEDULE_EXAMPLES["cosine"]

# key, value, the value as the message shows it, what the message says is allowed
WRONG: list[tuple[str, Any, str, str]] = [
    ("study.name", None, "null", "a name without '/'"),
    ("study.name", "a/b", "a/b", "a name without '/'"),
    ("study.name", "", "''", "a name without '/'"),
    ("study.repeats", "mine", "mine", "kwasniewska2019"),
    ("data.dir", 5, "5", "a text or null"),
    ("data.name", [1], "[1]", "a name"),
    ("data.name", {"a": 1}, "{'a': 1}", "a name"),
    ("data.preprocessing", "lenet", "lenet", PREPROCESSINGS),
    ("data.preprocessing", None, "null", PREPROCESSINGS),
    ("data.preprocessing", "keras:LeNet", "keras:LeNet", "keras: and the name of a network of"),
    ("data.augment", "yes", "yes", AUGMENTATIONS),
    ("data.augment", 1, "1", AUGMENTATIONS),
    ("data.augment", None, "null", AUGMENTATIONS),
    ("data.resolution", 0, "0", "a whole number from 1 to 1024"),
    ("data.resolution", "224px", "224px", "a whole number from 1 to 1024"),
    ("data.slim_image_size", 257, "257", "a whole number from 1 to 256"),
    ("data.validation", 0, "0", SHARE),
    ("data.validation", -1, "-1", SHARE),
    ("data.validation", 0.0, "0.0", SHARE),
    ("data.validation", 1.0, "1.0", SHARE),
    ("data.validation", 500.0, "500.0", SHARE),
    ("data.validation", NAN, "nan", SHARE),
    ("data.validation", True, "true", SHARE),
    ("data.validation", "10%", "10%", SHARE),
    ("data.validation", "0.1", "'0.1'", SHARE),
    ("data.validation_seed", -1, "-1", f"{WHOLE} from 0 to 2147483647"),
    ("data.validation_seed", None, "null", f"{WHOLE} from 0 to 2147483647"),
    ("data.note", 3.5, "3.5", "a text or null"),
    ("model.name", None, "null", "a name"),
    ("model.name", 20, "20", "a name"),
    ("model.weights", 5, "5", "the path of a file"),
    ("model.weights", "", "''", "the path of a file"),
    ("model.weights_strict", "yes", "yes", SWITCH),
    ("model.head", "old", "old", "keep or new"),
    ("model.freeze", [1], "[1]", "a list of names such as [stem,stage1_*]"),
    ("model.freeze", [""], "[]", "a list of names such as [stem,stage1_*]"),
    ("model.freeze", None, "null", "a list of names such as [stem,stage1_*]"),
    ("quant.enabled", "on", "on", SWITCH),
    ("quant.enabled", None, "null", SWITCH),
    ("quant.op", "qdq_v3", "qdq_v3", "qdq_v2 or fake_quant"),
    ("quant.op", 2, "2", "qdq_v2 or fake_quant"),
    ("quant.rounding", "half_down", "half_down", "half_to_even or half_up"),
    ("quant.bits", 0, "0", UP_TO_62),
    ("quant.bits", 63, "63", UP_TO_62),
    ("quant.bits", 8.0, "8.0", UP_TO_62),
    ("quant.bits", True, "true", UP_TO_62),
    ("quant.bits", None, "null", UP_TO_62),
    ("quant.weight_bits", 63, "63", UP_TO_62),
    ("quant.weight_bits", "four", "four", UP_TO_62),
    ("quant.activation_bits", 0, "0", f"{UP_TO_62}, float or null"),
    ("quant.activation_bits", True, "true", f"{UP_TO_62}, float or null"),
    ("quant.activation_bits", "floats", "floats", f"{UP_TO_62}, float or null"),
    ("quant.signed", 0, "0", SWITCH),
    ("quant.placement", "conv", "conv", PLACEMENT),
    ("quant.placement", [], "[]", PLACEMENT),
    ("quant.placement", ["conv", "conv"], "[conv,conv]", PLACEMENT),
    ("quant.placement", ["conv", "pool"], "[conv,pool]", PLACEMENT),
    ("quant.placement", None, "null", PLACEMENT),
    ("quant.placement", [["conv"]], "[[conv]]", PLACEMENT),
    ("quant.range_given", "no", "no", SWITCH),
    ("quant.weight_range", "symmetric", "symmetric", "op, narrow or symmetric_narrow"),
    ("quant.granularity", "row", "row", "tensor or channel"),
    ("quant.first_last", 4, "4", "same, 8 or float"),
    ("quant.first_last", None, "null", "same, 8 or float"),
    ("quant.fold_batch_norm", "yes", "yes", SWITCH),
    ("quant.freeze_batch_norm", 1, "1", SWITCH),
    ("quant.tie_inputs", None, "null", SWITCH),
    ("quant.ema_decay", 1.0, "1.0", "a number from 0 to 1 (not included)"),
    ("quant.ema_decay", -0.1, "-0.1", "a number from 0 to 1 (not included)"),
    ("quant.ema_decay", NAN, "nan", "a number from 0 to 1 (not included)"),
    ("quant.delay", 1.01, "1.01", UP_TO_1),
    ("quant.delay", -0.01, "-0.01", UP_TO_1),
    ("quant.delay", 80, "80", UP_TO_1),
    ("quant.delay", "80%", "80%", UP_TO_1),
    ("quant.delay", NAN, "nan", UP_TO_1),
    ("train.steps", 0, "0", f"{FROM_1}, or auto"),
    ("train.steps", 10.5, "10.5", f"{FROM_1}, or auto"),
    ("train.steps", False, "false", f"{FROM_1}, or auto"),
    ("train.steps", "atuo", "atuo", f"{FROM_1}, or auto"),
    ("train.auto_every", 0, "0", FROM_1),
    ("train.auto_every", 200_000, "200000", "at most 100000, the value of train.auto_most"),
    ("train.auto_patience", 0, "0", FROM_1),
    ("train.auto_min_delta", -0.5, "-0.5", FROM_0),
    ("train.auto_most", 0, "0", FROM_1),
    ("train.batch_size", -1, "-1", FROM_1),
    ("train.batch_size", None, "null", FROM_1),
    ("train.learning_rate", -0.1, "-0.1", FROM_0),
    ("train.learning_rate", INFINITY, "inf", FROM_0),
    ("train.learning_rate", "fast", "fast", FROM_0),
    ("train.learning_rate", True, "true", FROM_0),
    ("train.weight_decay", -1e-4, "-0.0001", FROM_0),
    ("train.weight_decay", None, "null", FROM_0),
    ("train.class_weights", "inverse", "inverse", "none or balanced"),
    ("train.class_weights", True, "true", "none or balanced"),
    ("train.balanced_batches", 1, "1", SWITCH),
    ("train.log_every", 0, "0", FROM_1),
    ("train.checkpoint_every", 0, "0", FROM_1),
    ("workers", 0, "0", "a whole number from 1 to 1024"),
    ("track", "wandb", "wandb", "tensorboard"),
    ("workers", "all", "all", "a whole number from 1 to 1024"),
    ("train.checkpoint_every", "often", "often", FROM_1),
    ("train.jit", "fast", "fast", "auto, on or off"),
    ("train.jit", None, "null", "auto, on or off"),
    ("train.optimizer.name", "sdg", "sdg", "sgd, adam or rmsprop"),
    ("train.optimizer.name", None, "null", "a name"),
    ("train.optimizer.momentum", 1.5, "1.5", UP_TO_1),
    ("train.optimizer.nesterov", 0.0, "0.0", SWITCH),
    ("train.schedule.name", "cosin", "cosin", "constant, cosine or exponential"),
    ("quant.scheme.name", "unifrom", "unifrom", "uniform"),
    ("train.schedule.end_fraction", -0.5, "-0.5", UP_TO_1),
    ("eval.batch_size", 0, "0", FROM_1),
    ("eval.limit", 0, "0", FROM_1),
    ("eval.limit", "all", "all", FROM_1),
    ("design.name", "ofatt", "ofatt", "ofat, factorial or fractional"),
    ("design.baseline", "yes", "yes", SWITCH),
    ("design.baseline", "all", "all", "true or false, or each"),
    ("design.factors", [1], "[1]", "null or a list of keys"),
    ("design.factors", 5, "5", "null or a list of keys"),
    ("design.resolution", 2, "2", "a whole number from 3 to 5"),
    ("design.resolution", "III", "III", "a whole number from 3 to 5"),
    ("design.rows", 5, "5", "a list of rows, each with keys and a value for each"),
    ("design.rows", [{}], "[{}]", "a list of rows, each with keys and a value for each"),
    ("design.ensembles", "all", "all", "a list of whole numbers such as [2,3,5]"),
    ("design.ensembles", None, "null", "a list of whole numbers such as [2,3,5]"),
    ("design.ensembles", [2, 0], "0", "a whole number of at least 1"),
    ("design.ensembles", [2, 2.5], "2.5", "a whole number of at least 1"),
    ("design.ensembles", [True], "true", "a whole number of at least 1"),
    ("design.ensemble_draws", "all", "all", "disjoint or rotated"),
    ("design.ensembles", [2, 3, 2], "[2,3,2]", "a list without repeats"),
    ("design.levels", [8, 4], "[8,4]", "null or keys with a list of levels each"),
    ("stats.reference", 5, "5", "a text or null"),
    ("stats.method", "tukey", "tukey", "paired or dunnett"),
    ("stats.margin", -0.1, "-0.1", FROM_0),
    ("stats.margin", "0.5 %", "0.5 %", FROM_0),
    ("seeds", [], "[]", "a list of whole numbers"),
    ("seeds", None, "null", "a list of whole numbers"),
    ("seeds", "0", "'0'", "a list of whole numbers"),
    ("seeds", [0, 1, 0], "[0,1,0]", "a list without repeats"),
    ("seeds", [-1], "-1", WHOLE),
    ("seeds", [2**31], str(2**31), WHOLE),
    ("seeds", [True], "true", WHOLE),
    ("seeds", [0.5], "0.5", WHOLE),
    ("threads", 0, "0", "a whole number from 1 to 1024"),
    ("threads", 1025, "1025", "a whole number from 1 to 1024"),
    ("threads", "two", "two", "a whole number from 1 to 1024"),
    ("out", 7, "7", "a text or null"),
    ("deterministic", "yes", "yes", SWITCH),
    ("deterministic", None, "null", SWITCH),
    ("deploy.input", "int16", "int16", "float32, uint8 or int8"),
    ("deploy.input", None, "null", "float32, uint8 or int8"),
    ("deploy.enabled", "yes", "yes", SWITCH),
    ("deploy.calibration", "images", "images", "representative"),
    ("deploy.seeds", 0, "0", "a whole number of at least 1"),
    ("deploy.seeds", True, "true", "a whole number of at least 1"),
    ("share", 1, "1", SWITCH),
    ("keep_trunks", "all", "all", SWITCH),
    ("retries", -1, "-1", "a whole number from 0 to 100"),
    ("retries", 1.0, "1.0", "a whole number from 0 to 100"),
    ("retries", True, "true", "a whole number from 0 to 100"),
    ("fail_fast", 0, "0", SWITCH),
    ("isolate", None, "null", SWITCH),
    *[
        ("budget", value, str(value), "a time above 0 such as 2h, 90m, 3600s or 1h30m")
        for value in (0, 3600, "0s", "abc", "30m1h", "-2h", "2 h", "h")
    ],
    ("stop_when", "foo", "foo", "decided"),
    ("device", "tpu", "tpu", "auto, cpu or gpu"),
    ("device", 0, "0", "auto, cpu or gpu"),
]
# A name whose meaning is looked up later, arguments that belong to a model's builder, and the job
# that qbench itself names for its launcher.
LOOKED_UP_LATER = {
    *("data.name", "model.blocks", "model.width", "model.batch_norm_momentum", "job"),
}


@pytest.mark.parametrize(
    ("key", "value", "shown", "allowed"), WRONG, ids=[f"{k}={s}" for k, _, s, _ in WRONG]
)
def test_wrong_value_is_named_with_what_is_allowed(
    key: str, value: Any, shown: str, allowed: str
) -> None:
    config = examples.changed({key: value})
    with pytest.raises(QbenchError) as error:
        Settings.from_config(config)
    assert f"{key}={shown} is not allowed: expected " in str(error.value)
    assert allowed in str(error.value)
    assert examples.is_one_line(error)


def test_the_table_has_a_wrong_value_for_every_key() -> None:
    tested = {key for key, *_ in WRONG}
    assert tested | LOOKED_UP_LATER == examples.dotted_keys(examples.PLAIN)


WRONG_ARGUMENTS = [
    ("optimizer", "adam", "beta_1", 1.1, UP_TO_1),
    ("optimizer", "adam", "beta_2", -0.1, UP_TO_1),
    ("optimizer", "adam", "epsilon", -1e-7, FROM_0),
    ("optimizer", "rmsprop", "rho", 2, UP_TO_1),
    ("optimizer", "rmsprop", "momentum", "a", UP_TO_1),
    ("optimizer", "rmsprop", "epsilon", None, FROM_0),
    ("schedule", "exponential", "factor", 1.5, UP_TO_1),
    ("schedule", "exponential", "every", 0, FROM_1),
    ("schedule", "exponential", "every", 2.5, FROM_1),
]


@pytest.mark.parametrize(
    ("group", "choice", "name", "value", "allowed"),
    WRONG_ARGUMENTS,
    ids=[f"{c}.{n}={v}" for _, c, n, v, _ in WRONG_ARGUMENTS],
)
def test_wrong_argument_of_other_choices(
    group: str, choice: str, name: str, value: Any, allowed: str
) -> None:
    table = {"optimizer": examples.OPTIMIZER_EXAMPLES, "schedule": examples.SCHEDULE_EXAMPLES}
    arguments = table[group][choice] | {name: value}
    with pytest.raises(QbenchError) as error:
        examples.settings({f"train.{group}": arguments})
    assert f"train.{group}.{name}=" in str(error.value)
    assert f"expected {allowed}" in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("study", "digits"),
        ("data", None),
        ("data", "digits"),
        ("model", "resnet8"),
        ("model", None),
        ("quant", [1]),
        ("train", 3),
        ("eval", None),
        ("design", "ofat"),
        ("train.optimizer", "adam"),
        ("train.optimizer", None),
        ("train.schedule", "cosine"),
        ("train.schedule", ["cosine"]),
        ("train.optimizer", {}),
        ("train.steps", {"name": "many"}),
        ("quant.op", {"name": "qdq_v2"}),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(key: str, value: Any) -> None:
    config = examples.changed({key: value})
    with pytest.raises(QbenchError) as error:
        Settings.from_config(config)
    assert str(error.value).startswith(key)
    assert examples.is_one_line(error)


@pytest.mark.parametrize("levels", [8, [], None, "8,4", {"a": 1}])
def test_levels_of_a_factor_are_a_list(levels: Any) -> None:
    with pytest.raises(QbenchError) as error:
        examples.settings({"design.levels": {"quant.weight_bits": levels}})
    assert str(error.value).startswith("design.levels.quant.weight_bits=")
    assert "expected a list of levels." in str(error.value)


@pytest.mark.parametrize(
    ("name", "hint"), [("minst", "Did you mean 'mnist'?"), (5, ""), (None, "")]
)
def test_unknown_data_set_is_named(name: Any, hint: str) -> None:
    with pytest.raises(QbenchError) as error:
        config = examples.changed({"data.name": name})
        load(Settings.from_config(config).base.data.name, None)
    assert str(error.value).startswith("data.name=")
    assert hint in str(error.value)


def test_unknown_model_is_named() -> None:
    model = examples.experiment({"model.name": "resnet9"}).model
    with pytest.raises(QbenchError, match=r"model\.name=resnet9 is not known.*'resnet8'"):
        build_model(model.name, model.arguments, (8, 8, 1), Classification(10))


@pytest.mark.parametrize("seed", [-1, 2**31, None, "0"])
def test_seed_of_an_experiment(seed: Any) -> None:
    config = copy.deepcopy(examples.experiment().as_config()) | {"seed": seed}
    with pytest.raises(QbenchError, match=r"seed=.* a whole number from 0 to 2147483647"):
        Experiment.from_config(config)


@pytest.mark.parametrize(("seeds", "expected"), [(3, (3,)), ([4, 2], (4, 2)), ((0,), (0,))])
def test_seeds_may_be_one_or_several(seeds: Any, expected: tuple[int, ...]) -> None:
    read = examples.settings({"seeds": seeds})
    assert read.seeds == expected
    assert read.base.seed == expected[0]
