"""The shipped configuration: every choice composes, and everything registered can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.base.model_names import KERAS_APPLICATION, KERAS_FILE
from qbench.base.paths import config_folder
from qbench.cli.hydra_app import settings_of
from qbench.cli.known import known_keys
from qbench.cli.outside import OWN
from qbench.data import DATASETS
from qbench.models import MODELS, build_model
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES
from qbench.planning.designs import DESIGNS
from qbench.planning.execution import Engine
from qbench.planning.settings import Settings
from qbench.quantize.ops import OPS
from qbench.quantize.scheme import scheme_of
from qbench.schemes import SCHEMES
from qbench.tasks.classification import Classification

GROUPS = (
    *("data", "model", "design", "study", "quant", "quant/scheme"),
    *("train", "train/optimizer", "train/schedule"),
)


def _choices(group: str) -> list[str]:
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


# `own` names no file yet; a scheme's arguments are checked with its code, as soon as it is named.
NAMELESS = ("quant/scheme", "own")
ALL = [(group, name) for group in GROUPS for name in _choices(group) if (group, name) != NAMELESS]


@pytest.fixture(scope="module", autouse=True)
def _hydra() -> Iterator[None]:
    device.start(2)  # as later tests of the same process ask for
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()


@cache
def _settings(*overrides: str) -> Settings:
    return settings_of(compose("config", overrides=list(overrides)))


_BUILT: dict[str, Any] = {}


def _outputs(choice: Any, shape: tuple[int, ...], classes: int) -> Any:
    """The shape of the outputs of a network; studies that share a network build it once."""
    what = repr((choice.name, choice.arguments, shape, classes))
    if what not in _BUILT:
        built = build_model(choice.name, choice.arguments, shape, Classification(classes))
        _BUILT[what] = built.output.shape
    return _BUILT[what]


def test_the_folder_holds_no_other_group() -> None:
    folders = [path.parent for path in config_folder().rglob("*.yaml")]
    found = {str(folder.relative_to(config_folder())) for folder in folders}
    assert found == {*GROUPS, "."}


@pytest.mark.parametrize(("group", "name"), ALL, ids=[f"{group}={name}" for group, name in ALL])
def test_every_file_composes_to_valid_settings(group: str, name: str) -> None:
    settings = _settings(f"{group}={name}")
    assert isinstance(settings, Settings)


@pytest.mark.parametrize("study", _choices("study"))
def test_a_choice_wins_over_the_one_of_a_study(study: str) -> None:
    settings = _settings(f"study={study}", "train=adam", "model=resnet20", "data=digits")
    assert settings.study == study
    assert settings.base.train.optimizer.name == "adam"
    assert settings.base.model.arguments["blocks"] == 3
    assert settings.base.data.name == "digits"


@pytest.mark.parametrize("study", _choices("study"))
def test_a_study_is_named_like_its_file_and_its_model_can_be_built(study: str) -> None:
    settings = _settings(f"study={study}")
    assert settings.study == study
    source = DATASETS[settings.base.data.name]
    found = _outputs(settings.base.model, source.shape, source.classes)
    assert found == (None, source.classes)


# The yaml of these has a word in place of the user's own file or choice.
_PLACEHOLDERS = (OWN, KERAS_APPLICATION, KERAS_FILE)


@pytest.mark.parametrize("model", [one for one in _choices("model") if one not in _PLACEHOLDERS])
def test_every_model_can_be_built(model: str) -> None:
    assert _outputs(_settings(f"model={model}").base.model, (16, 16, 1), 10) == (None, 10)


def _reached(group: str, *path: str) -> set[Any]:
    """The values at a path of the settings, over all files of a group."""
    found = set()
    for name in _choices(group):
        if name == OWN:  # stands for code from outside
            continue
        value: Any = _settings(f"{group}={name}")
        for part in path:
            value = getattr(value, part)
        found.add(value)
    return found


@pytest.mark.parametrize(
    ("registry", "group", "path"),
    [
        (DATASETS, "data", ("base", "data", "name")),
        (MODELS, "model", ("base", "model", "name")),
        (DESIGNS, "design", ("design", "name")),
        (OPTIMIZERS, "train/optimizer", ("base", "train", "optimizer", "name")),
        (SCHEDULES, "train/schedule", ("base", "train", "schedule", "name")),
        (SCHEMES, "quant/scheme", ("base", "quant", "scheme", "name")),
    ],
    ids=["data", "model", "design", "optimizer", "schedule", "scheme"],
)
def test_everything_registered_has_a_file(registry: Any, group: str, path: tuple[str, ...]) -> None:
    assert _reached(group, *path) == set(registry.names())


@pytest.mark.parametrize("op", OPS.names())
def test_every_op_can_be_chosen(op: str) -> None:
    assert _settings(f"quant.op={op}").base.quant.op == op


@pytest.mark.parametrize(
    ("group", "table"),
    [("train/optimizer", OPTIMIZERS), ("train/schedule", SCHEDULES), ("quant/scheme", SCHEMES)],
    ids=["optimizer", "schedule", "scheme"],
)
def test_files_give_every_argument_of_a_choice(group: str, table: Any) -> None:
    """So that each can be overridden by name, as `train.optimizer.momentum=0.8`."""
    whole, _, part = group.partition("/")
    for name in table.names():
        choice = getattr(getattr(_settings(f"{group}={name}").base, whole), part)
        assert set(choice.arguments) == set(table[name].defaults)


def test_the_default_configuration_is_the_papers_on_shipped_images() -> None:
    settings = _settings()
    quant = settings.base.quant
    assert (settings.study, settings.base.data.name) == ("fashion", "fashion_part")
    assert (quant.enabled, quant.op, quant.bits, quant.delay) == (True, "qdq_v2", 8, 0.8)
    assert (quant.signed, quant.range_given, quant.rounding) == (True, False, "half_to_even")
    assert quant.placement == ("conv", "activation")
    assert (settings.seeds, settings.deployed_seeds) == ((0, 1, 2, 3, 4), (0,))
    assert settings.engine == Engine(
        share=True,
        keep_trunks=False,
        retries=1,
        fail_fast=False,
        isolate=True,
        device="auto",
        workers=2,
    )
    assert settings.base.threads == 1
    assert settings.base.deterministic is False
    assert settings.base.train.checkpoint_every is None


def test_the_scheme_of_jacob_never_takes_the_lowest_code_of_a_kernel() -> None:
    quant = _settings("quant=jacob").base.quant
    assert (quant.op, quant.weight_range, quant.granularity) == ("fake_quant", "narrow", "tensor")
    scheme = scheme_of(quant)
    assert scheme is not None and scheme.kernel.narrow and not scheme.kernel.symmetric
    grid = scheme.kernel.quantizer.grid(-1.0, 2.0, scheme.kernel.narrow)
    assert (grid.lowest, grid.count, grid.scale) == (1, 255, 3 / 254)


def test_quant_contrib_chooses_its_scheme_unless_another_is_named() -> None:
    quant = _settings("quant=contrib").base.quant
    assert (quant.op, quant.weight_range, quant.placement) == ("fake_quant", "narrow", ("contrib",))
    assert (quant.scheme.name, quant.fold_batch_norm, quant.delay) == ("contrib", True, 0.8)
    assert (quant.ema_decay, quant.freeze_batch_norm, quant.tie_inputs) == (0.999, False, False)
    assert quant.refused is None
    chosen = _settings("quant=contrib", "quant/scheme=uniform").base.quant.scheme
    assert chosen == _settings().base.quant.scheme and chosen.name == "uniform"


def test_quant_none_is_a_float_run() -> None:
    assert _settings("quant=none").base.quant.enabled is False


def test_an_invalid_override_is_refused() -> None:
    with pytest.raises(QbenchError, match=r"quant\.bits=0 is not allowed"):
        _settings("quant.bits=0")


def test_known_keys_are_those_of_the_default_configuration() -> None:
    keys = known_keys()
    assert {"quant.bits", "train.optimizer.momentum", "eval.limit", "seeds", "out"} <= keys
    assert {"train.checkpoint_every", "deterministic", "share", "retries", "job"} <= keys
    assert not any(key.startswith("hydra") for key in keys)
