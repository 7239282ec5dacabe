"""The table `a new` of docs/architecture.md: what it names exists, and nothing is left out.

Toys that are added in one place are found everywhere; the table names the test for each kind.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest

import qbench
import qbench.testing as contracts
from qbench.base.buildable import Buildable
from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.config.experiment import Experiment
from qbench.data.augmentation import AUGMENTATIONS
from qbench.data.preprocessing import PREPROCESSING, Preprocessing, network_input
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES
from qbench.planning.designs import DESIGNS
from qbench.planning.identity import identity

ROOT = Path(qbench.__file__).parents[1]
HEAD = "| a new | module | yaml | row of a test | added in |\n"
KINDS = {
    *("model", "data set", "task", "metric", "quantization scheme", "fake-quantization op"),
    *("setting or factor", "design", "optimizer", "kind of derived row", "section of the report"),
}
# A configuration needs no code; the operators of files are LiteRT's.
ADDED_NOWHERE = {"collection of settings", "operator of int8 files"}


def _table() -> dict[str, list[str]]:
    """The cells of each row by its first cell."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    (_, _, table) = text.partition(HEAD)
    rows = [line.strip("|").split("|") for line in table.splitlines()[1:] if line.startswith("|")]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in rows}


TABLE = _table()


def _code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _names(path: Path) -> set[str]:
    """The functions, classes and variables of a module."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_every_kind_has_a_row() -> None:
    assert set(TABLE) >= KINDS
    assert all(len(cells) == 4 for cells in TABLE.values())
    assert {kind for kind, cells in TABLE.items() if not cells[3]} == ADDED_NOWHERE


@pytest.mark.parametrize("kind", TABLE)
def test_what_a_row_names_exists(kind: str) -> None:
    module, yaml, row, added = TABLE[kind]
    assert [p for p in _code(module) if "/" in p and not (ROOT / "qbench" / p).exists()] == []
    assert [p for p in _code(yaml) if "/" in p and not list((ROOT / p).glob("*.yaml"))] == []
    for reference in [*_code(row), *_code(added)]:
        path, _, name = reference.partition("::")
        assert (ROOT / "tests" / path).exists(), reference
        assert not name or name in _names(ROOT / "tests" / path), reference


def test_every_registry_stands_in_the_row_of_its_package() -> None:
    declared = {}
    for path in (ROOT / "qbench").rglob("*.py"):
        for name in re.findall(r"^([A-Z]+): Registry\[", path.read_text(), re.MULTILINE):
            declared[name] = str(path.parent.relative_to(ROOT / "qbench"))
    places = {name: cells[0] for cells in TABLE.values() for name in _code(cells[0])}
    assert set(declared) <= set(places)
    assert [name for name, place in declared.items() if f"`{place}/" not in places[name]] == []


def test_every_folder_of_configuration_is_named() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*/*.yaml")}
    named = {text.rstrip("/") for cells in TABLE.values() for text in _code(cells[1])}
    assert folders - named == set()


def test_every_contract_has_its_rows() -> None:
    rows = {text for cells in TABLE.values() for text in _code(cells[2])}
    for check in contracts.__all__:
        kind = check.removeprefix("check_")
        place = "tasks/test_tasks_contract.py" if kind == "task" else ""
        assert f"{place or f'contracts/test_contracts_{kind}.py'}::GOOD" in rows


def test_a_design_is_added_in_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    def every_second(levels: Any) -> list[dict[str, Any]]:
        return [{key: value} for key, values in levels.items() for value in values[1::2]]

    chosen = ["plan", "design.name=every_second", "design.factors=[quant.bits]"]
    with DESIGNS.lent("every_second", every_second):
        assert main(chosen) == 0
    said = capsys.readouterr().out
    assert "quant.bits=4" in said and "quant.bits=32" in said and "quant.bits=16" not in said
    assert main(chosen) == 2


def test_an_optimizer_is_added_in_one_place() -> None:
    config = examples.experiment().as_config()
    toy = Buildable(lambda *given, **named: None, {"size": 0.5}, {"size": (0, 1)})
    for group, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        config["train"][group] = {"name": "toy", "size": 0.25}
        with table.lent("toy", toy):
            found = Experiment.from_config(config)
            assert found.as_config()["train"][group] == config["train"][group]
            with pytest.raises(QbenchError, match=f"train.{group}.size=2 is not allowed"):
                found.with_values({f"train.{group}.size": 2})
        with pytest.raises(QbenchError, match=f"train.{group}.name=toy is not allowed"):
            Experiment.from_config(config)
        config = examples.experiment().as_config()


def test_an_augmentation_is_added_in_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["plan", "data.augment=false,toy", "design.factors=[]"]
    base = examples.experiment()
    with AUGMENTATIONS.lent("toy", lambda images, draws, flip: images):
        assert main(chosen) == 0
        assert "data.augment=toy" in capsys.readouterr().out
        found = base.with_values({"data.augment": "toy"})
        assert (found.data.augmentation, base.data.augmentation) == ("toy", None)
        assert identity(found) != identity(base)
    assert main(chosen) == 2


def test_a_preprocessing_is_added_in_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    toy = Preprocessing(lambda images: images / 2)
    chosen = ["plan", "data.preprocessing=vgg,toy", "design.factors=[]"]
    config = examples.experiment().as_config()
    with PREPROCESSING.lent("toy", toy):
        assert main(chosen) == 0
        assert "data.preprocessing=toy" in capsys.readouterr().out
        found = Experiment.from_config(config).with_values({"data.preprocessing": "toy"})
        assert identity(found) != identity(Experiment.from_config(config))
        assert network_input(7.0, found.data.preprocessing, None) == 3.5
    assert main(chosen) == 2
