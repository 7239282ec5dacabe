"""What qbench takes for granted of Hydra, apart from everything that is built on it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus

import qbench
from qbench.base.errors import DiskFull, QbenchError
from qbench.cli import hydra_app, sweeper
from qbench.cli.command import run_job
from qbench.cli.sweeper import LauncherFailed
from qbench.engine import client
from qbench.engine.client import Ended
from qbench.engine.sweep import Launch
from qbench.planning.plan import Plan

FEW = ["design.factors=[quant.bits]", "quant.bits=8,4"]


def test_hydra_hands_the_command_to_the_sweeper_which_knows_no_verb() -> None:
    seen = []
    hydra_app.sweep(lambda plan, launch: seen.append([row.label for row in plan.rows]), FEW)
    assert seen == [["baseline", "default", "quant.bits=4"]]


def test_a_launcher_gets_the_paths_of_jobs_and_brings_back_how_they_ended(tmp_path: Path) -> None:
    jobs = tmp_path / "one, two=${three} it's" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "unreadable.json").write_text("{")
    ends: list[Ended] = []

    def command(plan: Plan, launch: Launch) -> None:
        ends.extend(launch([jobs / "gone.json", jobs / "unreadable.json"], tmp_path / "own"))

    hydra_app.sweep(command, FEW)
    assert ends[0] == Ended("done")
    assert ends[1].how == "lost"
    assert str(jobs / "unreadable.json") in ends[1].message


@pytest.mark.parametrize("typed", [["hydra/sweeper=basic"], []], ids=["typed", "in-a-file"])
def test_another_sweeper_is_refused(tmp_path: Path, typed: list[str]) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("defaults: [config, override hydra/sweeper: basic, _self_]")
    dirs = ["--config-dir", str(tmp_path), "--config-name", "other"]
    own = [f"hydra.sweep.dir={tmp_path / 'own'}"]
    with pytest.raises(QbenchError, match=r"hydra/sweeper: designs are expanded by qbench alone"):
        hydra_app.sweep(lambda plan, launch: None, typed or [*dirs, *own])


def test_a_full_disk_comes_back_as_plain_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as an exception: those need not survive the way back from another process."""

    def no_room(path: Path) -> str:
        raise DiskFull("disk full: no room.")

    monkeypatch.setattr(client, "do_job", no_room)
    end = client.end_job(tmp_path / "jobs" / "any.json")
    assert pickle.loads(pickle.dumps(end)) == Ended("full", "disk full: no room.")


def test_a_job_that_fails_before_it_is_begun_is_lost_and_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(config: Any) -> Ended:
        if "second" in config.job:
            raise ImportError("no such module on this machine")
        return Ended("done")

    monkeypatch.setattr(sweeper, "run_job", broken)
    ends: list[Ended] = []

    def command(plan: Plan, launch: Launch) -> None:
        ends.extend(launch([tmp_path / name for name in ("first", "second", "third")], tmp_path))

    hydra_app.sweep(command, FEW)
    assert [end.how for end in ends] == ["done", "lost", "done"]
    assert "no such module on this machine" in ends[1].message


def test_a_launcher_that_raises_is_named_in_a_sentence(tmp_path: Path) -> None:
    def command(plan: Plan, launch: Launch) -> None:
        launch([tmp_path / "a", tmp_path / "b"], tmp_path)

    said = r"^hydra/launcher=joblib: .*n_jobs == 0 .*; the same command goes on from here\.$"
    with pytest.raises(LauncherFailed, match=said):
        hydra_app.sweep(command, [*FEW, "hydra/launcher=joblib", "hydra.launcher.n_jobs=0"])


@pytest.mark.parametrize("typed", ["--multirun", "hydra.mode=MULTIRUN"])
def test_a_verb_of_one_configuration_takes_no_design(typed: str) -> None:
    with pytest.raises(QbenchError, match="only qbench sweep and qbench plan take a design"):
        hydra_app.run(lambda config: None, [typed])


def test_what_a_launcher_runs_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(run_job)) is run_job


def test_the_value_of_a_job_that_ended_is_public() -> None:
    returned = JobReturn(status=JobStatus.COMPLETED)
    returned.return_value = Ended("done")
    assert returned.return_value == Ended("done")


@pytest.mark.parametrize("chosen", [[], ["hydra/launcher=basic"]], ids=["none", "basic"])
def test_hydra_says_which_launcher_was_chosen(chosen: list[str]) -> None:
    """`workers=N` takes joblib's where it is Hydra's own."""
    seen = []
    hydra_app.run(
        lambda config: seen.append(HydraConfig.get().runtime.choices["hydra/launcher"]), chosen
    )
    assert seen == ["basic"]


def test_nothing_private_of_hydra_is_used() -> None:
    root = Path(qbench.__file__).parent
    sources = [*root.rglob("*.py"), *(root.parent / "hydra_plugins").rglob("*.py")]
    private = re.compile(r"\b(hydra|omegaconf)(\.\w+)*\._[a-z]|_return_value")
    assert [path.name for path in sources if private.search(path.read_text())] == []
