"""A forecast to the letter, and what it learns from the records of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest

from qbench.planning.forecast import forecast, print_forecast
from qbench.planning.plan import Plan, make_plan, outline
from qbench.storage.records import SCHEMA


def _plan(root: Path, given: dict[str, tuple[Any, ...]], **values: Any) -> Plan:
    """Of 1,000 steps with fake_quant, in a study whose folder is `root`."""
    base = {"out": str(root), "quant.op": "fake_quant", "train.steps": 1000, "design.factors": []}
    return make_plan(outline(examples.settings(base | values), given, ()))


def _record(root: Path, name: str, content: dict[str, Any] | None, **changed: Any) -> None:
    """A record of a run; without a content, what a plan reads of one."""
    whole = {"schema": SCHEMA, "status": "ok", "step_seconds": {}, "size": {"values": 10}}
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(whole | changed if content is None else content))


FACTORS = {"quant.bits": (8, 32), "quant.delay": (0.8, 0.4), "eval.limit": (10, 20, 30, 40)}
TEXT = """\
   #  configuration                                  seed     float quantized
   1  baseline                                          7     1,000         0
   2  default                                           7       800       200
   3  quant.delay=0.4                                   7       400       600
   4  eval.limit=20                                     7       800       200
   5  eval.limit=30                                     7       800       200
   6  eval.limit=40                                     7       800       200
   -  quant.bits=32                                not_applicable: \
quant.bits=32: fake_quant takes 2 to 16 bits.

segments (steps, in how many runs):
  float             0 to       400  x6
    quantized       400 to     1,000  x1    quant.delay=0.4
  float           400 to       800  x5
    quantized       800 to     1,000  x4    default, eval.limit=20, eval.limit=30 and 1 more
  float           800 to     1,000  x1    baseline

digits, ofat: 7 configurations, 6 runs, 6,000 steps; 1,800 shared, ratio 0.300
on 2 worker(s), in batches of [1, 3, 4] jobs: 1,400 steps from start to end (longest run: 1,000)
about 35 minutes at 1.5000 s a step
about 4.8 MB of shared states at most
"""


def test_a_forecast_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _record(tmp_path, "0", None, size={"values": 200_000})
    print_forecast(_plan(tmp_path, FACTORS, seeds=[7]), 2, 1.5, False)
    assert capsys.readouterr().out == TEXT


def test_three_runs_that_end_together_are_all_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_forecast(_plan(tmp_path, {"eval.limit": (10, 20, 30)}), 1, None, False)
    said = capsys.readouterr().out
    assert " x3    default, eval.limit=20, eval.limit=30\n" in said


def test_without_sharing_every_run_is_by_itself(tmp_path: Path) -> None:
    facts = forecast(_plan(tmp_path, FACTORS, share=False), 1, None)
    assert facts["steps_shared"] == facts["steps_unshared"] == facts["steps_elapsed"] == 6000
    assert (facts["batches"], facts["disk_bytes"]) == ([6], None)
    assert len({segment["id"] for segment in facts["segments"]}) == len(facts["segments"])


def test_a_forecast_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = _plan(tmp_path, {"quant.delay": (0.8, 0.0)}, seeds=[7, 8])
    print_forecast(plan, 3, 0.123456, True)
    facts = json.loads(capsys.readouterr().out)
    assert facts == forecast(plan, 3, 0.123456)
    ids = [segment["id"] for segment in facts["segments"]]
    keys = ("label", "row", "seed", "steps_float", "steps_quantized")
    assert facts["runs"] == [
        dict(zip(keys, (f"{row} seed {seed}", row, seed, floats, 1000 - floats), strict=True))
        for row, floats in (("baseline", 1000), ("default", 800), ("quant.delay=0.0", 0))
        for seed in (7, 8)
    ]
    keys = ("id", "parent", "phase", "first", "end", "uses", "runs")
    assert facts["segments"] == [
        dict(zip(keys, (ids[place], *values), strict=True))
        for place, values in enumerate(
            [
                (None, "float", 0, 800, 2, []),
                (ids[0], "quantized", 800, 1000, 1, [2]),
                (ids[0], "float", 800, 1000, 1, [0]),
                (None, "float", 0, 800, 2, []),
                (ids[3], "quantized", 800, 1000, 1, [3]),
                (ids[3], "float", 800, 1000, 1, [1]),
                (None, "quantized", 0, 1000, 1, [4]),
                (None, "quantized", 0, 1000, 1, [5]),
            ]
        )
    ]
    del facts["runs"], facts["segments"]
    assert facts == {
        "study": "digits",
        "design": "ofat",
        "derived": [],
        "not_applicable": [],
        "aliases": [],
        "steps_unshared": 6000,
        "steps_shared": 4400,
        "ratio": 0.7333,
        "workers": 3,
        "batches": [4, 4],
        "steps_elapsed": 2000,
        "by_seed": None,
        "conversions": None,
        "critical_path": 1000,
        "step_seconds": 0.123456,
        "seconds": 246.9,
        "disk_bytes": None,
    }


def test_records_of_a_study_say_seconds_and_bytes(tmp_path: Path) -> None:
    """The median of all phases' seconds, and the largest state; what is damaged is passed over."""
    _record(tmp_path, "0", {"schema": SCHEMA})
    _record(tmp_path, "1", None, step_seconds={"float": 0.25, "quantized": 0.5}, size={"values": 9})
    _record(tmp_path, "2", None, step_seconds={"float": 0.125}, size={"values": 30})
    _record(tmp_path, "3", None, step_seconds={"float": 8.0}, status="diverged")
    _record(tmp_path, "4", None, step_seconds={"float": 8.0}, schema=SCHEMA + 1)
    _record(tmp_path, "5", None, size={"values": 20})
    _record(tmp_path, "6", None, size={"values": 90}, derived={"kind": "ensemble"})
    facts = forecast(_plan(tmp_path, {"quant.delay": (0.8, 0.4)}), 1, None)
    assert facts["step_seconds"] == 0.25
    assert facts["seconds"] == 0.25 * facts["steps_elapsed"]
    # Two states that several runs share, of 30 float32 values and as many of the optimizer.
    assert facts["disk_bytes"] == 2 * 8 * 30


