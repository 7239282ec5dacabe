"""The first stage of a sweep with `train.steps=auto`: decided once, resumed, shared, refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from engine_examples import experiment, silent

from qbench.base.errors import DiskFull, QbenchError
from qbench.cli.watching import run_states
from qbench.engine import deciding, sweep
from qbench.engine.client import Ended, end_job
from qbench.engine.execute import execute
from qbench.engine.inputs import inputs_of
from qbench.engine.resolve import resolve
from qbench.engine.spec import JobSpec, opened
from qbench.engine.sweep import run_sweep
from qbench.planning.designs import Row
from qbench.planning.early_stopping import EarlyStopping
from qbench.planning.execution import Engine
from qbench.planning.plan import Plan
from qbench.planning.settings import Design, Settings
from qbench.storage import layout, records
from qbench.storage.decisions import Decisions
from qbench.storage.locks import locked
from qbench.storage.manifests import read_manifest
from qbench.storage.store import Store

AUTO = {"train.steps": "auto", "data.validation": 0.2, "train.learning_rate": 0.1}
ROWS: dict[str, dict[str, Any]] = {
    "baseline": {"quant.enabled": False},
    "default": {},
}
FLOAT = {"quant.enabled": False}
RULE = EarlyStopping(auto_every=4, auto_patience=2, auto_most=14)


def _experiment(changes: dict[str, Any]) -> Any:
    config = experiment().as_config()
    config["train"]["schedule"] = {"name": "constant"}
    return type(experiment()).from_config(config).with_values(AUTO | changes)


def plan(root: Path, rows: dict[str, dict[str, Any]] | None = None, **more: Any) -> Plan:
    """Rows with two seeds in a folder, in this process."""
    settings = Settings(
        study="tiny",
        base=_experiment({}),
        seeds=(0, 1),
        design=Design(name="ofat", baseline=False, factors=None),
        out=str(root),
        engine=Engine(isolate=False, retries=0),
        auto=RULE,
    )
    table = {"default": {}} if rows is None else rows
    made = tuple(Row(name, one, _experiment(one), None) for name, one in table.items())
    return Plan(replace(settings, **more), {}, made)


@dataclass
class Launcher:
    """Does jobs in this process, and remembers them; `stub` takes the place of all of them."""

    stub: Callable[[Path], Ended] = end_job
    jobs: list[str] = field(default_factory=list)

    def __call__(self, jobs: list[Path], folder: Path) -> list[Ended]:
        self.jobs += [job.stem for job in jobs]
        return [self.stub(job) for job in jobs]

    @property
    def stages(self) -> list[str]:
        """The jobs of first stages."""
        return [job for job in self.jobs if job.startswith("steps-")]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Launcher]:
    """(folder, launcher) of a sweep whose rows all have the number of one decision."""
    root = tmp_path_factory.mktemp("swept")
    launcher = Launcher()
    assert run_sweep(plan(root, ROWS), launcher).incomplete == []
    return root, launcher


def _decision(root: Path) -> dict[str, Any]:
    (path,) = layout.decision_records(root)
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _runs(root: Path) -> list[dict[str, Any]]:
    return [records.read_record(path.parent) for path in layout.record_files(root)]


def _steps(record: dict[str, Any]) -> int:
    return int(record["steps"]["float"] + record["steps"]["quantized"])


def test_all_runs_have_the_decided_number(swept: tuple[Path, Launcher]) -> None:
    root, launcher = swept
    told = _decision(root)
    assert len(launcher.stages) == 1 < len(launcher.jobs)
    assert launcher.jobs[0] == f"steps-{told['decision']}"
    assert told["steps"] in (4, 8, 12, 14)
    assert {_steps(run) for run in _runs(root)} == {told["steps"]}
    assert len(_runs(root)) == 4
    assert [one["step"] for one in told["scores"]] == [4, 8, 12, 14][: len(told["scores"])]


def test_the_runs_are_those_of_the_number_given_by_hand(swept: tuple[Path, Launcher]) -> None:
    root, _ = swept
    number = {"train.steps": _decision(root)["steps"]}
    by_hand = plan(root, {name: one | number for name, one in ROWS.items()})
    ids = resolve(by_hand, "CPU").ids
    assert sorted(ids) == [path.parent.name for path in layout.record_files(root)]


def test_the_float_run_of_the_first_seed_is_the_one_that_decided(
    swept: tuple[Path, Launcher],
) -> None:
    root, _ = swept
    told = _decision(root)
    (score,) = [one["score"] for one in told["scores"] if one["step"] == told["steps"]]
    floats = [run for run in _runs(root) if not run["quantized"]]
    own = {run["seed"]: run["validation"]["metrics"][told["metric"]["name"]] for run in floats}
    assert (told["seed"], own[0]) == (0, score)
    assert own[1] != score


def test_the_table_says_how_its_steps_were_decided(swept: tuple[Path, Launcher]) -> None:
    root, _ = swept
    told = _decision(root)
    assert read_manifest(root)["decided"] == [
        {
            **{"id": told["decision"], "steps": told["steps"], "rows": list(ROWS), "seed": 0},
            **{"ended": told["ended"], **told["rule"]},
        }
    ]


def test_what_a_first_stage_needs_is_gone_at_its_end(swept: tuple[Path, Launcher]) -> None:
    root, _ = swept
    assert [path.name for path in layout.decisions_folder(root).iterdir()] == [
        f"{_decision(root)['decision']}.json"
    ]
    assert not (root / layout.DECIDING).exists()
    assert not layout.jobs_folder(root).exists()
    lines = [json.loads(line) for line in layout.jobs_log(root).read_text().splitlines()]
    assert lines[0]["steps"] == _decision(root)["scores"][-1]["step"]
    assert lines[0]["label"] == "steps of baseline and 1 more"


def test_a_decision_is_found_again(swept: tuple[Path, Launcher]) -> None:
    root, _ = swept
    before = {path: path.read_bytes() for path in layout.decision_records(root)}
    launcher = Launcher()
    run_sweep(plan(root, ROWS), launcher)
    assert launcher.jobs == []
    assert {path: path.read_bytes() for path in layout.decision_records(root)} == before


def _job(root: Path) -> JobSpec:
    """The job of the first stage of a plan, which is not done."""
    found: list[JobSpec] = []

    def keep(path: Path) -> Ended:
        with opened(path) as spec:
            found.append(spec)
        return Ended("lost", "kept")

    with pytest.raises(QbenchError, match="kept"):
        run_sweep(plan(root), Launcher(keep))
    return found[0]


class Stopped(BaseException):
    """Like a kill, but caught by the test."""


def _do(spec: JobSpec, stop_after: int = 1000) -> int:
    """Do a job; stop when so many steps are trained. Returns how many were trained."""
    steps: list[int] = []

    def report(new: int, loss: float) -> None:
        steps.append(new)
        if sum(steps) >= stop_after:
            raise Stopped

    with suppress(Stopped):
        execute(spec, report, silent)
    return sum(steps)


@pytest.mark.parametrize("every", [None, 3])
def test_stopped_again_and_again_it_decides_the_same(
    swept: tuple[Path, Launcher], tmp_path: Path, every: int | None
) -> None:
    """Each evaluation is a checkpoint, and so are the steps of `train.checkpoint_every`."""
    expected = _decision(swept[0])
    spec = _job(tmp_path)
    changed = spec.experiment.with_values({"train.checkpoint_every": every})
    spec = replace(spec, experiment=changed)
    assert spec.decision is not None and spec.decision.id == expected["decision"]
    trained = []
    while not layout.decision_records(tmp_path):
        trained.append(_do(spec, 5))
    assert len(trained) > 1
    told = _decision(tmp_path)
    kept = ("steps", "ended", "scores", "rule", "planned")
    assert {key: told[key] for key in kept} == {key: expected[key] for key in kept}
    assert not layout.decision_file(tmp_path, spec.decision.id, layout.PARTIAL).exists()


def test_it_goes_on_from_the_last_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracker sees all losses and all scores, also those before."""
    spec = _job(tmp_path)
    assert _do(spec, 9) == 12  # the losses of a block are fetched at an evaluation
    shown = Mock()
    monkeypatch.setattr(deciding.tracking, "tracker_of", lambda spec, say: shown)
    trained = _do(spec)
    scores = {one["step"]: one["score"] for one in _decision(tmp_path)["scores"]}
    assert trained == max(scores) - 8
    assert len(shown.follow.call_args.args[0]) == max(scores)
    assert shown.scored.call_args.args == ("accuracy", scores)


