"""Every launcher gives the tables and files that Hydra's own gives, byte for byte.

The network is code from outside, and Hydra changes the working folder of every job: the processes
of all launchers find it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qbench.cli.main import main

SWEEP = [
    *("study=digits", "train.steps=20", "model=nets/mine.py:build", "eval.limit=150", "threads=2"),
    *("workers=1", "deploy.enabled=true", "hydra.job.chdir=true", "hydra.sweep.dir=elsewhere"),
]
NETWORK = """
import keras
import parts
from keras import layers


def build(shape, classes):
    image = keras.Input(shape)
    x = layers.Conv2D(parts.WIDTH, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))
"""
DESIGN = ["design.factors=[quant.bits]", "quant.bits=8,4"]
EVERY = {
    "workers": ["workers=2"],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "ray": [
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.include_dashboard=false",
    ],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"],
}
PLUGINS = {"workers": "joblib"}  # the others are called like their plugin


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder with a network and a module that it imports."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "nets").mkdir()
    (folder / "nets" / "mine.py").write_text(NETWORK)
    (folder / "nets" / "parts.py").write_text("WIDTH = 4\n")
    return folder


@pytest.fixture(scope="module")
def basic(outside, tmp_path_factory):
    folder = tmp_path_factory.mktemp("basic")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(outside)
        assert main(["sweep", *SWEEP, *DESIGN, f"out={folder}"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _works_there(outside, monkeypatch):
    monkeypatch.chdir(outside)


def files_of(folder):
    """What was converted, and what was measured of it."""
    paths = [*folder.glob("runs/*/*.tflite"), *folder.glob("runs/*/deploy*.json")]
    return {path.relative_to(folder): path.read_bytes() for path in paths}


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_a_launcher_changes_nothing(name, basic, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 waits for the other processes of tests
    pytest.importorskip(f"hydra_plugins.hydra_{PLUGINS.get(name, name)}_launcher")
    assert main(["sweep", *SWEEP, *DESIGN, *EVERY[name], f"out={tmp_path}"]) == 0
    for file in ("table.csv", "table.md"):
        assert (tmp_path / file).read_bytes() == (basic / file).read_bytes()
    mine, others = (
        json.loads((folder / "manifest.json").read_text()) for folder in (tmp_path, basic)
    )
    assert mine.pop("command") != others.pop("command") and mine == others
    assert files_of(tmp_path) == files_of(basic)
    assert len(files_of(basic)) == 2 * 4  # of three runs, and of the baseline after training
    assert not list(tmp_path.glob("segments/*"))
    assert not (tmp_path / "jobs").exists()


def processes_of(folder) -> list[int]:
    """The processes whose command line or parent's names the folder, joblib's and workers too."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(folder).encode() in environment and state != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes through /proc")
def test_nothing_of_a_killed_sweep_lives_on(basic, tmp_path):
    arguments = [*SWEEP, *DESIGN, "workers=2", f"out={tmp_path / 'sweep'}"]
    command = [sys.executable, "-m", "qbench", "sweep", *arguments]
    sweep = subprocess.Popen(
        command,
        env={**os.environ, "MARK": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # The sweep and its worker, two of joblib's processes with a worker each, two that clean up.
    until(lambda: len(processes_of(tmp_path)) >= 8)
    sweep.kill()
    sweep.wait()
    until(lambda: not processes_of(tmp_path))
    assert main(["sweep", *arguments]) == 0
    table = (tmp_path / "sweep" / "table.csv").read_bytes()
    assert table == (basic / "table.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes through /proc")
def test_a_sweep_that_is_killed_while_it_makes_files_goes_on(basic, tmp_path):
    sweep = tmp_path / "sweep"
    shutil.copytree(basic, sweep)
    for path in files_of(sweep):
        (sweep / path).unlink()
    arguments = ["sweep", *SWEEP, *DESIGN, "workers=2", f"out={sweep}"]
    command = [sys.executable, "-m", "qbench", *arguments]
    process = subprocess.Popen(command, env={**os.environ, "MARK": str(tmp_path)})
    until(lambda: list(sweep.glob("runs/*/deploy.json")))
    process.kill()
    process.wait()
    until(lambda: not processes_of(tmp_path))
    kept = files_of(sweep)
    assert 0 < len(kept) < len(files_of(basic))
    times = {path: (sweep / path).stat().st_mtime_ns for path in kept}
    assert main(arguments) == 0
    assert files_of(sweep) == files_of(basic)
    again = [path for path in times if (sweep / path).stat().st_mtime_ns != times[path]]
    assert len(again) <= 2  # a file without its report is made again
    assert (sweep / "table.csv").read_bytes() == (basic / "table.csv").read_bytes()
    assert not (sweep / "jobs").exists()


def until(holds, seconds=60.0):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
