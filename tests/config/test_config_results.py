"""The committed results are still those of the configuration that they were made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from qbench.base import environment
from qbench.base.paths import config_folder
from qbench.cli.hydra_app import settings_of
from qbench.engine.manifest import Table, manifest
from qbench.engine.resolve import resolve
from qbench.planning.plan import make_plan, outline

RESULTS = Path(__file__).parents[2] / "results"
# The folder and the overrides of the sweep that it holds, as in the Makefile.
SWEEPS: list[tuple[str, list[str]]] = [
    ("digits", ["study=digits"]),
    ("fashion", ["seeds=[0,1,2,3,4,5,6,7]", "deploy.seeds=null"]),
]


def _recorded(folder: Path, stored: dict[str, Any]) -> dict[str, str]:
    run = stored["rows"][0]["runs"][0]["id"]
    record: dict[str, Any] = json.loads((folder / "runs" / run / "record.json").read_bytes())
    return dict(record["versions"])


@pytest.mark.parametrize(("name", "overrides"), SWEEPS, ids=[name for name, _ in SWEEPS])
def test_the_same_sweep_now_asks_for_the_runs_that_are_there(
    name: str, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of runs and of shared states, with the versions that the results were made with."""
    folder = RESULTS / name
    stored = json.loads((folder / "manifest.json").read_bytes())
    stored.pop("command", None)  # as it was typed; older manifests have none
    versions = _recorded(folder, stored)
    numerics = {
        "qbench": environment.NUMERICS,
        **{key: versions[key] for key in ("tensorflow", "keras")},
    }
    monkeypatch.setattr(environment, "numerics", lambda: numerics)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        settings = settings_of(compose("config", overrides=overrides))
    GlobalHydra.instance().clear()
    plan = make_plan(outline(settings, {}, []))
    planned = manifest(resolve(plan, "CPU"), Table(folder, folder))
    assert json.loads(json.dumps(planned)) == stored
