"""Conversions that give wrong files: seen in the trial before anything trains, and in every row."""

from __future__ import annotations

import json

import keras
import pytest
from cli_converted import SWEEP, rows_of, run_of

from qbench.cli import main
from qbench.deploy import convert


@pytest.fixture
def turned(monkeypatch):
    """Files whose logits have the other sign."""
    right = convert.convert

    def wrong(model, *rest):
        return right(keras.Model(model.inputs, -model.outputs[0]), *rest)

    monkeypatch.setattr(convert, "convert", wrong)


def test_wrong_files_are_seen_before_training_and_reported_as_failed(turned, tmp_path, capsys):
    pair = [*SWEEP, "design.factors=[]", f"out={tmp_path}"]
    assert main(pair) == 1
    err = capsys.readouterr().err
    trained = err.index("[1/2]")
    for kind in ("float", "int8"):
        said = err.index(f"the file ({kind}) gives wrong answers: on the xnnpack kernels the file")
        assert said < trained
    assert "3 of the converted files give wrong answers" in err  # the baseline's is made twice
    for label in ("baseline", "default"):
        report = json.loads((run_of(tmp_path, label) / "deploy.json").read_text())
        assert report["export"] == "failed"
        assert "steps or more from those of the converted graph" in report["export_note"]
        row = rows_of(tmp_path)[label]
        assert (row["status"], row["export"], row["deployed_accuracy"]) == ("ok", "failed", "")
    assert not list(tmp_path.rglob("*.tflite"))
    assert (
        "Post-training quantization of the float baseline: none."
        in (tmp_path / "table.md").read_text()
    )


def test_a_graph_that_is_not_the_network_is_no_files_graph(monkeypatch, tmp_path, capsys):
    """What qbench itself puts in the place of layers is held against the network too."""
    right = convert.export_model

    def wrong(*args, **kwargs):
        model, left_float = right(*args, **kwargs)
        return keras.Model(model.inputs, -model.outputs[0]), left_float

    monkeypatch.setattr(convert, "export_model", wrong)
    assert main([*SWEEP, "design.factors=[]", f"out={tmp_path}"]) == 1
    assert "the graph to convert gives half of the images logits" in capsys.readouterr().err
    assert rows_of(tmp_path)["default"]["export"] == "failed"
