"""A sweep with ensembles, from the shell to the table, and what other verbs say of them."""

from __future__ import annotations

import json
from pathlib import Path

import cli_ensembles as ensembles
import cli_examples as examples
import numpy as np
import pandas as pd
import pytest

from qbench.cli.main import main
from qbench.storage import records


def _lines(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "runs.csv", dtype={"seed": "Int64"})


def test_its_rows_follow_the_others_with_disjoint_members(whole: Path) -> None:
    runs = ensembles.runs(whole)
    assert list(runs) == ["baseline", "default", "ensemble of 2: baseline", ensembles.LABEL]
    for label in ("baseline", "default"):
        derived = runs[f"ensemble of 2: {label}"]
        members = [run["id"] for run in runs[label]]
        assert [run["members"] for run in derived] == [members[:2], members[2:]]
        assert [run["seeds"] for run in derived] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("label", ["baseline", "default"])
def test_a_record_is_that_of_the_mean_probabilities(whole: Path, label: str) -> None:
    """Of plain formulas over the outputs and labels that its members keep."""
    for run in ensembles.runs(whole)[f"ensemble of 2: {label}"]:
        record = ensembles.record(whole, run["id"])
        powers = [np.exp(ensembles.outputs(whole, member)) for member in run["members"]]
        mean = sum(power / power.sum(axis=1, keepdims=True) for power in powers) / 2
        with np.load(whole / "runs" / run["members"][0] / "predictions.npz") as stored:
            labels = stored["label"]
        with np.load(whole / "runs" / run["id"] / "predictions.npz") as stored:
            np.testing.assert_array_equal(stored["predicted"], mean.argmax(axis=1))
            np.testing.assert_array_equal(stored["label"], labels)
        right = 100 * np.mean(mean.argmax(axis=1) == labels)
        loss = -np.log(mean[np.arange(len(labels)), labels]).mean()
        assert record["metrics"]["accuracy"] == pytest.approx(right)
        assert record["metrics"]["loss"] == pytest.approx(loss, rel=1e-9)
        np.testing.assert_allclose(ensembles.outputs(whole, run["id"]), np.log(mean), rtol=1e-9)


def test_a_record_says_what_it_is(whole: Path) -> None:
    run = ensembles.runs(whole)[ensembles.LABEL][1]
    record, member = ensembles.record(whole, run["id"]), ensembles.record(whole, run["members"][0])
    derived = {"kind": "ensemble", "count": 2, "members": run["members"]}
    assert (record["derived"], record["seed"], record["status"]) == (derived, None, "ok")
    assert json.loads((whole / "runs" / run["id"] / "config.json").read_bytes()) == derived
    assert run["id"] == records.content_id(derived | {"members": sorted(run["members"])})
    assert record["steps"] == {"float": 0, "quantized": 0}
    assert record["size"]["megabytes"] == 2 * member["size"]["megabytes"]
    assert list(record["seconds"]) == ["evaluate"]
    same = ("factors", "quantized", "data", "device", "threads")
    assert [record[key] for key in same] == [member[key] for key in same]


def test_the_table_has_means_and_spreads_over_ensembles(whole: Path) -> None:
    table = ensembles.table(whole)
    metrics = [
        ensembles.record(whole, run["id"])["metrics"]
        for run in ensembles.runs(whole)[ensembles.LABEL]
    ]
    values = [one["accuracy"] for one in metrics]
    row = table.loc[ensembles.LABEL]
    assert (row["n_seeds"], row["status"]) == (2, "ok")
    assert row["accuracy"] == pytest.approx(np.mean(values), abs=1e-6)
    assert row["accuracy_std"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert row["size_mb"] == pytest.approx(2 * table.loc["default", "size_mb"], abs=1e-6)
    assert row["bits"] == table.loc["default", "bits"]
    assert (table["n_seeds"] == [4, 4, 2, 2]).all()
    lines = _lines(whole)
    mine = lines[lines["configuration"] == ensembles.LABEL]
    assert mine["seed"].isna().all()
    assert list(mine["members"]) == [
        " ".join(run["members"]) for run in ensembles.runs(whole)[ensembles.LABEL]
    ]
    assert (mine["steps_float"] + mine["steps_quantized"]).eq(0).all()
    for name in ("table.md", "report.html"):
        assert "ensemble of K" in (whole / name).read_text()


def test_the_same_sweep_computes_nothing_again(
    copy: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = ensembles.files(copy)
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 0
    assert "8 runs, 0 to do; 4 derived; " in capsys.readouterr().err
    assert ensembles.files(copy) == before


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
    whole: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ensembles.runs(whole)[ensembles.LABEL][0]
    folder = whole / "runs" / run["id"]
    before = {path.name for path in folder.iterdir()}
    assert examples.refused_with([verb, str(folder)], capsys) == (
        f"{folder}: this run is derived (ensemble) from the runs {', '.join(run['members'])} and"
        " has no network of its own; give the folder of one of these runs."
    )
    assert {path.name for path in folder.iterdir()} == before


def test_latency_of_a_sweep_passes_them_over(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", str(whole)]) == 2
    printed = capsys.readouterr().out
    assert printed.count("not measured: ") == 8
    assert "ensemble of" not in printed


@pytest.mark.slow
def test_a_sweep_converts_their_members_only(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["seeds=[0,1]", "design.factors=[]", "design.baseline=false", "train.steps=2"]
    few += ["quant=deploy", "design.ensembles=[2]", "deploy.enabled=true", f"out={tmp_path}"]
    assert main(["sweep", *tiny, *few]) == 0
    table, runs = ensembles.table(tmp_path), ensembles.runs(tmp_path)
    assert list(table["n_deployed"]) == [2, 0]
    assert table.loc[ensembles.LABEL, ["export", "deployed_accuracy", "tflite_mb"]].isna().all()
    (ensemble,) = runs[ensembles.LABEL]
    made = {path.parent.name for path in tmp_path.glob("runs/*/deploy.json")}
    assert made == set(ensemble["members"])
    said = capsys.readouterr()
    assert "!" not in said.out


def test_clean_and_status_know_them(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = ensembles.files(whole)
    assert main(["clean", str(whole)]) == 0
    assert ensembles.files(whole) == before
    capsys.readouterr()
    assert main(["status", str(whole)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"done     {ensembles.LABEL} seeds 2, 3" in lines
    assert lines[-1] == "12 done, 0 running, 0 failed, 0 waiting"


def test_a_table_that_would_lose_them_is_refused(
    whole: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = examples.refused_with(["sweep", *tiny, *ensembles.SEEDS, f"out={whole}"], capsys)
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
    arguments = ensembles.arguments(tiny, tmp_path / "none", "design.ensembles=[2,5]")
    assert examples.refused_with(["sweep", *arguments], capsys) == (
        "design.ensembles=[2,5] is not allowed: expected numbers of at most 4, the number of seeds."
    )
    assert not (tmp_path / "none").exists()
