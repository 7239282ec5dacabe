"""Schemes of one's own on the command line: chosen, varied, evaluated, converted or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_schemes import NO_FILE, registered, write_choices

from qbench.cli.main import main
from qbench.deploy.measure import graph_of
from qbench.storage import layout, manifests, records


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def choices(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_choices(tmp_path_factory.mktemp("conf"))


@pytest.fixture(scope="module")
def powers(tiny: list[str], choices: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over an argument of the last phase, beside uniform."""
    folder = tmp_path_factory.mktemp("powers")
    varied = ["quant/scheme=powers", "quant.scheme.third=0.875,1.0", "quant.delay=0.4"]
    assert main(["sweep", choices, *tiny, *varied, "design.factors=[]", f"out={folder}"]) == 0
    return folder


def _folders(sweep: Path) -> dict[str, Path]:
    rows = manifests.read_manifest(sweep)["rows"]
    return {row["label"]: layout.run_folder(sweep, row["runs"][0]["id"]) for row in rows}


def test_the_runs_of_a_sweep_share_the_phases_before_the_argument_counts(powers: Path) -> None:
    rows = manifests.read_manifest(powers)["rows"]
    paths = {row["label"]: row["runs"][0]["segments"] for row in rows}
    one, two = paths["default"], paths["quant.scheme.third=1.0"]
    assert one[:3] == two[:3] and one[3] != two[3] and len(one) == 4
    assert paths["baseline"][0] == one[0]
    steps = [records.read_record(folder)["steps"] for folder in _folders(powers).values()]
    assert [one["taken_over"] for one in steps] == [4, 8, 8]


def test_history_and_times_name_the_phases(powers: Path) -> None:
    text = (_folders(powers)["default"] / layout.HISTORY).read_text()
    found = [line.split(",")[1] for line in text.splitlines()[1:]]
    assert found == ["float"] * 4 + ["half"] * 2 + ["second"] * 2 + ["third"] * 2


def test_a_run_evaluates_to_the_same_values_again(
    powers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(_folders(powers)["default"])]) == 0
    assert "same as recorded" in capsys.readouterr().out


def test_it_is_refused_for_conversion_with_its_own_sentence(
    powers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(_folders(powers)["default"])]) != 0
    assert NO_FILE in capsys.readouterr().err


def test_a_sweep_that_would_convert_it_is_refused_before_training(
    choices: str, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["quant/scheme=powers", "deploy.enabled=true", "design.factors=[]"]
    assert main(["sweep", choices, *tiny, *chosen, f"out={tmp_path}"]) == 2
    assert f"deploy.enabled=true: {NO_FILE}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_plan_and_graph_know_its_phases_and_quantizers(
    choices: str, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["study=digits", choices, "quant/scheme=powers,uniform", "design.factors=[]"]
    assert main(["plan", *chosen, "train.steps=100"]) == 0
    text = capsys.readouterr().out
    assert all(f"{phase} " in text for phase in ("float", "half", "second", "third", "quantized"))
    assert main(["graph", "study=digits", choices, "threads=2", "quant/scheme=learned"]) == 0
    text = capsys.readouterr().out
    assert "learned" in text and "quantization ops: " in text


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("quant.op=fake_quant", "quant.op=fake_quant: the scheme learned has no such setting."),
        ("quant.delay=0", "quant.delay=0: learned needs float steps"),
        ("quant/scheme=lerned", "quant/scheme=lerned is not known; allowed: "),
    ],
)
def test_what_it_cannot_do_is_one_sentence(
    choices: str, override: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["quant/scheme=learned"] if "scheme" not in override else []
    assert main(["plan", choices, *chosen, override, "design.factors=[]", "seeds=0"]) == 2
    assert says in capsys.readouterr().err


@pytest.fixture(scope="module")
def learned(tiny: list[str], choices: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with learned step sizes on the grid of an int8 file."""
    folder = tmp_path_factory.mktemp("learned")
    chosen = ["quant=deploy", "quant/scheme=learned", "quant.scheme.multiplier=0.001"]
    assert main(["train", choices, *tiny, *chosen, "quant.delay=0.5", f"out={folder}"]) == 0
    (record,) = layout.record_files(folder)
    return record.parent


def test_learned_steps_are_restored_for_evaluation(
    learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(learned)]) == 0
    assert "same as recorded" in capsys.readouterr().out
    saved = records.read_scheme(learned)
    assert len({float(value) for value in saved.values()}) > len(saved) // 2


def test_the_scales_of_its_file_are_the_learned_steps(
    learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(learned)]) == 0
    report = json.loads((learned / "deploy.json").read_text())
    graph = graph_of((learned / report["file"]).read_bytes())
    saved = records.read_scheme(learned)
    kernels = [float(v) for name, v in saved.items() if name.startswith("kernel:")]
    tensors = [float(v) for name, v in saved.items() if name.startswith("tensor:")]
    found: dict[bool, list[Any]] = {True: [], False: [graph.image]}
    for op in graph.operators:
        found[False] += [made for made in op.makes if made.has_grid]
        found[True] += [
            one for one in op.reads if one.is_constant and one.has_grid and one.dtype == "int8"
        ]
    for constant, wanted in ((True, kernels), (False, tensors)):
        scales = np.unique(np.concatenate([one.scales for one in found[constant]]))
        for step in wanted:
            assert np.isclose(scales, step, rtol=2e-7, atol=0).any(), (constant, step)
    assert report["export"] == "exact", report["export_note"]


def test_its_file_is_traced_with_the_learned_steps(
    learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", str(learned), "images=20"]) == 0
    assert "step" in capsys.readouterr().out
