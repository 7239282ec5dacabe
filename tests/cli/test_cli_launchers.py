"""Every launcher gives the table that Hydra's own gives, byte for byte."""

import pytest

from qbench.cli import main

SWEEP = ["train.steps=20", "model.width=4", "eval.limit=150", "threads=2"]
DESIGN = "design.factors=[quant.bits]"
LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "ray": [
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.include_dashboard=false",
    ],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"],
}


@pytest.fixture(scope="module")
def basic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("basic")
    assert main(["sweep", *SWEEP, DESIGN, f"out={folder}"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launcher_changes_nothing(name, basic, tmp_path):
    pytest.importorskip(f"hydra_plugins.hydra_{name}_launcher")
    assert main(["sweep", *SWEEP, DESIGN, *LAUNCHERS[name], f"out={tmp_path}"]) == 0
    for file in ("table.csv", "table.md", "manifest.json"):
        assert (tmp_path / file).read_bytes() == (basic / file).read_bytes()
    assert not list(tmp_path.glob("segments/*"))
    assert not (tmp_path / "jobs").exists()