def test_records_without_seconds_say_none(tmp_path: Path) -> None:
    """So short that no step was timed."""
    _record(tmp_path, "0", None)
    facts = forecast(_plan(tmp_path, {}), 1, None)
    assert (facts["step_seconds"], facts["seconds"], facts["disk_bytes"]) == (None, None, 80)
    assert forecast(_plan(tmp_path, {}), 1, 0.0)["seconds"] == 0.0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(119.4, "119 seconds"), (120, "2 minutes"), (7199, "120 minutes"), (7200, "2.0 hours")],
)
def test_how_long_in_words(
    seconds: float, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_forecast(_plan(tmp_path, {}), 1, seconds / 1200, False)
    assert f"about {said} at " in capsys.readouterr().out


@pytest.mark.parametrize(("count", "said"), [(58, ""), (59, "... and 1 more"), (90, "and 32 more")])
def test_long_tables_are_cut_at_sixty_lines(
    count: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of so many rows beside the baseline and the default."""
    limits = {"eval.limit": tuple(range(1, count + 2))}
    print_forecast(_plan(tmp_path, limits), 1, None, False)
    lines = capsys.readouterr().out.splitlines()
    table = lines[1 : lines.index("")]
    assert len(table) == min(60, count + 2) + bool(said)
    assert said in table[-1]


def test_a_fraction_says_what_it_mixes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    levels = {"quant.bits": (8, 4), "quant.signed": (True, False), "quant.delay": (0.8, 0.4)}
    settings = {"design.name": "fractional", "design.resolution": 3, "design.baseline": False}
    base = examples.settings({"out": str(tmp_path), **settings})
    plan = make_plan(outline(base, levels, []))
    assert [len(row.changes) for row in plan.rows] == [0, 2, 2, 2]
    assert plan.design == {"name": "fractional", "levels": levels, "resolution": 3}
    table = [
        "quant.signed = -quant.bits x quant.delay",
        "quant.bits = -quant.signed x quant.delay",
        "quant.delay = -quant.bits x quant.signed",
    ]
    assert sorted(forecast(plan, 1, None)["aliases"]) == sorted(table)
    print_forecast(plan, 1, None, False)
    said = capsys.readouterr().out
    assert "interactions of three or more factors are left out" in said
    assert all(f"\n  {line}\n" in said for line in table)
