"""Sweeps in which something goes wrong: what was done is kept, the rest is done the next time."""

from __future__ import annotations

from pathlib import Path

import cli_examples as examples
import pytest

from qbench.cli.main import main

NAMES = ["baseline", "default", "quant.bits=4"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> dict[str, str]:
    """Hashes of the weights of three runs that nothing happened to."""
    folder = tmp_path_factory.mktemp("few")
    assert main(["sweep", *tiny, *examples.FEW, f"out={folder}"]) == 0
    return examples.weights(folder)


def _once(fails: examples.Fails) -> examples.Fails:
    """True the first time only."""
    found: list[int] = []

    def first(experiment: object, phase: str, step: int) -> bool:
        if found or not fails(experiment, phase, step):
            return False
        found.append(step)
        return True

    return first


@pytest.mark.parametrize(
    ("phase", "crash", "resumed"),
    [
        ("quantized", 10, 8),
        pytest.param("float", 6, 4, marks=pytest.mark.slow),
        pytest.param("float", 2, 0, marks=pytest.mark.slow),
    ],
)
def test_a_crashed_sweep_goes_on_from_its_checkpoint(
    phase: str,
    crash: int,
    resumed: int,
    tiny: list[str],
    weights: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = [*("sweep", *tiny, *examples.FEW), "train.checkpoint_every=2", "retries=0"]
    command.append(f"out={tmp_path}")
    with monkeypatch.context() as patch:
        at_crash = _once(lambda _, where, step: (where, step) == (phase, crash))
        before = examples.Watched(patch, at_crash)
        assert main(command) == 1
    assert not examples.states(tmp_path, "lock")
    after = examples.Watched(monkeypatch)
    assert main(command) == 0
    trained = before.total + after.total
    assert trained == examples.ALL_SHARED + crash - resumed
    assert examples.weights(tmp_path) == weights
    assert examples.states(tmp_path) == examples.states(tmp_path, "partial") == set()


@pytest.mark.parametrize(("crash", "resumed"), [(3, 0), (9, 6), (10, 9)])
def test_a_crashed_run_goes_on_from_its_checkpoint(
    crash: int,
    resumed: int,
    tiny: list[str],
    weights: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checkpoints are after steps 3, 6 and 9, quantized steps begin after 8."""
    command = ["train", *tiny, "train.checkpoint_every=3", f"out={tmp_path}"]
    with monkeypatch.context() as patch:
        before = examples.Watched(patch, lambda _, phase, step: step >= crash)
        assert main(command) == 1
        assert before.total == crash
    after = examples.Watched(monkeypatch)
    assert main(command) == 0
    (path,) = tmp_path.glob("runs/*/record.json")
    assert f'"{weights["default"]}"' in path.read_text()
    assert after.total == 10 - resumed


def test_a_finished_run_leaves_no_checkpoint(tiny: list[str], tmp_path: Path) -> None:
    assert main(["train", *tiny, "train.checkpoint_every=3", f"out={tmp_path}"]) == 0
    assert list(tmp_path.glob("segments/*")) == []


def test_without_checkpoints_a_crashed_trunk_is_trained_again(
    tiny: list[str], weights: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sweep", *tiny, *examples.FEW, "retries=0", f"out={tmp_path}"]
    with monkeypatch.context() as patch:
        examples.Watched(patch, lambda _, phase, step: phase == "float")
        assert main(command) == 1
    after = examples.Watched(monkeypatch)
    assert main(command) == 0
    assert after.total == examples.ALL_SHARED
    assert examples.weights(tmp_path) == weights


@pytest.mark.parametrize("phase", ["float", "quantized"])
def test_a_job_is_tried_again_as_often_as_retries_say(
    phase: str,
    tiny: list[str],
    weights: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["sweep", *tiny, *examples.FEW, f"out={tmp_path}"]
    watched = examples.Watched(monkeypatch, _once(lambda _, where, step: where == phase))
    assert main([*command, "retries=1"]) == 0
    lost = 8 if phase == "float" else 2
    assert watched.total == examples.ALL_SHARED + lost
    assert "the machine caught fire; tried again" in capsys.readouterr().err
    assert examples.weights(tmp_path) == weights
    assert set(examples.runs(tmp_path)["status"]) == {"ok"}


def test_a_run_that_always_fails_is_tried_no_more_often(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = examples.Watched(monkeypatch, lambda e, phase, step: e.quant.bits == 4)
    assert main(["sweep", *tiny, *examples.FEW, "retries=2", f"out={tmp_path}"]) == 1
    assert list(examples.runs(tmp_path)["status"]) == ["ok", "ok", "failed"]
    assert watched.total == examples.ALL_SHARED + 2 * 2


def test_a_trunk_that_fails_fails_its_runs_untrained(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors = ["design.factors=[quant.bits,data.preprocessing]", "quant.bits=8,4"]
    watched = examples.Watched(
        monkeypatch, lambda e, phase, step: phase == "float" and e.data.preprocessing == "vgg"
    )
    assert main(["sweep", *tiny, *factors, "retries=1", f"out={tmp_path}"]) == 1
    runs = examples.runs(tmp_path)
    for name in NAMES:
        assert runs.loc[name, "status"] == "failed"
        message = runs.loc[name, "error"]
        assert message == "its trunk failed: RuntimeError: the machine caught fire"
    assert runs.loc["data.preprocessing=inception", "status"] == "ok"
    trunk, alone = ("float", 0, 8), ("quantized", 8, 10)
    assert sorted(watched.spans) == [trunk, trunk, trunk, alone]


def test_a_trunk_that_diverges_is_trained_once(
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    command = ["sweep", *tiny, *examples.FEW, "train.learning_rate=1e30"]
    watched = examples.Watched(monkeypatch)
    assert main([*command, f"out={shared}"]) == 1
    assert watched.spans == [("float", 0, 8)]
    assert list(examples.runs(shared)["status"]) == ["diverged"] * 3
    assert main([*command, f"out={shared}"]) == 1
    assert "0 to do" in capsys.readouterr().err
    assert watched.spans == [("float", 0, 8)]
    assert main([*command, "share=false", f"out={alone}"]) == 1
    assert (alone / "table.csv").read_bytes() == (shared / "table.csv").read_bytes()
    for name in NAMES:
        error = examples.record(shared, name)["error"]
        assert error == examples.record(alone, name)["error"]
        assert error["message"].startswith("the loss was not finite at step ")


def _status(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main(["status", str(folder)]) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_fail_fast_stops_and_status_tells_what_is_left(
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = [f"{name} seed 0" for name in (*NAMES, "quant.bits=16")]
    command = ["sweep", *tiny, "design.factors=[quant.bits]", "quant.bits=8,4,16", "retries=0"]
    command.append(f"out={tmp_path}")
    with monkeypatch.context() as patch:
        watched = examples.Watched(patch, lambda e, phase, step: phase == "float")
        assert main([*command, "fail_fast=true"]) == 1
        assert watched.spans == [("float", 0, 8)]
    left = ["waiting"] * 4
    expected = [f"{state} {label}" for state, label in zip(left, labels, strict=True)]
    assert _status(tmp_path, capsys) == [*expected, "0 done, 0 running, 0 failed, 4 waiting"]
    assert list(examples.runs(tmp_path)["status"]) == ["missing"] * 4

    with monkeypatch.context() as patch:
        watched = examples.Watched(patch, lambda e, phase, step: e.quant.bits == 4)
        assert main([*command, "fail_fast=true"]) == 1
        assert watched.steps["quantized"] == 2 * 2
    left = ["done", "done", "failed", "waiting"]
    expected = [f"{state} {label}" for state, label in zip(left, labels, strict=True)]
    assert _status(tmp_path, capsys) == [*expected, "2 done, 0 running, 1 failed, 1 waiting"]

    watched = examples.Watched(monkeypatch)
    assert main([*command, "fail_fast=true"]) == 0
    assert watched.spans == [("quantized", 8, 10)] * 2
    expected = [f"done {label}" for label in labels]
    assert _status(tmp_path, capsys) == [*expected, "4 done, 0 running, 0 failed, 0 waiting"]


def test_without_fail_fast_the_other_runs_go_on(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sweep", *tiny, "design.factors=[quant.bits]", "quant.bits=8,4,16", "retries=0"]
    examples.Watched(monkeypatch, lambda e, phase, step: e.quant.bits == 4)
    assert main([*command, f"out={tmp_path}"]) == 1
    assert list(examples.runs(tmp_path)["status"]) == ["ok", "ok", "failed", "ok"]
