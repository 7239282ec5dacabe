"""Event files for TensorBoard, read by TensorBoard's own reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_examples import do, experiment, jobs, resolved, weights

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.engine import tracking
from qbench.engine.spec import DecisionSpec, JobSpec, Policy, RunSpec, SegmentSpec
from qbench.planning.early_stopping import EarlyStopping
from qbench.training.loop import history

installed = pytest.mark.skipif(
    not tracking._is_installed(), reason="the extra tensorboard is not installed"
)

LOSSES = [float(np.float32(2.0 / (1 + k))) for k in range(10)]
RECORD = {
    "status": "ok",
    "metrics": {"accuracy": 87.5, "loss": 0.25},
    "validation": {"images": 5, "seed": 0, "metrics": {"accuracy": 75.0}},
}


def spec(root: Path, *runs: RunSpec, label: str = "trunk to step 5") -> JobSpec:
    chosen = runs[0].experiment if runs else experiment()
    return JobSpec(
        root=root,
        id="job",
        label=label,
        experiment=chosen,
        segments=(SegmentSpec("5e9", "float", 0, 5, True),),
        runs=runs,
        device="CPU",
        data={},
        data_folder=None,
        policy=Policy(track="tensorboard"),
    )


def a_run(name: str = "abc", label: str = "quant.placement=[conv] seed 0", **changes: Any) -> Any:
    return RunSpec(name, experiment({"train.log_every": 2, **changes}), label)


def said(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars of a run as TensorBoard reads them: (step, value) by tag."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    read = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    read.Reload()
    return {
        tag: [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in read.Tensors(tag)]
        for tag in read.Tags()["tensors"]
        if not tag.startswith("_hparams_")
    }


def table_of(root: Path) -> dict[str, dict[str, Any]]:
    """The settings of every session in the HParams table of TensorBoard, by group name."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.backend_context import Context
    from tensorboard.plugins.hparams.list_session_groups import Handler

    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(root))
    multiplexer.Reload()
    backend = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(root))))
    asked = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=api_pb2.Status.values(),
        slice_size=100,
        aggregation_type=api_pb2.AGGREGATION_AVG,
    )
    context, name = RequestContext(), ""
    found = Handler(context, backend, name, asked).run().session_groups
    status = api_pb2.Status.Name
    return {
        group.name: {
            "status": status(group.sessions[0].status),
            **{key: getattr(v, v.WhichOneof("kind")) for key, v in group.hparams.items()},
        }
        for group in found
    }


def rows(losses: list[float], chosen: Experiment) -> list[tuple[int, float]]:
    made = history(losses, chosen.phases, chosen.train.log_every)
    return [(row["step"], pytest.approx(float(row["loss"]))) for row in made]


@installed
def test_a_run_shows_its_history_its_metrics_and_its_settings(tmp_path: Path) -> None:
    run = a_run()
    shown = tracking.tracker_of(spec(tmp_path, run), print)
    shown.follow(LOSSES[:3])  # the third step is half of a row
    (folder,) = (tmp_path / "tensorboard").iterdir()
    assert folder.name == "quant.placement=_conv_seed_0-abc"
    assert said(folder) == {"loss": rows(LOSSES[:2], run.experiment)}
    assert table_of(tmp_path)["abc"]["status"] == "STATUS_UNKNOWN"  # no end yet
    shown.ended("abc", run.experiment, RECORD, LOSSES)
    assert said(folder) == {
        "loss": rows(LOSSES, run.experiment),
        "test/accuracy": [(10, 87.5)],
        "test/loss": [(10, 0.25)],
        "validation/accuracy": [(10, 75.0)],
    }
    session = table_of(tmp_path)["abc"]
    assert session["status"] == "STATUS_SUCCESS"
    assert (session["quant.bits"], session["train.optimizer.name"]) == (8.0, "sgd")
    assert session["quant.placement"] == "[conv,activation]"


