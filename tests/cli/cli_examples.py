"""Sweeps of a few runs, and training that is watched and made to fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from qbench.cli.main import main
from qbench.planning.plan import Plan
from qbench.training import loop

# Baseline, default and 4 bits; of ten steps eight are their trunk.
FEW = ["design.factors=[quant.bits]", "quant.bits=8,4"]
TRUNK, ALL_SHARED = 8, 8 + 3 * 2

Fails = Callable[[Any, str, int], bool]


def never(experiment: Any, phase: str, step: int) -> bool:
    return False


class Watched:
    """Stands in for `train_phase`: counts what is trained, and fails where it is told to.

    Attributes:
        steps: trained in each phase, also those that were lost.
        spans: of all calls: phase, first step and the one after the last.
    """

    def __init__(self, patch: pytest.MonkeyPatch, fails: Fails = never) -> None:
        """`fails` is asked with experiment, phase and steps done, before a checkpoint is made."""
        self.steps = {"float": 0, "quantized": 0}
        self.spans: list[tuple[str, int, int]] = []
        self.fails = fails
        self._original = loop.train_phase
        patch.setattr(loop, "train_phase", self)

    def __call__(
        self,
        network: Any,
        experiment: Any,
        data: Any,
        phase: str,
        span: tuple[int, int],
        losses: list[float],
        report: Callable[[int, float], None],
        *checkpoint: Any,
    ) -> Any:
        done = span[0]
        self.spans.append((phase, *span))

        def counted(new: int, loss: float) -> None:
            nonlocal done
            done += new
            self.steps[phase] += new
            if self.fails(experiment, phase, done):
                raise RuntimeError("the machine caught fire")
            report(new, loss)

        return self._original(network, experiment, data, phase, span, losses, counted, *checkpoint)

    @property
    def total(self) -> int:
        return sum(self.steps.values())


def runs(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "runs.csv").set_index("configuration")


def run_folder(folder: Path, configuration: str) -> Path:
    return folder / "runs" / str(runs(folder).loc[configuration, "run"])


def record(folder: Path, configuration: str) -> dict[str, Any]:
    path = run_folder(folder, configuration) / "record.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def weights(folder: Path) -> dict[str, str]:
    """The hash of every run's weights."""
    return {name: record(folder, name)["weights_sha256"] for name in runs(folder).index}


def states(folder: Path, kind: str = "state") -> set[str]:
    """The segments that have a file of a kind."""
    return {path.name.partition(".")[0] for path in folder.glob(f"segments/*.{kind}")}


def segments(folder: Path, configuration: str) -> list[str]:
    """The path of a run of the first seed, from step 0."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (row,) = [row for row in manifest["rows"] if row["label"] == configuration]
    path: list[str] = row["runs"][0]["segments"]
    return path


def refused_with(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says that cannot be understood, in one line."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("qbench: ")
    assert said.count("\n") == 1
    return said.removeprefix("qbench: ").removesuffix("\n")


def planned(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Plan:
    """The plan that `qbench plan` would print."""
    plans: list[Plan] = []
    monkeypatch.setattr(
        "qbench.planning.forecast.print_forecast", lambda plan, *_: plans.append(plan)
    )
    assert main(["plan", "study=digits", *arguments]) == 0
    (plan,) = plans
    return plan