def test_a_decided_job_trains_nothing(
    swept: tuple[Path, Launcher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(_job(tmp_path), root=swept[0])
    before = _decision(swept[0])
    monkeypatch.setattr(deciding, "network_for", None)
    assert _do(spec) == 0
    assert _decision(swept[0]) == before


@pytest.mark.parametrize(
    "other", [{"train.learning_rate": 0.0}, {"data.preprocessing": "inception"}]
)
def test_a_row_with_another_float_training_has_the_same_number(
    swept: tuple[Path, Launcher], tmp_path: Path, other: dict[str, Any]
) -> None:
    """Else it differed from the other rows in its steps too."""
    rows = {**ROWS, "other": FLOAT | other, "number": FLOAT | {"train.steps": 5}}
    launcher = Launcher()
    run_sweep(plan(tmp_path, rows, seeds=(0,)), launcher)
    assert len(launcher.stages) == 1 and launcher.stages == launcher.jobs[:1]
    decided = _decision(swept[0])["steps"]
    assert decided != 4  # without a learning rate nothing improves on the first evaluation
    steps = {}
    for row in read_manifest(tmp_path)["rows"]:
        (run,) = row["runs"]
        steps[row["label"]] = _steps(records.read_record(layout.run_folder(tmp_path, run["id"])))
    assert steps == {"baseline": decided, "default": decided, "other": decided, "number": 5}
    assert read_manifest(tmp_path)["decided"][0]["rows"] == ["baseline", "default", "other"]


def test_a_stage_that_diverges_decides_nothing_and_is_not_repeated(tmp_path: Path) -> None:
    rows = {"default": {"train.learning_rate": 1e30}}
    launcher = Launcher()
    for _ in range(2):
        with pytest.raises(QbenchError) as error:
            run_sweep(plan(tmp_path, rows), launcher)
        assert str(error.value).startswith(
            "train.steps=auto: the float network of default diverged at step "
        )
    assert len(launcher.jobs) == 1
    assert layout.record_files(tmp_path) == []


def _fail(path: Path) -> Ended:
    raise AssertionError("a job was launched")


def test_only_the_first_row_needs_validation_images(tmp_path: Path) -> None:
    rows = {"default": {}, "other": {"data.validation": None}}
    launcher = Launcher(lambda path: Ended("lost", "launched"))
    with pytest.raises(QbenchError, match="launched"):
        run_sweep(plan(tmp_path, rows), launcher)
    assert len(launcher.stages) == 1


def test_data_without_validation_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QbenchError) as error:
        run_sweep(plan(tmp_path, {"default": {"data.validation": None}}), Launcher(_fail))
    assert str(error.value) == (
        "train.steps=auto: digits has no validation images to decide on; set data.validation, such"
        " as data.validation=0.1."
    )


@pytest.mark.parametrize("changed", [{"auto_patience": 5}, {"auto_every": 2}])
def test_a_folder_of_another_sweep_is_refused_before_training(
    swept: tuple[Path, Launcher], changed: dict[str, Any]
) -> None:
    rule = EarlyStopping(**RULE.as_config() | changed)
    with pytest.raises(QbenchError, match=r"holds the table of another sweep, some of whose runs"):
        run_sweep(plan(swept[0], ROWS, auto=rule), Launcher(_fail))


def test_a_sweep_grows_by_rows_that_take_its_number(
    swept: tuple[Path, Launcher], tmp_path: Path
) -> None:
    """The folder of a sweep with further rows is its own; nothing is decided again."""
    folder = tmp_path / "grown"
    shutil.copytree(swept[0], folder)
    rows = {**ROWS, "other": {"train.batch_size": 8}}
    launcher = Launcher(lambda path: Ended("lost", "left out"))
    run_sweep(plan(folder, rows), launcher)
    assert launcher.stages == [] and launcher.jobs != []
    assert read_manifest(folder)["decided"][0]["rows"] == ["baseline", "default", "other"]


def test_networks_are_checked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(plan: Plan) -> None:
        raise QbenchError("model: wrong.")

    monkeypatch.setattr(sweep, "_check_models", refuse)
    with pytest.raises(QbenchError, match="model: wrong"):
        run_sweep(plan(tmp_path), Launcher(_fail))


def test_a_failure_is_told_and_tried_again_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def broken(*given: Any) -> None:
            raise RuntimeError("out of memory")

        patched.setattr(deciding, "network_for", broken)
        with pytest.raises(QbenchError, match=r"^steps of default: .*out of memory"):
            run_sweep(plan(tmp_path), Launcher())
        ((label, state),) = run_states(tmp_path)
        assert (label, state) == ("steps of default", "failed")
    assert layout.decision_records(tmp_path) == []
    with pytest.raises(QbenchError, match="again"):
        run_sweep(plan(tmp_path), Launcher(lambda path: Ended("lost", "again")))
    assert run_states(tmp_path) == [("steps of default", "waiting")]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (Ended("lost", "it was killed."), "it was killed."),
        (Ended("stopped"), "its job left nothing."),
    ],
)
def test_a_job_that_is_lost_is_told(tmp_path: Path, end: Ended, said: str) -> None:
    rows = {"default": {}, "other": {"train.batch_size": 8}}
    with pytest.raises(QbenchError) as error:
        run_sweep(plan(tmp_path, rows), Launcher(lambda path: end))
    assert str(error.value) == f"steps of default and 1 more: {said}"


