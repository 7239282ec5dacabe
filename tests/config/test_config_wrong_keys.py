"""Keys that are unknown or missing are named, with a hint."""

from __future__ import annotations

import config_examples as examples
import pytest

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.planning.settings import Settings

UNKNOWN = [
    ("data.dirr", "did you mean data.dir?"),
    (
        "data.colour",
        "Allowed: name, dir, preprocessing, augment, resolution, slim_image_size,"
        " validation, validation_seed, note.",
    ),
    ("quant.bit", "did you mean quant.bits?"),
    ("quant.zzz", "Allowed: enabled, op, rounding, bits"),
    ("train.learning_rat", "did you mean train.learning_rate?"),
    ("train.optimizer.momentun", "train.optimizer.momentum"),
    ("train.schedule.factor", "is not a setting of cosine"),
    ("eval.batchsize", "did you mean eval.batch_size?"),
    ("design.factor", "did you mean design.factors?"),
    ("sedes", "did you mean seeds?"),
    ("trian", "did you mean train?"),
]


@pytest.mark.parametrize(("key", "hint"), UNKNOWN, ids=[key for key, _ in UNKNOWN])
def test_unknown_key_is_named_with_a_hint(key: str, hint: str) -> None:
    config = examples.changed({key: 1})
    with pytest.raises(QbenchError) as error:
        Settings.from_config(config)
    assert str(error.value).startswith(f"{key} is not a setting")
    assert hint in str(error.value)
    assert examples.is_one_line(error)


def test_unknown_key_of_an_experiment_itself() -> None:
    config = examples.experiment().as_config() | {"threds": 3}
    with pytest.raises(QbenchError, match=r"threds is not a setting; did you mean threads\?"):
        Experiment.from_config(config)


REQUIRED = [
    *("study", "data", "model", "quant", "train", "eval", "design", "seeds", "threads"),
    *("deterministic", "share", "keep_trunks", "retries", "fail_fast", "isolate", "device"),
    *("workers", "budget", "stop_when", "deploy", "deploy.enabled", "deploy.calibration"),
    *("deploy.seeds", "track"),
    *("study.name", "data.name", "model.name", "train.steps", "train.batch_size"),
    *("train.learning_rate", "train.optimizer", "train.schedule", "train.optimizer.name"),
    *("design.name", "design.baseline", "design.factors", "design.levels"),
    *("design.ensembles", "design.ensemble_draws"),
]


@pytest.mark.parametrize("key", REQUIRED)
def test_missing_key_is_named(key: str) -> None:
    """As after `~train.steps` or `data=null` on the command line."""
    with pytest.raises(QbenchError) as error:
        Settings.from_config(examples.without(key))
    assert key in str(error.value)


OPTIONAL = [
    "data.dir",
    "data.note",
    "data.augment",
    "data.resolution",
    "data.slim_image_size",
    "quant.bits",
    "train.weight_decay",
]


@pytest.mark.parametrize(
    "key",
    [*OPTIONAL, "job", "train.log_every", "train.checkpoint_every", "eval.limit", "model.blocks"],
)
def test_key_with_a_default_may_be_left_out(key: str) -> None:
    assert isinstance(Settings.from_config(examples.without(key)), Settings)
