"""Derived runs that are computed again, that cannot be computed, and that are of another kind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cli_ensembles as ensembles
import cli_examples as examples
import pytest

from qbench.base.errors import Diverged
from qbench.cli.main import main
from qbench.engine import exporting
from qbench.planning.derived import DERIVED, DerivedRow, DerivedRun, Kind
from qbench.storage import layout, records
from qbench.storage import outputs as stored
from qbench.training import loop


@pytest.mark.parametrize("damage", ["removed", "record", "predictions", "outputs"])
def test_one_that_is_lost_is_computed_again_and_nothing_is_trained(
    copy: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    run = ensembles.runs(copy)[ensembles.LABEL][0]["id"]
    expected, before = ensembles.record(copy, run), ensembles.files(copy)
    folder = copy / "runs" / run
    if damage == "removed":
        shutil.rmtree(folder)
    else:
        name = {"record": layout.RECORD, "predictions": layout.PREDICTIONS}
        path = folder / name.get(damage, layout.OUTPUTS)
        path.write_bytes(path.read_bytes()[:-9])
    watched = examples.Watched(monkeypatch)
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 0
    assert watched.total == 0
    found = ensembles.record(copy, run)
    assert found["metrics"] == expected["metrics"]
    assert {k: v for k, v in ensembles.files(copy).items() if run not in k} == {
        k: v for k, v in before.items() if run not in k
    }


def test_only_trained_runs_of_the_first_seeds_are_converted(
    copy: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def to_make(root: Path, wanted: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
        asked.extend(wanted)
        return []

    monkeypatch.setattr(exporting, "files_to_make", to_make)
    monkeypatch.setattr(exporting, "unmade", lambda root, wanted: [])
    chosen = ensembles.arguments(tiny, copy, "deploy.enabled=true", "deploy.seeds=2")
    assert main(["sweep", *chosen]) == 0
    floats, quantized = (
        [run["id"] for run in ensembles.runs(copy)[row][:2]] for row in ("baseline", "default")
    )
    every = [(run, None) for run in (*floats, *quantized)]
    assert asked == [*every, *((run, "representative") for run in floats)]


def test_one_whose_member_has_other_outputs_now_is_computed_again(
    copy: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the member was trained again on a GPU, which does not repeat to the bit."""
    first, second = (run["id"] for run in ensembles.runs(copy)[ensembles.LABEL])
    member = copy / "runs" / ensembles.runs(copy)[ensembles.LABEL][0]["members"][0]
    before = ensembles.record(copy, first), ensembles.files(copy)
    turned = -stored.read(member)
    records.add_file(member, layout.OUTPUTS, stored.outputs_file(turned))
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 0
    found = ensembles.record(copy, first)
    assert found["status"] == "ok" and found["metrics"] != before[0]["metrics"]
    told = f"{copy / 'runs' / first}: was computed from other results of its members. Set aside"
    assert capsys.readouterr().err.count(told) == 1
    after = ensembles.files(copy)
    assert after[f"runs/{first}.damaged/record.json"] == before[1][f"runs/{first}/record.json"]
    assert after[f"runs/{second}/record.json"] == before[1][f"runs/{second}/record.json"]
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 0
    assert ensembles.files(copy) == after


def test_the_order_of_seeds_changes_neither_ids_nor_bits(copy: Path, tiny: list[str]) -> None:
    ids = [run["id"] for run in ensembles.runs(copy)[ensembles.LABEL]]
    expected = [ensembles.outputs(copy, run).tobytes() for run in ids]
    for run in ids:
        shutil.rmtree(copy / "runs" / run)
    turned = [text.replace("[0,1,2,3]", "[3,2,1,0]") for text in ensembles.arguments(tiny, copy)]
    assert main(["sweep", *turned]) == 0
    assert [run["seeds"] for run in ensembles.runs(copy)[ensembles.LABEL]] == [[3, 2], [1, 0]]
    assert [run["id"] for run in ensembles.runs(copy)[ensembles.LABEL]] == ids[::-1]
    assert [ensembles.outputs(copy, run).tobytes() for run in ids] == expected


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
    runs = ensembles.runs(copy)
    gone = [runs["default"][1]["id"], runs[ensembles.LABEL][0]["id"]]
    record = ensembles.record(copy, gone[1])
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
    arguments = ensembles.arguments(tiny, copy, "retries=0")
    assert main(["sweep", *arguments]) == 1
    runs = ensembles.runs(copy)
    member, first, second = runs["default"][1]["id"], *(run["id"] for run in runs[ensembles.LABEL])
    found = ensembles.record(copy, first)
    reason = f"its member default seed 1 (run {member}) {said}"
    assert found["status"] == "failed"
    assert found["error"]["message"].startswith(reason)
    assert ensembles.record(copy, second)["status"] == "ok"
    row = ensembles.table(copy).loc[ensembles.LABEL]
    assert (row["status"], row["n_seeds"]) == ("failed", 1)
    printed = capsys.readouterr()
    assert f"! {ensembles.LABEL}, seeds 0, 1: failed. {reason}" in printed.out
    assert "2 of 12 runs did not end well" in printed.err
    monkeypatch.undo()
    if isinstance(error, Diverged):  # it is finished, and would diverge again
        shutil.rmtree(copy / "runs" / member)
    assert main(["sweep", *arguments]) == 0
    assert ensembles.record(copy, first)["metrics"] == expected["metrics"]