def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="no room"):
        run_sweep(plan(tmp_path), Launcher(lambda path: Ended("full", "no room")))
    assert not layout.jobs_folder(tmp_path).exists()


def test_status_shows_the_decisions_that_a_sweep_waits_for(tmp_path: Path) -> None:
    seen: list[Any] = []

    def look(path: Path) -> Ended:
        seen.append(run_states(tmp_path))
        with opened(path) as spec:
            assert spec.decision is not None
            lock = Decisions(tmp_path, silent).lock(spec.decision.id)
            with locked(lock, silent):
                seen.append(run_states(tmp_path))
        return Ended("lost", "seen")

    with pytest.raises(QbenchError, match="seen"):
        run_sweep(plan(tmp_path), Launcher(look))
    assert seen == [[("steps of default", "waiting")], [("steps of default", "running")]]


def test_an_interrupted_list_of_decisions_is_not_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(QbenchError, match="kept"):
        run_sweep(plan(tmp_path), Launcher(lambda path: Ended("lost", "kept")))
    assert (tmp_path / layout.DECIDING).is_file()
    number = {"default": {"train.steps": 3}}
    with pytest.raises(Stopped):
        run_sweep(plan(tmp_path, number), Launcher(_stop))
    assert [state for _, state in run_states(tmp_path)] == ["waiting", "waiting"]


def _stop(path: Path) -> Ended:
    raise Stopped


def test_facts_of_data_do_not_depend_on_the_number(tmp_path: Path) -> None:
    waiting = plan(tmp_path, ROWS)
    known = plan(tmp_path, {name: one | {"train.steps": 4} for name, one in ROWS.items()})
    assert inputs_of(waiting) == inputs_of(known)
    store = Store(tmp_path, silent)
    assert store.folder != Decisions(tmp_path, silent).folder
