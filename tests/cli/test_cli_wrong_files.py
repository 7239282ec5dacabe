"""Conversions that give wrong files: seen in the trial before anything trains, and in every row."""

from __future__ import annotations

import json
from types import SimpleNamespace

import keras
import pytest
import unusual_networks as unusual
from cli_converted import SWEEP, rows_of, run_of
from keras import layers, ops

from qbench.base.errors import DiskFull, NotConvertible, QbenchError, WrongFile
from qbench.cli.main import main
from qbench.config.quant import Quant
from qbench.deploy import convert
from qbench.deploy.export import Export
from qbench.models import MODELS


@pytest.fixture
def turned(monkeypatch):
    """Files whose logits have the other sign."""
    right = convert.convert

    def wrong(model, *rest, **more):
        return right(negative(model), *rest, **more)

    monkeypatch.setattr(convert, "convert", wrong)


def negative(model):
    """The graph with its output turned round."""
    image = keras.Input(model.input_shape[1:])
    return keras.Model([image], -model([image]))


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_graph_that_is_not_the_network_is_no_files_graph(monkeypatch, tmp_path, capsys):
    """What qbench itself puts in the place of layers is held against the network too."""
    right = Export.graph

    def wrong(*args, **kwargs):
        model, left_float = right(*args, **kwargs)
        return negative(model), left_float

    monkeypatch.setattr(Export, "graph", wrong)
    assert main([*SWEEP, "design.factors=[]", f"out={tmp_path}"]) == 1
    assert "the graph to convert gives half of the images logits" in capsys.readouterr().err
    assert rows_of(tmp_path)["default"]["export"] == "failed"


def moved_by_the_converter(shape, classes, **_):
    """The converter puts the convolution on the grid of `where`, and cuts its negative values."""
    image = keras.Input(shape)
    x = layers.Conv2D(8, 3)(image)
    x = ops.where(x > 0, x, layers.Rescaling(0.1)(x))
    return keras.Model(image, unusual.head(x, classes))


def tiny_logits(shape, classes, **_):
    """The converter knows no scale so small."""
    image = keras.Input(shape)
    return keras.Model(
        image, layers.Rescaling(1e-8)(unusual.head(unusual.block(image, 8), classes))
    )


@pytest.mark.parametrize(
    ("build", "bits", "says"),
    [
        (moved_by_the_converter, 8, "steps or more from those of the converted graph"),
        pytest.param(
            moved_by_the_converter,
            4,
            "with grids of 8 bits for these, on the xnnpack kernels",
            marks=pytest.mark.slow,
        ),
        pytest.param(tiny_logits, 8, "has an output grid", marks=pytest.mark.slow),
    ],
)
def test_wrong_files_of_real_networks_are_failed_rows(
    build, bits, says, monkeypatch, tmp_path, capsys
):
    monkeypatch.setitem(MODELS._items, "resnet_v1", build)
    command = [*SWEEP, "design.factors=[]", "design.baseline=false", f"quant.bits={bits}"]
    assert main([*command, f"out={tmp_path}"]) == 1
    assert says in rows_of(tmp_path)["default"]["export_note"]
    assert rows_of(tmp_path)["default"]["export"] == "failed"


@pytest.mark.parametrize(
    ("error", "export"),
    [
        (DiskFull("disk full: no room."), None),
        (WrongFile("no kernel path opens the file."), "failed"),
        (NotConvertible("the converter refuses this model."), "none"),
        (QbenchError("odd: a layer that cannot be converted."), "none"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_goes_wrong_while_a_file_is_made_stays_what_it_is(error, export, monkeypatch):
    """A full disk is no refusal, and a file that nothing opens is not one that cannot be made."""

    def fails(*_, **__):
        raise error

    monkeypatch.setattr(convert, "Export", fails)
    quant = Quant(enabled=False)
    network = SimpleNamespace(model=None, averages=None, states=lambda _: None)
    with pytest.raises(QbenchError) as caught:
        convert.export(network, SimpleNamespace(quant=quant, scheme=None, pixels=None), None)
    assert getattr(caught.value, "export", None) == export
