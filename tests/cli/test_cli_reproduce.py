"""`make reproduce`: the commands are those that made results/, and tables are compared."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from qbench.cli.main import main
from qbench.planning.plan import Plan

ROOT = Path(__file__).parents[2]
STUDIES = sorted(path.parent.name for path in (ROOT / "results").glob("*/manifest.json"))


@pytest.fixture(scope="module")
def reproduce() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reproduce", ROOT / "scripts" / "reproduce.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_committed_study_is_known(reproduce: ModuleType) -> None:
    assert {"digits", "finetune"} <= set(reproduce.studies())
    assert [bool(reproduce.command(name)) for name in STUDIES] == [True] * len(STUDIES)


# The plan of finetune reads the weights that it starts from, which are not committed.
@pytest.mark.parametrize("study", [name for name in STUDIES if name != "finetune"])
def test_a_command_plans_the_rows_and_seeds_of_its_folder(
    study: str, reproduce: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr(
        "qbench.planning.forecast.print_forecast", lambda plan, *_: plans.append(plan)
    )
    words = reproduce.arguments(reproduce.command(study), "cifar", tmp_path)
    assert words[0] == "sweep"
    assert main(["plan", *words[1:]]) == 0
    manifest = json.loads((ROOT / "results" / study / "manifest.json").read_bytes())
    rows = [row["label"] for row in manifest["rows"] if "derived" not in row]
    assert [row.label for row in plans[0].rows] == rows
    assert list(plans[0].settings.seeds) == manifest["seeds"]
    assert plans[0].settings.study == manifest["study"]


def test_the_folder_of_data_is_ones_own(reproduce: ModuleType, tmp_path: Path) -> None:
    words = reproduce.arguments(reproduce.command("finetune"), "/my data", tmp_path)
    assert "data.dir=/my data" in words and words[-1] == f"out={tmp_path}"
    assert "seeds=[0,1,2]" in words
    with pytest.raises(SystemExit, match=r"DATA=DIR is missing: .* data\.dir=data/cifar10;"):
        reproduce.arguments(reproduce.command("finetune"), None, tmp_path)
    assert "out=x" in reproduce.arguments(reproduce.command("digits"), None, Path("x"))


def test_tables_are_compared_row_by_row(reproduce: ModuleType, tmp_path: Path) -> None:
    for name, last in (("old", "84.25"), ("same", "84.25"), ("new", "84.30")):
        (tmp_path / name).mkdir()
        table = f"accuracy,status,configuration\n98.5,ok,baseline\n,failed,bad\n{last},ok,default\n"
        (tmp_path / name / "table.csv").write_text(table)
    old = tmp_path / "old"
    assert reproduce.differences(old, tmp_path / "same") == ["accuracy: 3 of 3 rows are the same."]
    assert reproduce.differences(old, tmp_path / "new") == [
        "default: 84.2500 committed, 84.3000 here",
        "accuracy: 2 of 3 rows are the same.",
    ]
    (old / "table.csv").write_text("accuracy,configuration\n98.5,baseline\n")
    (line,) = reproduce.differences(old, tmp_path / "new")
    assert line.startswith("The rows differ")
