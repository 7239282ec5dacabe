"""What is read from the declarations of settings: defaults, the page of all settings, the shell."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest
import yaml

from qbench.base.setting import NEVER, UNSET, Group, Setting, declared
from qbench.cli.known import known_keys
from qbench.cli.main import main
from qbench.cli.overrides import TEXTS
from qbench.config import groups
from qbench.config.inputs import FileInput
from qbench.config.quant import Quant
from qbench.config.train import Train
from qbench.planning.early_stopping import EarlyStopping
from qbench.planning.execution import Engine, Stopping
from qbench.planning.factors import COLUMNS, FACTORS
from qbench.planning.settings import SETTINGS, Deploy, Design, defaults

ROOT = Path(__file__).parents[2]
BY_KEY = {one.key: one for one in SETTINGS}
WITH_DEFAULT = [one for one in SETTINGS if one.default is not UNSET]
KEYS = [one.key for one in WITH_DEFAULT]


def _spelled(values: Any, prefix: str) -> dict[str, Any]:
    """The settings that a file of conf/ spells, by key."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _spelled(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return {key: value for key, value in found.items() if key in BY_KEY}


def _file(name: str) -> Any:
    return yaml.safe_load((ROOT / "conf" / name).read_text())


@pytest.mark.parametrize("one", WITH_DEFAULT, ids=KEYS)
def test_a_default_is_allowed(one: Setting) -> None:
    stored = one.check.read(one.key, one.default)
    assert stored == ({} if one.key == "design.levels" else one.default)
    assert one.default is None or type(stored) is type(one.default)


@pytest.mark.parametrize("one", SETTINGS, ids=[one.key for one in SETTINGS])
def test_levels_and_neutral_values_are_allowed(one: Setting) -> None:
    for value in [*one.levels, *([] if one.neutral is UNSET else [one.neutral])]:
        assert one.check.read(one.key, value) == value
    assert not one.levels or one.levels[0] == one.default
    assert one.help and one.check.describe()


def test_keys_columns_and_places_are_there_once() -> None:
    for found in (
        [one.key for one in SETTINGS],
        [one.column for one in COLUMNS],
        [one.place for one in COLUMNS],
    ):
        assert len(set(found)) == len(found)
    assert set(FACTORS) <= set(COLUMNS)


@pytest.mark.parametrize(
    "group",
    [
        *(groups.Data, Train, groups.Evaluate, FileInput),
        *(Quant, Deploy, Design, Engine, Stopping, EarlyStopping),
    ],
    ids=lambda group: str(group.__name__),
)
def test_every_field_of_a_group_is_declared(group: type[Group]) -> None:
    fields: dict[str, Any] = vars(group)["__dataclass_fields__"]
    assert [one.name for one in declared(group)] == [name for name in fields if name != "arguments"]
    assert set(BY_KEY) >= {one.key for one in declared(group)}


def test_defaults_are_nested_as_a_configuration_is() -> None:
    told = defaults()
    groups_of_keys = {one.group for one in WITH_DEFAULT} - {""}
    assert set(told) == {one.name for one in WITH_DEFAULT if not one.group} | groups_of_keys
    assert (told["seeds"], told["share"], told["train"]["jit"]) == ([0], True, "auto")
    empty = dict.fromkeys(("resolution", "factors", "levels"))
    lists = {"rows": [], "ensembles": []}
    assert told["design"] == {**empty, **lists, "ensemble_draws": "disjoint"}


@pytest.mark.parametrize("file", ["config.yaml", "quant/paper.yaml"])
def test_no_file_says_another_default_than_the_declared_one(file: str) -> None:
    """What a default is, is said once; the paper's levels are the defaults."""
    group = f"{Path(file).parent.as_posix()}." if "/" in file else ""
    told = _spelled(defaults(), "")
    spelled = _spelled(_file(file), group)
    assert {key: told[key] for key in spelled} == spelled


def test_a_choice_spells_no_more_than_it_must() -> None:
    """A key of data, training or design stands in a file where it differs from the default."""
    told = _spelled(defaults(), "")
    for path in sorted((ROOT / "conf").glob("*/*.yaml")):
        group = path.parent.name
        if group in ("data", "design", "train") and "defaults" not in _file(f"{group}/{path.name}"):
            same = {
                key
                for key, value in _spelled(_file(f"{group}/{path.name}"), f"{group}.").items()
                if key in told and told[key] == value
            }
            assert same <= {"data.preprocessing", "data.augment"}, path


def test_the_shell_knows_every_declared_key() -> None:
    """Hydra composes it: it can be overridden, completed and referred to."""
    groups_of_their_own = {"train.optimizer", "train.schedule", "quant.scheme"}
    assert set(BY_KEY) - groups_of_their_own <= known_keys()
    assert TEXTS == ("out", "data.dir", "data.note")


def test_a_file_of_ones_own_need_not_spell_what_has_a_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("name: digits\n")
    chosen = [f"--config-dir={tmp_path}", "data=mine", "design.factors=[]"]
    assert main(["plan", *chosen, "data.augment=false", "data.resolution=4,8"]) == 0
    assert "data.resolution=8" in capsys.readouterr().out


def test_a_setting_is_checked_wherever_its_group_is_made() -> None:
    with pytest.raises(Exception, match=r"quant\.bits=0 is not allowed"):
        Quant(bits=0)
    with pytest.raises(Exception, match=r"quant\.bits=0 is not allowed"):
        examples.experiment().with_values({"quant.bits": 0})


def test_what_never_takes_effect_is_in_no_experiment_but_for_where_and_how() -> None:
    of_runs = {one.key for one in SETTINGS if one.effect == NEVER} & {
        f"{group}.{name}" if isinstance(values, dict) else group
        for group, values in examples.experiment().as_config().items()
        for name in (values if isinstance(values, dict) else [""])
    }
    assert of_runs == {"data.dir", "data.note", "train.checkpoint_every"}


def _page_module() -> Any:
    path = ROOT / "scripts" / "configuration_page.py"
    spec = importlib.util.spec_from_file_location("configuration_page", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_settings_is_what_is_declared() -> None:
    """Mended by `make docs`."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert _page_module().filled(page) == page


def test_the_page_has_a_row_for_every_key_and_argument() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    rows = set(re.findall(r"^\| `([a-z_.]+)`", page, re.MULTILINE))
    assert set(BY_KEY) <= rows
    arguments = {
        f"model.{name}" for path in (ROOT / "conf/model").glob("*.yaml") for name in _keys(path)
    }
    assert arguments <= rows


def _keys(path: Path) -> list[str]:
    return [str(name) for name in yaml.safe_load(path.read_text()) if name != "defaults"]
