"""A sweep with ensembles, from the shell to the table, and what goes wrong with a member."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cli_examples as examples
import numpy as np
import pandas as pd
import pytest

from qbench.base.errors import Diverged
from qbench.cli.main import main
from qbench.planning.derived import DERIVED, DerivedRow, DerivedRun, Kind
from qbench.storage import layout, records
from qbench.storage import outputs as stored
from qbench.training import loop

SEEDS = ["seeds=[0,1,2,3]", "design.factors=[]", "train.steps=6"]
LABEL = "ensemble of 2: default"
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """Baseline and default, each with four seeds, alone and as two ensembles of two."""
    folder = tmp_path_factory.mktemp("sweep")
    assert main(["sweep", *_arguments(tiny, folder)]) == 0
    return folder


@pytest.fixture
def copy(sweep: Path, tmp_path: Path) -> Path:
    shutil.copytree(sweep, tmp_path / "copy")
    return tmp_path / "copy"


def _arguments(tiny: list[str], folder: Path, *more: str) -> list[str]:
    return [*tiny, *SEEDS, "design.ensembles=[2]", f"out={folder}", *more]


def _runs(folder: Path) -> Rows:
    """The runs in the manifest, by the label of their row."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    return {row["label"]: row["runs"] for row in manifest["rows"]}


def _record(folder: Path, run: str) -> dict[str, Any]:
    return records.read_record(layout.run_folder(folder, run))


def _outputs(folder: Path, run: str) -> Any:
    with np.load(folder / "runs" / run / "outputs.npz") as arrays:
        return arrays["outputs"].astype(np.float64)


def _files(folder: Path) -> dict[str, bytes]:
    """Every file of every run."""
    paths = [path for path in (folder / "runs").rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "table.csv").set_index("configuration")


def _lines(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "runs.csv", dtype={"seed": "Int64"})


def test_its_rows_follow_the_others_with_disjoint_members(sweep: Path) -> None:
    runs = _runs(sweep)
    assert list(runs) == ["baseline", "default", "ensemble of 2: baseline", LABEL]
    for label in ("baseline", "default"):
        derived = runs[f"ensemble of 2: {label}"]
        members = [run["id"] for run in runs[label]]
        assert [run["members"] for run in derived] == [members[:2], members[2:]]
        assert [run["seeds"] for run in derived] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("label", ["baseline", "default"])
def test_a_record_is_that_of_the_mean_probabilities(sweep: Path, label: str) -> None:
    """Of plain formulas over the outputs and labels that its members keep."""
    for run in _runs(sweep)[f"ensemble of 2: {label}"]:
        record = _record(sweep, run["id"])
        powers = [np.exp(_outputs(sweep, member)) for member in run["members"]]
        mean = sum(power / power.sum(axis=1, keepdims=True) for power in powers) / 2
        with np.load(sweep / "runs" / run["members"][0] / "predictions.npz") as stored:
            labels = stored["label"]
        with np.load(sweep / "runs" / run["id"] / "predictions.npz") as stored:
            np.testing.assert_array_equal(stored["predicted"], mean.argmax(axis=1))
            np.testing.assert_array_equal(stored["label"], labels)
        right = 100 * np.mean(mean.argmax(axis=1) == labels)
        loss = -np.log(mean[np.arange(len(labels)), labels]).mean()
        assert record["metrics"]["accuracy"] == pytest.approx(right)
        assert record["metrics"]["loss"] == pytest.approx(loss, rel=1e-9)
        np.testing.assert_allclose(_outputs(sweep, run["id"]), np.log(mean), rtol=1e-9)


def test_a_record_says_what_it_is(sweep: Path) -> None:
    run = _runs(sweep)[LABEL][1]
    record, member = _record(sweep, run["id"]), _record(sweep, run["members"][0])
    derived = {"kind": "ensemble", "count": 2, "members": run["members"]}
    assert (record["derived"], record["seed"], record["status"]) == (derived, None, "ok")
    assert json.loads((sweep / "runs" / run["id"] / "config.json").read_bytes()) == derived
    assert run["id"] == records.content_id(derived | {"members": sorted(run["members"])})
    assert record["steps"] == {"float": 0, "quantized": 0}
    assert record["size"]["megabytes"] == 2 * member["size"]["megabytes"]
    assert list(record["seconds"]) == ["evaluate"]
    same = ("factors", "quantized", "data", "device", "threads")
    assert [record[key] for key in same] == [member[key] for key in same]