@installed
def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    run = a_run()
    tracking.tracker_of(spec(tmp_path, run), print).follow(LOSSES[:8])
    (folder,) = (tmp_path / "tensorboard").iterdir()
    (left,) = folder.iterdir()
    left.write_bytes(left.read_bytes()[:-7])  # killed within a write
    again = tracking.tracker_of(spec(tmp_path, replace(run, label="another label")), print)
    assert list(folder.iterdir()) == [left]  # until there is something to show
    again.follow(LOSSES[:6])
    again.ended("abc", run.experiment, {**RECORD, "metrics": None, "status": "diverged"}, LOSSES)
    assert list((tmp_path / "tensorboard").iterdir()) == [folder]
    assert [path.name > left.name for path in folder.iterdir()] == [True]
    assert said(folder)["loss"] == rows(LOSSES, run.experiment)
    assert table_of(tmp_path)["abc"]["status"] == "STATUS_FAILURE"


@installed
def test_a_trunk_shows_its_loss_and_is_no_line_of_the_table(tmp_path: Path) -> None:
    tracking.tracker_of(spec(tmp_path), print).follow(LOSSES[:5])
    folder = tmp_path / "tensorboard" / "trunk_to_step_5-5e9"
    assert [step for step, _ in said(folder)["loss"]] == [1, 2, 3, 4, 5]
    assert table_of(tmp_path) == {}


@installed
def test_a_first_stage_shows_its_loss_and_its_scores(tmp_path: Path) -> None:
    """A job that goes on from a checkpoint knows all losses and scores, and writes them anew."""
    decision = DecisionSpec("d1c", EarlyStopping(), "planned")
    stage = replace(spec(tmp_path, label="steps of a"), segments=(), decision=decision)
    shown = tracking.tracker_of(stage, print)
    shown.follow(LOSSES[:4])
    shown.scored("accuracy", {4: 50.0})
    again = tracking.tracker_of(stage, print)
    for count, scores in ((5, {4: 50.0}), (8, {4: 50.0, 8: 75.0})):
        again.follow(LOSSES[:count])
        again.scored("accuracy", scores)
    folder = tmp_path / "tensorboard" / "steps_of_a-d1c"
    assert len(list(folder.iterdir())) == 1
    found = said(folder)
    assert [step for step, _ in found["loss"]] == list(range(1, 9))
    assert found["validation/accuracy"] == [(4, 50.0), (8, 75.0)]
    assert table_of(tmp_path) == {}


@installed
def test_training_goes_on_if_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file in the way")
    lines: list[str] = []
    shown = tracking.tracker_of(spec(tmp_path, a_run()), lines.append)
    shown.follow(LOSSES)
    shown.ended("abc", experiment(), RECORD, LOSSES)
    assert len(lines) == 1 and lines[0].endswith("training goes on, and is not shown any further.")


def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tracking, "_is_installed", lambda: False)
    tracking.check_tracking(None)
    with pytest.raises(QbenchError, match=r"^track=tensorboard: needs .*\[tensorboard\]'\)\.$"):
        tracking.check_tracking("tensorboard")
    lines: list[str] = []
    tracking.tracker_of(spec(tmp_path, a_run()), lines.append).follow(LOSSES)
    assert len(lines) == 1 and not list(tmp_path.iterdir())


@installed
@pytest.mark.slow
def test_tracking_changes_no_bit(tmp_path: Path) -> None:
    work = resolved({}, {"quant.bits": 4})
    for track in (None, "tensorboard"):
        root = tmp_path / str(track)
        for job in jobs(work, root):
            assert do(replace(job, policy=Policy(track=track))) == 5
    for run in work.ids:
        assert weights(tmp_path / "None", run) == weights(tmp_path / "tensorboard", run)
    folders = [path.name for path in (tmp_path / "tensorboard" / "tensorboard").iterdir()]
    ids = set(work.ids)
    assert {name.rpartition("-")[2] for name in folders} > ids and len(folders) == 3
    for name in folders:
        found = said(tmp_path / "tensorboard" / "tensorboard" / name)
        steps = [step for step, _ in found["loss"]]
        whole = name.rpartition("-")[2] in ids
        assert steps == list(range(1, 11 if whole else 6)) and ("test/accuracy" in found) == whole
