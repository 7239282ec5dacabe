"""Schemes for weights from the command line: the study, its choices, and what a file can hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qbench.cli.main import main
from qbench.storage import layout


def test_the_study_plans_all_schemes_on_one_trunk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--json", "study=schemes_fashion", "seeds=0"]) == 0
    facts = json.loads(capsys.readouterr().out)
    inq = [f"quant/scheme=inq quant.bits={bits}" for bits in (5, 4, 3, 2)]
    uniform = [f"quant.bits={bits}" for bits in (6, 4, 3, 2)]
    qsq = [
        f"quant/scheme=qsq quant.scheme.phi={phi} {how}"
        for how in ("quant.scheme.retrain=all", "quant.delay=1")
        for phi in (4, 2, 1)
    ]
    others = ["quant/scheme=twn", "quant/scheme=bwn", *qsq]
    labels = ["baseline", "default", *uniform, *inq, *others]
    assert [run["label"] for run in facts["runs"]] == labels
    assert facts["not_applicable"] == []
    assert len([one for one in facts["segments"] if one["parent"] is None]) == 1
    ends = [one["end"] for one in facts["segments"] if one["phase"].startswith("inq_")]
    assert sorted(set(ends)) == [280, 320, 360, 400] and len(ends) == 16


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["quant/scheme=inq", "quant.bits=1"], "quant.bits=1: quant/scheme=inq takes 2 to 9 bits."),
        (
            ["quant/scheme=inq", "quant.scheme.portions=[0.5,0.75]"],
            "quant.scheme.portions=[0.5,0.75] is not allowed: expected a list of rising shares",
        ),
        (["quant/scheme=bwn", "quant.weight_bits=2"], "the scheme bwn has no such setting."),
        (["quant.activation_bits=floats"], "expected a whole number from 1 to 62, float or null."),
    ],
)
def test_what_is_not_allowed_is_said_before_training(
    overrides: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "study=digits", "design.factors=[]", *overrides]) == 2
    assert says in capsys.readouterr().err


def test_the_choice_of_a_scheme_leaves_activations_float(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The graph has no quantizer of a tensor, unless a number of bits is given."""
    found = {}
    for name, more in (("float", []), ("8", ["quant.activation_bits=8"])):
        chosen = ["quant/scheme=twn", "model.width=4", "threads=2", *more]
        assert main(["graph", "study=digits", *chosen]) == 0
        found[name] = capsys.readouterr().out
    assert "twn" in found["float"] and "kernel" in found["float"]
    assert "qdq_v2" not in found["float"].lower() and "qdq_v2" in found["8"].lower()


@pytest.mark.slow
def test_a_file_holds_the_weights_as_float32_and_says_so(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["quant/scheme=inq", "quant.bits=4", "quant.delay=0.5", f"out={tmp_path}"]
    assert main(["train", *tiny, *chosen, "seeds=0"]) == 0
    (record,) = layout.record_files(tmp_path)
    capsys.readouterr()
    assert main(["convert", str(record.parent)]) == 0
    said = capsys.readouterr().out
    assert "LiteRT computes nothing with inq weights of 4 bits and float activations" in said
    report = json.loads((record.parent / "deploy.json").read_text())
    assert report["export"] == "float"
    assert {path["agreement"] for path in report["kernels"].values()} == {100.0}
    assert report["packed_bytes"] < report["bytes"] / 3