@pytest.mark.slow
def test_where_a_member_is_missing_the_ensemble_is_too(
    lost: tuple[Path, dict[str, Any]],
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The sweep was stopped before it came to seed 1."""
    copy, expected = lost
    shutil.rmtree(copy / "runs" / ensembles.runs(copy)["default"][0]["id"])
    Fails(monkeypatch, 0, RuntimeError("the machine caught fire"))
    arguments = ensembles.arguments(tiny, copy)
    assert main(["sweep", *arguments, "retries=0", "fail_fast=true"]) == 1
    runs = ensembles.runs(copy)
    assert not (copy / "runs" / runs[ensembles.LABEL][0]["id"]).exists()
    capsys.readouterr()
    assert main(["status", str(copy)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "waiting  default seed 1" in lines
    assert f"waiting  {ensembles.LABEL} seeds 0, 1" in lines
    assert f"done     {ensembles.LABEL} seeds 2, 3" in lines
    monkeypatch.undo()
    assert main(["sweep", *arguments]) == 0
    assert ensembles.record(copy, runs[ensembles.LABEL][0]["id"])["metrics"] == expected["metrics"]


def test_members_without_outputs_are_named_and_evaluate_makes_them(
    copy: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As where they were trained before there were outputs, or were committed."""
    runs = ensembles.runs(copy)
    ensemble = runs[ensembles.LABEL][0]
    expected = ensembles.record(copy, ensemble["id"])
    shutil.rmtree(copy / "runs" / ensemble["id"])
    for member in ensemble["members"]:
        (copy / "runs" / member / "outputs.npz").unlink()
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 1
    first, second = ensemble["members"]
    assert ensembles.record(copy, ensemble["id"])["error"]["message"] == (
        f"outputs.npz is missing in its members default seed 0 (run {first}), default seed 1 (run"
        f" {second}); `qbench evaluate RUN` writes it if the weights are there; else remove the"
        " folder of such a run, and the same sweep trains it again."
    )
    for member in ensemble["members"]:
        assert main(["evaluate", str(copy / "runs" / member)]) == 0
        assert "outputs.npz written" in capsys.readouterr().out
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 0
    assert ensembles.record(copy, ensemble["id"])["metrics"] == expected["metrics"]


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

    def outputs(self, members: Any, data: Any, part: str) -> Any:
        """Those of the best member."""
        best = min(members, key=lambda one: one.record["metrics"]["loss"])
        return stored.read(best.folder, part)

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
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 0
    runs = ensembles.runs(copy)
    (best,) = runs["best of all"]
    members = [run["id"] for label in ("baseline", "default") for run in runs[label]]
    assert best["members"] == members
    expected = min(
        (ensembles.record(copy, run)["metrics"] for run in members), key=lambda m: m["loss"]
    )
    assert ensembles.record(copy, best["id"])["metrics"] == expected
    assert ensembles.table(copy).loc["best of all", "loss"] == pytest.approx(
        expected["loss"], abs=1e-6
    )
    assert "The best of all has the smallest loss." in (copy / "table.md").read_text()
    shutil.rmtree(copy / "runs" / best["id"])
    (copy / "runs" / members[0] / layout.WEIGHTS).unlink()
    assert main(["sweep", *ensembles.arguments(tiny, copy)]) == 1
    assert ensembles.record(copy, best["id"])["error"]["message"] == (
        f"model.weights.h5 is missing in its members baseline seed 0 (run {members[0]}); remove"
        " the folder of such a run, and the same sweep trains it again."
    )
