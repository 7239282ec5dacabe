"""Sweeps that are done seed by seed: which seeds are begun, and what the manifest says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import engine_examples as examples
import pytest

from qbench.base.errors import QbenchError
from qbench.engine import by_seed
from qbench.engine.by_seed import (
    ALL,
    BUDGET,
    DECIDED,
    NOTHING,
    STOPPED,
    Ended,
    Parts,
    seed_by_seed,
)
from qbench.engine.manifest import Table, manifest
from qbench.engine.resolve import ResolvedPlan, resolve
from qbench.planning.budget import Budget, Pace, Work, measured
from qbench.planning.designs import Row
from qbench.planning.execution import Engine, Stopping
from qbench.planning.plan import Plan
from qbench.planning.settings import Design, Settings
from qbench.storage import layout, records
from qbench.storage.manifests import read_manifest, write_manifest

WORK = Work(steps=100, runs=2)


@dataclass
class _Fake:
    """A sweep of some seeds, each of which takes 10 seconds of a clock."""

    left: dict[int, Work]
    budget: float | None = None
    known: Pace | None = None
    undecided: Sequence[Sequence[str]] | None = None
    stops_at: int | None = None
    now: float = 0.0
    done: list[tuple[int, ...]] = field(default_factory=list)

    def ended(self) -> Ended:
        looks = None if self.undecided is None else iter(self.undecided)
        parts = Parts(
            tuple(self.left),
            lambda seed: self.left[seed],
            self._carry_out,
            None if looks is None else lambda: next(looks),
        )
        return seed_by_seed(parts, Budget(self.budget, lambda: self.now, known=lambda: self.known))

    def _carry_out(self, seeds: tuple[int, ...]) -> bool:
        self.now += 10 * any(self.left[seed] for seed in seeds)
        self.left |= dict.fromkeys(seeds, Work())
        self.done.append(seeds)
        return self.stops_at not in seeds


def test_seeds_are_begun_as_long_as_they_fit() -> None:
    fake = _Fake(dict.fromkeys((4, 2, 7), WORK), budget=29)
    assert fake.ended() == Ended((4, 2), BUDGET)
    assert fake.done == [(4,), (4, 2)]


def test_the_first_seed_is_begun_in_any_case() -> None:
    left = dict.fromkeys(range(3), WORK)
    assert _Fake(left, budget=1, known=Pace(step=0.1)).ended() == Ended((0,), BUDGET)


def test_all_seeds_fit() -> None:
    assert _Fake(dict.fromkeys(range(3), WORK), budget=30).ended() == Ended((0, 1, 2), ALL)
    assert _Fake(dict.fromkeys(range(3), WORK)).ended() == Ended((0, 1, 2), ALL)


def test_seeds_that_are_done_come_first_and_take_no_time() -> None:
    """The next command goes on where the last one ended, and keeps the order of the settings."""
    fake = _Fake({0: WORK, 1: Work(), 2: WORK, 3: Work()}, budget=15)
    assert fake.ended() == Ended((0, 1, 3), BUDGET)
    assert fake.done == [(1, 3), (0, 1, 3)]


def test_a_sweep_ends_when_no_row_is_undecided() -> None:
    fake = _Fake(dict.fromkeys(range(6), WORK), undecided=[["a"], ["a"], []])
    assert fake.ended() == Ended((0, 1, 2, 3, 4), DECIDED)
    done = _Fake({**dict.fromkeys(range(4), Work()), 4: WORK}, undecided=[[]])
    assert done.ended() == Ended((0, 1, 2, 3), DECIDED)


def test_the_first_look_is_at_three_seeds_and_the_last_at_all() -> None:
    assert _Fake(dict.fromkeys(range(3), WORK), undecided=[[]]).ended() == Ended((0, 1, 2), DECIDED)
    assert _Fake(dict.fromkeys(range(3), WORK), undecided=[["a"]]).ended() == Ended((0, 1, 2), ALL)
    assert _Fake(dict.fromkeys(range(2), WORK), undecided=[]).ended() == Ended((0, 1), ALL)


def test_a_failure_that_stops_the_sweep_stops_the_seeds() -> None:
    fake = _Fake(dict.fromkeys(range(4), WORK), stops_at=1)
    assert fake.ended() == Ended((0, 1), STOPPED)


@pytest.fixture(scope="module")
def resolved() -> ResolvedPlan:
    """Two rows with up to five seeds."""
    settings = Settings(
        study="tiny",
        base=examples.experiment(),
        seeds=(0, 1, 2, 3, 4),
        design=Design(name="ofat", baseline=False, factors=None),
        engine=Engine(),
        stopping=Stopping(budget="1h"),
    )
    changes: list[dict[str, Any]] = [{}, {"quant.bits": 4}]
    rows = [Row(str(one), one, examples.experiment(one), None) for one in changes]
    return resolve(Plan(settings, {}, tuple(rows)), "CPU")


def _record(root: Path, run: str) -> None:
    record = {"schema": records.SCHEMA, "status": "ok"}
    records.write_run(root, run, config={}, record=record, history=())


def _ids(resolved: ResolvedPlan, *seeds: int) -> list[str]:
    pairs = zip(resolved.ids, resolved.plan.runs, strict=True)
    return [name for name, run in pairs if run.experiment.seed in seeds]


class _Killed(Exception):
    """The sweep is killed."""


def _run(
    resolved: ResolvedPlan, root: Path, seconds: float, killed_in: int | None = None
) -> ResolvedPlan:
    """A command in which a run takes 5 seconds; in one seed it is killed after the first run."""
    now = [0.0]

    def carry_out(part: ResolvedPlan) -> bool:
        for name, run in zip(part.ids, part.plan.runs, strict=True):
            if not records.finished(root, name):
                _record(root, name)
                now[0] += 5
                if run.experiment.seed == killed_in:
                    raise _Killed
        return True

    budget = Budget(seconds, lambda: now[0], measured=measured(root, 1))
    return by_seed.run(resolved, Table(root, root), carry_out, None, budget)


def _told(root: Path) -> dict[str, Any]:
    return read_manifest(root)


def test_a_part_has_the_ids_and_segments_of_the_whole(resolved: ResolvedPlan) -> None:
    part = resolved.with_seeds([3, 1])
    assert list(part.ids) == _ids(resolved, 1, 3)
    whole = {name: resolved.path(number) for number, name in enumerate(resolved.ids)}
    assert all(part.path(number) == whole[name] for number, name in enumerate(part.ids))


def test_the_manifest_lists_what_was_done(resolved: ResolvedPlan, tmp_path: Path) -> None:
    assert _run(resolved, tmp_path, 25).plan.settings.seeds == (0, 1)
    told = _told(tmp_path)
    assert told["seeds"] == [0, 1]
    assert {run["id"] for row in told["rows"] for run in row["runs"]} == {*_ids(resolved, 0, 1)}
    facts = told["by_seed"]
    assert (facts["most"], facts["looks"], facts["ended"]) == (5, 1, BUDGET)
    assert [one["seconds"] for one in facts["measured"]] == [10, 10]
    # The next command has a budget of its own.
    assert _run(resolved, tmp_path, 25).plan.settings.seeds == (0, 1, 2, 3)
    assert _run(resolved, tmp_path, 25).plan.settings.seeds == (0, 1, 2, 3, 4)
    assert _told(tmp_path)["by_seed"]["ended"] == ALL


def test_a_seed_that_a_kill_left_stays_listed(resolved: ResolvedPlan, tmp_path: Path) -> None:
    """So no other sweep removes its states. It is done first, if it fits."""
    with pytest.raises(_Killed):
        _run(resolved, tmp_path, 100, killed_in=1)
    assert (_told(tmp_path)["seeds"], _told(tmp_path)["by_seed"]["ended"]) == ([0, 1], None)
    assert _run(resolved, tmp_path, 1).plan.settings.seeds == (0,)
    assert _told(tmp_path)["seeds"] == [0, 1]
    assert _run(resolved, tmp_path, 9).plan.settings.seeds == (0, 1)


def test_a_sweep_of_all_its_seeds_may_become_one_seed_by_seed(
    resolved: ResolvedPlan, tmp_path: Path
) -> None:
    """Its manifest lists runs that are not begun; they are no runs of another sweep."""
    write_manifest(tmp_path, manifest(resolved, Table(tmp_path, tmp_path)))
    _record(tmp_path, _ids(resolved, 2)[0])
    assert _run(resolved, tmp_path, 1).plan.settings.seeds == (0,)
    assert _told(tmp_path)["seeds"] == [0, 2]
    other = manifest(resolved.with_seeds([0]), Table(tmp_path, tmp_path))
    with pytest.raises(QbenchError, match="holds the table of another sweep"):
        write_manifest(tmp_path, other)


def test_looks_stay_in_the_manifest(resolved: ResolvedPlan, tmp_path: Path) -> None:
    settings = replace(resolved.plan.settings, stopping=Stopping(stop_when="decided"))
    looking = replace(resolved, plan=replace(resolved.plan, settings=settings))
    _run(looking, tmp_path, 100)
    assert _told(tmp_path)["by_seed"]["looks"] == 3
    assert by_seed.carried(resolved, tmp_path) == {"looks": 3}
    _run(resolved, tmp_path, 100)
    assert _told(tmp_path)["by_seed"]["looks"] == 3
    assert by_seed.carried(resolved, tmp_path / "other") is None


def _looking(resolved: ResolvedPlan, *seeds: int) -> ResolvedPlan:
    """The sweep with some of the seeds, which looks after each from the third on."""
    settings = replace(resolved.plan.settings, stopping=Stopping(stop_when="decided"))
    whole = replace(resolved, plan=replace(resolved.plan, settings=settings))
    return whole.with_seeds(seeds)


def _look(resolved: ResolvedPlan, root: Path, fails: Sequence[str] = ()) -> dict[str, Any]:
    """A command whose rows stay undecided; what its manifest tells of looks."""

    def carry_out(part: ResolvedPlan) -> bool:
        for name in part.ids:
            if not records.finished(root, name):
                records.discard_failed(root, name)
                status = "failed" if name in fails else "ok"
                record = {"schema": records.SCHEMA, "status": status}
                records.write_run(root, name, config={}, record=record, history=())
        return True

    by_seed.run(resolved, Table(root, root), carry_out, lambda _: ["a"], Budget(None, lambda: 0.0))
    told: dict[str, Any] = _told(root)["by_seed"]
    return told


def test_seeds_that_are_added_after_looking_are_looks_that_were_not_planned(
    resolved: ResolvedPlan, tmp_path: Path
) -> None:
    told = _look(_looking(resolved, 0, 1, 2, 3), tmp_path)
    assert (told["looks"], len(told["looked"]), "stages" in told) == (2, 2, False)
    again = _look(_looking(resolved, 0, 1, 2, 3), tmp_path)
    assert again["looked"] == told["looked"]
    # Fixed seeds after looks, in this folder or in another one of the study.
    assert by_seed.carried(resolved, tmp_path) == {
        "looks": 3,
        "stages": [2, 3],
        "looked": told["looked"],
    }
    table = Table(tmp_path, tmp_path / "ofat-1")
    table.folder.mkdir()
    write_manifest(table.folder, _told(tmp_path))
    (tmp_path / layout.MANIFEST).unlink()
    assert (by_seed.carried(resolved, tmp_path) or {})["stages"] == [2, 3]
    # Fewer seeds, chosen after looking; and seeds that nobody has looked at.
    assert (by_seed.carried(_looking(resolved, 0, 1), tmp_path) or {})["looks"] == 2
    assert by_seed.carried(_looking(resolved, 4), tmp_path) == {"looks": 1}
    more = _look(_looking(resolved, 0, 1, 2, 3, 4), tmp_path)
    assert (more["looks"], more["stages"], len(more["looked"])) == (3, [2, 3], 3)


def _changed(resolved: ResolvedPlan, *changes: dict[str, Any]) -> ResolvedPlan:
    """The sweep with other rows."""
    rows = tuple(Row(str(one), one, examples.experiment(one), None) for one in changes)
    return resolve(Plan(resolved.plan.settings, {}, rows), "CPU")


def test_looks_stay_if_rows_are_taken_away_or_put_in_their_place(
    resolved: ResolvedPlan, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [{}, {"quant.bits": 4}, {"quant.bits": 5}]
    _look(_looking(_changed(resolved, *rows), 0, 1, 2, 3), tmp_path)
    assert (by_seed.carried(resolved, tmp_path) or {})["looks"] == 3
    other = _changed(resolved, *rows[1:], {"quant.bits": 6})
    assert (by_seed.carried(other, tmp_path) or {})["looks"] == 3
    # One common row alone was compared with nothing that is compared here.
    assert by_seed.carried(_changed(resolved, {}, {"quant.bits": 6}), tmp_path) is None


def test_a_table_with_a_run_that_is_tried_again_is_another_look(
    resolved: ResolvedPlan, tmp_path: Path
) -> None:
    """Three seeds are one look; a failed run that succeeds later makes it two."""
    looking = _looking(resolved, 0, 1, 2)
    told = _look(looking, tmp_path, fails=_ids(resolved, 1)[:1])
    assert (told["looks"], len(told["looked"])) == (1, 1)
    told = _look(looking, tmp_path)
    assert (told["looks"], told["stages"], len(told["looked"])) == (2, [1, 2], 2)
    assert _look(looking, tmp_path)["stages"] == [1, 2]


def test_a_sweep_whose_reference_has_no_values_ends_undecided(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = _Fake(dict.fromkeys(range(6), WORK), undecided=[None])  # type: ignore[list-item]
    assert fake.ended() == Ended((0, 1, 2), NOTHING)
    assert "has no values, so more seeds decide nothing; stats.reference" in capsys.readouterr().err


def test_work_is_what_is_left(resolved: ResolvedPlan, tmp_path: Path) -> None:
    left = by_seed._left(resolved, tmp_path, 2, 1)
    assert (left.runs, left.files) == (2, 0) and 10 <= left.steps <= 20
    first, second = _ids(resolved, 1)
    _record(tmp_path, first)
    assert by_seed._left(resolved, tmp_path, 2, 1) == Work(10, 1)
    _record(tmp_path, second)
    assert not by_seed._left(resolved, tmp_path, 2, 1)
    assert json.loads((layout.run_folder(tmp_path, first) / layout.RECORD).read_bytes())
