"""`qbench plan`: what a sweep will cost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from qbench.cli.main import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where a study may have left records, of which `plan` takes its seconds."""
    monkeypatch.chdir(tmp_path)


def _forecast(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["plan", "--json", "study=digits", *arguments]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


# The digits are trained for 800 steps: one float trunk to 800 and another one (inception) to 640;
# ten quantized parts of 160 steps and those of the delays 0.4, 0.5, 0.6, 0.7 and 0.9.
SHARED = 800 + 640 + 10 * 160 + 480 + 400 + 320 + 240 + 80
# What comes after the trunks: the baseline's end and the quantized parts, but for inception's.
AFTER = 80 + 9 * 160 + 480 + 400 + 320 + 240 + 80


def test_the_papers_design_in_figures(capsys: pytest.CaptureFixture[str]) -> None:
    facts = _forecast(capsys)
    assert (facts["study"], facts["design"]) == ("digits", "ofat")
    assert len(facts["runs"]) == 16
    assert facts["not_applicable"] == []
    assert facts["steps_unshared"] == 16 * 800
    assert facts["steps_shared"] == SHARED == 4560
    assert facts["ratio"] == pytest.approx(0.356, abs=5e-4)
    assert facts["batches"] == [2, 15]
    assert facts["critical_path"] == 800
    assert (facts["step_seconds"], facts["seconds"], facts["disk_bytes"]) == (None, None, None)


def test_runs_and_segments_fit_together(capsys: pytest.CaptureFixture[str]) -> None:
    facts = _forecast(capsys)
    segments = {segment["id"]: segment for segment in facts["segments"]}
    assert len(segments) == len(facts["segments"])
    assert sum(s["end"] - s["first"] for s in segments.values()) == SHARED
    for number, run in enumerate(facts["runs"]):
        (last,) = [s for s in segments.values() if number in s["runs"]]
        steps = {"float": 0, "quantized": 0}
        start = last["end"]
        while last is not None:
            assert last["end"] == start
            steps[last["phase"]] += last["end"] - last["first"]
            start = last["first"]
            last = segments.get(last["parent"])
        assert start == 0
        assert steps == {"float": run["steps_float"], "quantized": run["steps_quantized"]}


@pytest.mark.parametrize(
    ("workers", "elapsed"),
    [(1, SHARED), (2, 800 + AFTER // 2), (100, 800 + 480)],
)
def test_elapsed_steps_on_several_workers(
    workers: int, elapsed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = _forecast(capsys, "--workers", str(workers))
    assert facts["workers"] == workers
    assert facts["steps_elapsed"] == elapsed
    assert facts["steps_shared"] == SHARED


def test_seconds_are_those_of_the_elapsed_steps(capsys: pytest.CaptureFixture[str]) -> None:
    facts = _forecast(capsys, "--step-seconds", "0.5", "--workers=100")
    assert facts["step_seconds"] == 0.5
    assert facts["seconds"] == 0.5 * (800 + 480)
    assert main(["plan", "study=digits", "--step-seconds=0.5", "--workers=1"]) == 0
    assert "about 38 minutes at 0.5000 s a step" in capsys.readouterr().out


FILES = {
    "quick": (["study=digits"], ""),
    "default": ([], "files of 16 runs (the first of 5 seeds of each row), 1 of them also"),
    "more": (["deploy.seeds=2"], "files of 32 runs (the first 2 of 5 seeds of each row), 2 of"),
    "all": (["deploy.seeds=null", "deploy.calibration=null"], "files of 80 runs (all seeds)\n"),
}


@pytest.mark.parametrize(("arguments", "says"), FILES.values(), ids=FILES.keys())
def test_it_says_which_runs_are_converted(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *arguments]) == 0
    text = capsys.readouterr().out
    assert says in text
    assert ("files of" in text) == bool(says)
    assert ("fashion, ofat: 16 configurations, 80 runs" in text) == bool(says)


def test_without_sharing_nothing_is_saved(capsys: pytest.CaptureFixture[str]) -> None:
    facts = _forecast(capsys, "share=false")
    assert facts["steps_shared"] == facts["steps_unshared"] == 16 * 800
    assert facts["ratio"] == 1
    assert facts["batches"] == [16]
    assert all(segment["uses"] == 1 for segment in facts["segments"])
    assert main(["plan", "study=digits", "share=false", "--workers", "16"]) == 0
    text = capsys.readouterr().out
    assert "12,800 steps; 12,800 shared, ratio 1.000" in text
    assert "on 16 worker(s), in batches of [16] jobs: 800 steps from start to end" in text


def test_rows_that_cannot_be_run_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    facts = _forecast(capsys, "quant.op=fake_quant", "design.factors=[quant.bits]")
    assert [row["label"] for row in facts["not_applicable"]] == ["quant.bits=32"]
    assert "fake_quant takes 2 to 16 bits" in facts["not_applicable"][0]["reason"]
    assert "quant.bits=32" not in [run["label"] for run in facts["runs"]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """A sweep of two runs that are long enough for their steps to be timed."""
    folder = tmp_path_factory.mktemp("measured")
    arguments = [*tiny, "design.factors=[]", "train.steps=400", "train.batch_size=16"]
    assert main(["sweep", *arguments, f"out={folder}"]) == 0
    return folder


@pytest.mark.slow
def test_seconds_and_bytes_come_from_the_studys_records(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = _forecast(capsys, f"out={measured}", "train.steps=400")
    assert 0 < facts["step_seconds"] < 10
    elapsed = facts["steps_elapsed"]
    assert facts["seconds"] == pytest.approx(facts["step_seconds"] * elapsed, abs=0.1)
    assert facts["disk_bytes"] > 0
    given = _forecast(capsys, f"out={measured}", "--step-seconds=2")
    assert given["step_seconds"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b'{"schema": 1, "status": "ok"}'],
    ids=["empty", "a list", "incomplete"],
)
def test_a_damaged_record_does_not_stop_a_plan(
    content: bytes, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(measured, tmp_path / "copy")
    sorted((tmp_path / "copy").glob("runs/*/record.json"))[0].write_bytes(content)
    facts = _forecast(capsys, "out=copy")
    assert facts["steps_unshared"] == 16 * 800


@pytest.mark.slow
def test_a_plan_of_ten_thousand_runs(capsys: pytest.CaptureFixture[str]) -> None:
    tenths = ",".join(f"0.{k}" for k in range(10))
    arguments = [
        *("design=factorial", "quant.bits=2,3,4,5,6,7,8,9,10,11", f"quant.delay={tenths}"),
        *(f"train.weight_decay={tenths}", f"seeds=[{','.join(map(str, range(10)))}]"),
    ]
    facts = _forecast(capsys, *arguments)
    assert len(facts["runs"]) == 10_000
    assert facts["steps_unshared"] == 10_000 * 800
    # In each of 100 families a trunk to 720 steps, and 10 quantized parts for each of 10 delays.
    assert facts["steps_shared"] == 100 * (720 + 10 * sum(range(80, 801, 80)))
    assert main(["plan", "study=digits", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 200
    assert any("9,940 more (--json has all)" in line for line in lines)


MISTAKES = {
    "no workers": (["--workers", "0"], "--workers 0"),
    "workers that are no number": (["--workers", "two"], "--workers"),
    "seconds that are no number": (["--step-seconds", "fast"], "--step-seconds"),
    "negative seconds": (["--step-seconds=-1"], "--step-seconds"),
    "seconds that are not finite": (["--step-seconds=nan"], "--step-seconds"),
    "value left out": (["--workers"], "--workers"),
    "a switch with a value": (["--json=yes"], "--json"),
    "misspelled": (["--jsn"], "--jsn"),
}


@pytest.mark.parametrize(("arguments", "named"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_wrong_option_is_one_sentence(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: Any = main(["plan", *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    said = capsys.readouterr()
    assert said.err.startswith("qbench: ")
    assert said.err.count("\n") == 1
    assert named in said.err
    assert said.out == ""