def test_the_table_has_means_and_spreads_over_ensembles(sweep: Path) -> None:
    table = _table(sweep)
    metrics = [_record(sweep, run["id"])["metrics"] for run in _runs(sweep)[LABEL]]
    values = [one["accuracy"] for one in metrics]
    row = table.loc[LABEL]
    assert (row["n_seeds"], row["status"]) == (2, "ok")
    assert row["accuracy"] == pytest.approx(np.mean(values), abs=1e-6)
    assert row["accuracy_std"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert row["size_mb"] == pytest.approx(2 * table.loc["default", "size_mb"], abs=1e-6)
    assert row["bits"] == table.loc["default", "bits"]
    assert (table["n_seeds"] == [4, 4, 2, 2]).all()
    lines = _lines(sweep)
    mine = lines[lines["configuration"] == LABEL]
    assert mine["seed"].isna().all()
    assert list(mine["members"]) == [" ".join(run["members"]) for run in _runs(sweep)[LABEL]]
    assert (mine["steps_float"] + mine["steps_quantized"]).eq(0).all()
    for name in ("table.md", "report.html"):
        assert "ensemble of K" in (sweep / name).read_text()


def test_the_same_sweep_computes_nothing_again(
    copy: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = _files(copy)
    assert main(["sweep", *_arguments(tiny, copy)]) == 0
    assert "8 runs, 0 to do; 4 derived; " in capsys.readouterr().err
    assert _files(copy) == before


@pytest.mark.parametrize("damage", ["removed", "record", "predictions", "outputs"])
def test_one_that_is_lost_is_computed_again_and_nothing_is_trained(
    copy: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    run = _runs(copy)[LABEL][0]["id"]
    expected, before = _record(copy, run), _files(copy)
    folder = copy / "runs" / run
    if damage == "removed":
        shutil.rmtree(folder)
    else:
        name = {"record": layout.RECORD, "predictions": layout.PREDICTIONS}
        path = folder / name.get(damage, layout.OUTPUTS)
        path.write_bytes(path.read_bytes()[:-9])
    watched = examples.Watched(monkeypatch)
    assert main(["sweep", *_arguments(tiny, copy)]) == 0
    assert watched.total == 0
    found = _record(copy, run)
    assert found["metrics"] == expected["metrics"]
    assert {k: v for k, v in _files(copy).items() if run not in k} == {
        k: v for k, v in before.items() if run not in k
    }


def test_the_order_of_seeds_changes_neither_ids_nor_bits(copy: Path, tiny: list[str]) -> None:
    ids = [run["id"] for run in _runs(copy)[LABEL]]
    expected = [_outputs(copy, run).tobytes() for run in ids]
    for run in ids:
        shutil.rmtree(copy / "runs" / run)
    turned = [text.replace("[0,1,2,3]", "[3,2,1,0]") for text in _arguments(tiny, copy)]
    assert main(["sweep", *turned]) == 0
    assert [run["seeds"] for run in _runs(copy)[LABEL]] == [[3, 2], [1, 0]]
    assert [run["id"] for run in _runs(copy)[LABEL]] == ids[::-1]
    assert [_outputs(copy, run).tobytes() for run in ids] == expected


class Fails:
    """Fails or diverges in the quantized steps of one seed."""

    def __init__(self, patch: pytest.MonkeyPatch, seed: int, error: Exception) -> None:
        self.seed, self.error = seed, error
        self._original = loop.train_phase
        patch.setattr(loop, "train_phase", self)

    def __call__(self, network: Any, experiment: Any, data: Any, phase: str, *rest: Any) -> Any:
        if (experiment.seed, phase) == (self.seed, "quantized"):
            raise self.error
        return self._original(network, experiment, data, phase, *rest)


@pytest.fixture
def lost(copy: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The sweep without the default's seed 1 and its ensemble, and the ensemble's record."""
    runs = _runs(copy)
    gone = [runs["default"][1]["id"], runs[LABEL][0]["id"]]
    record = _record(copy, gone[1])
    for run in gone:
        shutil.rmtree(copy / "runs" / run)
    yield copy, record


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("the machine caught fire"), "failed: RuntimeError: the machine caught fire"),
        (Diverged(4), "diverged: the loss was not finite at step 5"),
    ],
    ids=["failed", "diverged"],
)
def test_a_member_that_did_not_end_well_is_named_and_the_other_ensemble_stands(
    lost: tuple[Path, dict[str, Any]],
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    said: str,
) -> None:
    copy, expected = lost
    Fails(monkeypatch, 1, error)
    arguments = _arguments(tiny, copy, "retries=0")
    assert main(["sweep", *arguments]) == 1
    runs = _runs(copy)
    member, first, second = runs["default"][1]["id"], *(run["id"] for run in runs[LABEL])
    found = _record(copy, first)
    reason = f"its member default seed 1 (run {member}) {said}"
    assert found["status"] == "failed"
    assert found["error"]["message"].startswith(reason)
    assert _record(copy, second)["status"] == "ok"
    row = _table(copy).loc[LABEL]
    assert (row["status"], row["n_seeds"]) == ("failed", 1)
    printed = capsys.readouterr()
    assert f"! {LABEL}, seeds 0, 1: failed. {reason}" in printed.out
    assert "2 of 12 runs did not end well" in printed.err
    monkeypatch.undo()
    if isinstance(error, Diverged):  # it is finished, and would diverge again
        shutil.rmtree(copy / "runs" / member)
    assert main(["sweep", *arguments]) == 0
    assert _record(copy, first)["metrics"] == expected["metrics"]


def test_where_a_member_is_missing_the_ensemble_is_too(
    lost: tuple[Path, dict[str, Any]],
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The sweep was stopped before it came to seed 1."""
    copy, expected = lost
    shutil.rmtree(copy / "runs" / _runs(copy)["default"][0]["id"])
    Fails(monkeypatch, 0, RuntimeError("the machine caught fire"))
    arguments = _arguments(tiny, copy)
    assert main(["sweep", *arguments, "retries=0", "fail_fast=true"]) == 1
    runs = _runs(copy)
    assert not (copy / "runs" / runs[LABEL][0]["id"]).exists()
    capsys.readouterr()
    assert main(["status", str(copy)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "waiting  default seed 1" in lines
    assert f"waiting  {LABEL} seeds 0, 1" in lines
    assert f"done     {LABEL} seeds 2, 3" in lines
    monkeypatch.undo()
    assert main(["sweep", *arguments]) == 0
    assert _record(copy, runs[LABEL][0]["id"])["metrics"] == expected["metrics"]


def test_members_without_outputs_are_named_and_evaluate_makes_them(
    copy: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As where they were trained before there were outputs, or were committed."""
    runs = _runs(copy)
    ensemble = runs[LABEL][0]
    expected = _record(copy, ensemble["id"])
    shutil.rmtree(copy / "runs" / ensemble["id"])
    for member in ensemble["members"]:
        (copy / "runs" / member / "outputs.npz").unlink()
    assert main(["sweep", *_arguments(tiny, copy)]) == 1
    first, second = ensemble["members"]
    assert _record(copy, ensemble["id"])["error"]["message"] == (
        f"outputs.npz is missing in its members default seed 0 (run {first}), default seed 1 (run"
        f" {second}); `qbench evaluate RUN` writes it if the weights are there; else remove the"
        " folder of such a run, and the same sweep trains it again."
    )
    for member in ensemble["members"]:
        assert main(["evaluate", str(copy / "runs" / member)]) == 0
        assert "outputs.npz written" in capsys.readouterr().out
    assert main(["sweep", *_arguments(tiny, copy)]) == 0
    assert _record(copy, ensemble["id"])["metrics"] == expected["metrics"]


def test_a_report_needs_no_outputs(copy: Path) -> None:
    """As after a checkout of committed results."""
    names = ["runs.csv", "table.csv", "table.md", "report.html"]
    before = {name: (copy / name).read_bytes() for name in names}
    for path in copy.glob("runs/*/outputs.npz"):
        path.unlink()
    for path in copy.glob("runs/*/model.weights.h5"):
        path.unlink()
    assert main(["report", str(copy)]) == 0
    assert {name: (copy / name).read_bytes() for name in names} == before


@pytest.mark.parametrize("verb", ["evaluate", "convert", "trace", "latency"])
def test_verbs_of_one_network_say_that_it_has_none(
    sweep: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _runs(sweep)[LABEL][0]
    folder = sweep / "runs" / run["id"]
    before = {path.name for path in folder.iterdir()}
    assert examples.refused_with([verb, str(folder)], capsys) == (
        f"{folder}: this run is derived (ensemble) from the runs {', '.join(run['members'])} and"
        " has no network of its own; give the folder of one of these runs."
    )
    assert {path.name for path in folder.iterdir()} == before


def test_latency_of_a_sweep_passes_them_over(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", str(sweep)]) == 2
    printed = capsys.readouterr().out
    assert printed.count("not measured: ") == 8
    assert "ensemble" not in printed


@pytest.mark.slow
def test_a_sweep_converts_their_members_only(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["seeds=[0,1]", "design.factors=[]", "design.baseline=false", "train.steps=2"]
    few += ["quant=deploy", "design.ensembles=[2]", "deploy.enabled=true", f"out={tmp_path}"]
    assert main(["sweep", *tiny, *few]) == 0
    table, runs = _table(tmp_path), _runs(tmp_path)
    assert list(table["n_deployed"]) == [2, 0]
    assert table.loc[LABEL, ["export", "deployed_accuracy", "tflite_mb"]].isna().all()
    (ensemble,) = runs[LABEL]
    made = {path.parent.name for path in tmp_path.glob("runs/*/deploy.json")}
    assert made == set(ensemble["members"])
    said = capsys.readouterr()
    assert "!" not in said.out


class Best(Kind):
    """Another kind: of all runs of the plan, the one with the smallest loss."""

    name = "best"
    needs = (layout.OUTPUTS, layout.WEIGHTS)

    def check(self, settings: Any) -> None:
        """No setting of its own."""

    def rows(self, rows: Any, settings: Any) -> list[DerivedRow]:
        """One row with one run."""
        members = tuple((row.label, seed) for row in rows for seed in settings.seeds)
        run = DerivedRun("best of all", members)
        return [DerivedRow(self.name, "best of all", rows[0], {}, (run,))]

    def outputs(self, members: Any, data: Any) -> Any:
        """Those of the best member."""
        return stored.read(min(members, key=lambda one: one.record["metrics"]["loss"]).folder)

    def size(self, sizes: Any) -> dict[str, Any]:
        """That of one network."""
        return dict(sizes[0])

    def note(self) -> str:
        """A sentence."""
        return "The best of all has the smallest loss."


def test_another_kind_needs_its_class_only(
    copy: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With members of several rows."""
    monkeypatch.setattr(DERIVED, "_items", {**DERIVED._items, "best": Best()})
    assert main(["sweep", *_arguments(tiny, copy)]) == 0
    runs = _runs(copy)
    (best,) = runs["best of all"]
    members = [run["id"] for label in ("baseline", "default") for run in runs[label]]
    assert best["members"] == members
    expected = min((_record(copy, run)["metrics"] for run in members), key=lambda m: m["loss"])
    assert _record(copy, best["id"])["metrics"] == expected
    assert _table(copy).loc["best of all", "loss"] == pytest.approx(expected["loss"], abs=1e-6)
    assert "The best of all has the smallest loss." in (copy / "table.md").read_text()
    shutil.rmtree(copy / "runs" / best["id"])
    (copy / "runs" / members[0] / layout.WEIGHTS).unlink()
    assert main(["sweep", *_arguments(tiny, copy)]) == 1
    assert _record(copy, best["id"])["error"]["message"] == (
        f"model.weights.h5 is missing in its members baseline seed 0 (run {members[0]}); remove"
        " the folder of such a run, and the same sweep trains it again."
    )


def test_clean_and_status_know_them(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _files(sweep)
    assert main(["clean", str(sweep)]) == 0
    assert _files(sweep) == before
    capsys.readouterr()
    assert main(["status", str(sweep)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"done     {LABEL} seeds 2, 3" in lines
    assert lines[-1] == "12 done, 0 running, 0 failed, 0 waiting"


def test_a_table_that_would_lose_them_is_refused(
    sweep: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = examples.refused_with(["sweep", *tiny, *SEEDS, f"out={sweep}"], capsys)
    assert "holds the table of another sweep, 4 of whose runs are not part of this one" in said


def test_verify_sharing_trains_their_members_only(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["seeds=[0,1]", "design.factors=[]", "design.baseline=false", "train.steps=2"]
    assert main(["verify-sharing", *tiny, *arguments, "design.ensembles=[2]"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_sweep_with_more_members_than_seeds_is_refused(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _arguments(tiny, tmp_path / "none", "design.ensembles=[2,5]")
    assert examples.refused_with(["sweep", *arguments], capsys) == (
        "design.ensembles=[2,5] is not allowed: expected numbers of at most 4, the number of seeds."
    )
    assert not (tmp_path / "none").exists()
