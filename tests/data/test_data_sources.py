"""A function that returns a `Source`: its arguments are settings, and its data have a hash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.config.experiment import Experiment
from qbench.config.groups import Data, group_from
from qbench.data import DATASETS, DataChoice, Source, load, source_of, split
from qbench.data.source import reading_of
from qbench.engine.run_record import data_facts
from qbench.planning.identity import identity
from qbench.planning.plan import network_entry
from qbench.report.notes import _classes
from qbench.testing import networks


def noise(
    folder: Path | None, *, resolution: int | None = None, level: int = 200, flip: bool = False
) -> Source:
    """Noise of some size and brightness."""
    side = resolution or 4

    def read(where: Path | None) -> Any:
        assert where == folder
        images = np.random.default_rng(0).integers(0, level, (9, side, side, 1), np.uint8)
        labels = np.arange(9) % 3
        pairs = [(images[part], labels[part]) for part in (slice(3), slice(3, 6), slice(6, 9))]
        return pairs[0], pairs[1], pairs[2]

    return Source((side, side, 1), 3, flip, read, {}, class_names=("a", "b", "c"))


@pytest.fixture
def base() -> Experiment:
    """A run on the digits."""
    return networks.experiment("resnet_v1", {}, 4, 2, {"name": "uniform"}, {})


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with DATASETS.lent("noise", noise):
        load.cache_clear()
        yield
        load.cache_clear()


def test_a_function_gets_the_folder_and_the_settings_that_it_takes(tmp_path: Path) -> None:
    source = source_of(DataChoice("noise", str(tmp_path), 6, {"level": 9}))
    assert (source.shape, source.classes) == ((6, 6, 1), 3)
    data = load("noise", str(tmp_path), resolution=6, level=9)
    assert data.train_images.shape == (3, 6, 6, 1) and data.train_images.max() < 9
    assert data.class_names == ("a", "b", "c")
    assert load("noise", str(tmp_path), resolution=6, level=9) is data


def test_the_hash_is_of_the_pixels_the_validation_part_the_classes_and_flip() -> None:
    known = load("noise").hash
    assert load("noise", level=200).hash == known
    assert load("noise", level=199).hash != known
    assert load("noise", flip=True).hash != known
    with DATASETS.lent("noise", lambda folder: replace(noise(None), classes=4)):
        load.cache_clear()
        assert load("noise").hash != known

    def without(folder: Any) -> Source:
        source = noise(None)
        return replace(source, read=lambda where: source.read(where)[:2])

    with DATASETS.lent("noise", without):
        load.cache_clear()
        assert load("noise").validation is None
        assert load("noise").hash != known


def test_a_third_pair_is_the_validation_part() -> None:
    data = load("noise")
    assert data.validation is not None
    assert [len(part) for part in data.validation] == [3, 3]
    assert split(data, Data(name="noise")) is data
    with pytest.raises(QbenchError, match=r"data\.validation=0\.5 .* noise has 3 validation image"):
        split(data, Data(name="noise", validation=0.5))


def test_equal_readings_ignore_what_a_data_set_does_not_take() -> None:
    assert reading_of(DataChoice("digits", resolution=8)) == reading_of(DataChoice("digits"))
    assert reading_of(DataChoice("noise", resolution=8)) != reading_of(DataChoice("noise"))


def test_arguments_are_settings_of_the_group() -> None:
    data = group_from(Data, {"name": "noise", "level": 9, "augment": False})
    assert (data.arguments, data.augment) == ({"level": 9}, False)
    with pytest.raises(QbenchError, match=r"data\.lvel is not a setting; did you mean data\.level"):
        group_from(Data, {"name": "noise", "lvel": 9})
    with pytest.raises(QbenchError, match=r"data\.level is not a setting. Allowed: name, dir, "):
        group_from(Data, {"name": "digits", "level": 9})
    with pytest.raises(
        QbenchError, match=r"data\.lvl is not a setting of data=noise; .*data\.flip"
    ):
        source_of(DataChoice("noise", arguments={"lvl": 9}))


def test_an_argument_is_in_the_configuration_and_not_in_the_identity(base: Experiment) -> None:
    named = base.with_values({"data.name": "noise"})
    with_level = replace(named, data=replace(named.data, arguments={"level": 9}))
    changed = with_level.with_values({"data.level": 8})
    assert changed.data.arguments == {"level": 8}
    config = changed.as_config()
    assert config["data"]["level"] == 8 and "arguments" not in config["data"]
    assert Experiment.from_config(config) == changed
    assert identity(changed) == identity(named)
    assert network_entry(changed)[1] == ["noise", None, None, {"level": 8}, None]
    with pytest.raises(QbenchError, match=r"data\.lvel is not a setting"):
        changed.with_values({"data.lvel": 8})


def test_a_record_says_classes_and_validation_images(base: Experiment) -> None:
    experiment = base.with_values({"data.name": "noise"})
    facts = data_facts(experiment, replace(load("noise"), left_out={"damaged": ["a/1.png"]}))
    assert facts["classes"] == ["a", "b", "c"]
    assert (facts["train_images"], facts["validation_images"], facts["test_images"]) == (6, 3, 3)
    assert facts["left_out"] == {"damaged": ["a/1.png"]}
    assert "classes" not in data_facts(base, load("digits"))


def test_a_note_names_the_classes() -> None:
    assert _classes(()) == ""
    assert _classes(("cat", "dog")) == " Classes (2): cat, dog."
    assert _classes(tuple(map(str, range(1200)))).endswith("18, 19 and 1,180 more.")


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (lambda folder: None, "data=noise: its function returned something of type NoneTyp"),
    "raises": (lambda folder: 1 / 0, "data=noise: its function failed at .*ZeroDivisionError"),
    "needs": (lambda folder, side: noise(None), r"data=noise: its function needs data\.side; exp"),
}


@pytest.mark.parametrize(("function", "says"), WRONG.values(), ids=WRONG.keys())
def test_another_function_is_one_sentence(function: Any, says: str) -> None:
    with DATASETS.lent("noise", function), pytest.raises(QbenchError, match=says):
        source_of(DataChoice("noise"))


def test_a_missing_folder_is_said_by_a_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "data.name=noise", f"data.dir={tmp_path}/no"]) == 2
    assert f"data.dir={tmp_path}/no: no such folder" in capsys.readouterr().err
