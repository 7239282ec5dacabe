"""A setting is declared in one place: a copy of qbench gets one more line and knows it everywhere.

The line is a field of `Quant` in a copy of the package, and so is one that is a list; nothing else
of the copy is changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest

from qbench.planning.factors import FACTORS, cells
from qbench.planning.identity import identity, phases

ROOT = Path(__file__).parents[2]
FIELD = (
    "    toy: int = setting(3, check=allowed.whole(1, 9), effect=QUANTIZED, neutral=3,"
    ' column="toy_pieces", levels=(3, 5), help="how many toys")\n'
    '    toys: tuple[str, ...] = setting(("a",), check=allowed.list_of(("a", "b")), neutral=("a",),'
    ' help="which toys")\n'
)
BEFORE = "\n    @property\n    def bits_of_weights"

LOOK = """
import json, sys
from pathlib import Path
import qbench
from qbench.config.experiment import Experiment
from qbench.planning.factors import FACTORS, cells
from qbench.planning.identity import identity, phases
from qbench.report.collect import Sweep, table_frame
from qbench.tasks.recorded import recorded

config = json.load(sys.stdin)
found = {"file": qbench.__file__, "factors": [one.key for one in FACTORS]}
for value in (None, 3, 4):
    if value is not None:
        config["quant"] |= {"toy": value, "toys": ["a"]}
    one = Experiment.from_config(config)
    found[str(value)] = {
        "identity": identity(one),
        "phases": [[phase.name, phase.content, phase.end] for phase in phases(one, None)],
        "cells": cells(one),
    }
row = {"label": "default", "quantized": True, "reason": None, "runs": [], "factors": cells(one)}
manifest = {"rows": [row], "seeds": [0], "runs": "runs"}
frame = table_frame(Sweep(Path("."), manifest, {}, recorded(None), {}, {}))
found["table"] = frame.iloc[0][["toy_pieces", "bits"]].to_dict()
sys.path.insert(0, "scripts")
import configuration_page
found["page"] = configuration_page.filled(configuration_page.PAGE.read_text())
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """qbench with one more setting."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("qbench", "hydra_plugins", "conf", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "configuration.md", folder / "docs")
    module = folder / "qbench" / "quantize" / "settings.py"
    text = module.read_text()
    assert text.count(BEFORE) == 1
    module.write_text(text.replace(BEFORE, FIELD + BEFORE))
    return folder


def _python(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        input=given,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def known(copy: Path) -> dict[str, Any]:
    """What the copy says of the toy."""
    config = json.dumps(examples.experiment().as_config())
    done = _python(copy, "-c", LOOK, given=config)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["file"] == str(copy / "qbench" / "__init__.py")
    return found


def test_the_shell_takes_it_as_a_value_and_as_a_factor(copy: Path) -> None:
    done = _python(copy, "-m", "qbench", "plan", "quant.toy=7", "quant.bits=8,4")
    assert done.returncode == 0, done.stderr
    done = _python(copy, "-m", "qbench", "plan", "quant.toy=7,6,2", "design.factors=[]")
    assert "quant.toy=6" in done.stdout and "quant.toy=2" in done.stdout


def test_the_default_design_varies_it_by_its_levels(copy: Path) -> None:
    done = _python(copy, "-m", "qbench", "plan")
    assert "quant.toy=5" in done.stdout and "17 configurations" in done.stdout


def test_a_wrong_value_is_refused_before_anything_trains(copy: Path) -> None:
    done = _python(copy, "-m", "qbench", "plan", "quant.toy=12")
    told = "quant.toy=12 is not allowed: expected a whole number from 1 to 9."
    assert (done.returncode, told in done.stderr) == (2, True)


def test_it_is_the_last_factor(known: dict[str, Any]) -> None:
    assert known["factors"] == [*(one.key for one in FACTORS), "quant.toy"]


@pytest.mark.parametrize("value", ["None", "3"])
def test_ids_stay_at_its_neutral_value_and_where_it_is_not_given(
    known: dict[str, Any], value: str
) -> None:
    now = examples.experiment()
    assert known[value]["identity"] == identity(now)
    assert known[value]["phases"] == [[p.name, p.content, p.end] for p in phases(now, None)]


def test_another_value_changes_the_identity_from_the_quantized_phase_on(
    known: dict[str, Any],
) -> None:
    before, after = known["3"], known["4"]
    assert after["identity"]["quant"].pop("toy") == 4
    assert after["identity"] == before["identity"]
    assert after["phases"][0] == before["phases"][0]
    assert after["phases"][1] != before["phases"][1]


def test_tables_have_its_column(known: dict[str, Any]) -> None:
    assert known["4"]["cells"] == cells(examples.experiment()) | {"toy_pieces": "4"}
    assert known["table"] == {"toy_pieces": "4", "bits": "8"}


def test_the_page_describes_it(known: dict[str, Any]) -> None:
    row = "| `quant.toy` | `3` | 1 to 9 | quantized phase | how many toys |"
    assert row in known["page"].splitlines()
    assert "| `quant.toy` | `toy_pieces` | `3`, `5` |" in known["page"].splitlines()
