"""Workers find code from outside, also from another working folder.

`cli/test_cli_launchers.py` shows it of the processes of every launcher.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from outside_files import FILES, NETWORK, OWN, SMALL, plan_of, record, write

from qbench.cli.main import main
from qbench.engine.workers import close_workers
from qbench.planning.code import hashes_of

# Hydra changes the working folder of every job.
ROWS = ["design.factors=[]", "hydra.job.chdir=true", "hydra.sweep.dir=elsewhere"]


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on Python's path, in the processes that these tests start too."""
    folder = tmp_path_factory.mktemp("site")
    close_workers()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        yield folder
    close_workers()


def records(folder: Path) -> list[Any]:
    return [record(run) for run in sorted((folder / "out" / "runs").iterdir())]


@pytest.mark.parametrize(
    "isolate",
    [
        pytest.param(True, id="in workers", marks=pytest.mark.slow),
        pytest.param(False, id="in place"),
    ],
)
def test_without_a_launcher(isolate: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, FILES))
    arguments = [*OWN, *SMALL, f"isolate={str(isolate).lower()}", *ROWS, "out=out"]
    assert main(["sweep", *arguments]) == 0
    assert [one["status"] for one in records(tmp_path)] == ["ok", "ok"]


@pytest.mark.slow
def test_an_installed_package_from_any_folder(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"own_nets/__init__.py": "", "own_nets/small.py": f"from . import parts\n{NETWORK}"}
    write(site, {**files, "own_nets/parts.py": ""})
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    # joblib's processes may be those of an earlier test, with the path of that time.
    own = ["model=own_nets.small:build", "model.width=3", "workers=1"]
    assert main(["sweep", *own, *SMALL, "isolate=true", *ROWS, "out=out"]) == 0
    found = records(tmp_path / "work")
    assert [one["status"] for one in found] == ["ok", "ok"]
    # The same package in the working folder is the same code.
    installed = found[0]["code"]
    shutil.move(site / "own_nets", tmp_path / "work" / "own_nets")
    for module in [name for name in sys.modules if name.partition(".")[0] == "own_nets"]:
        monkeypatch.delitem(sys.modules, module)
    plan = plan_of(monkeypatch, *own)
    assert hashes_of(plan.runs[0].experiment) == installed
