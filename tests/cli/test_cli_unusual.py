"""A network with a kernel that qbench does not know, from graph to the table of its files."""

from __future__ import annotations

import json

import keras
import pytest
import unusual_networks as unusual
from cli_converted import SWEEP, rows_of
from keras import layers

from qbench.cli.main import main
from qbench.models import MODELS


def mixed(shape, classes, **_):
    """A convolution of one's own, and a normalization that follows an activation."""
    image = keras.Input(shape)
    x = unusual.OwnConvolution(name="mine")(unusual.block(image, 8))
    x = layers.BatchNormalization(name="late")(layers.ReLU()(x))
    x = layers.Dropout(0.1)(layers.ReLU()(layers.Conv2D(8, 1)(x)))
    return keras.Model(image, unusual.head(x, classes))


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """In the place of the digits' network."""
    monkeypatch.setitem(MODELS._items, "resnet_v1", mixed)


MINE = "mine (OwnConvolution): filters (3, 3, 8, 16) stays float in every row;"


def test_graph_lists_what_stays_float(capsys):
    assert main(["graph", "study=digits", "threads=2"]) == 0
    out = capsys.readouterr().out
    assert "stays float: mine filters (3, 3, 8, 16), 1,152 values" in out
    assert "stays float: late gamma (16,), 16 values" in out


def test_train_says_so_before_it_trains(tmp_path, tiny, capsys):
    settings = [text for text in tiny if not text.startswith("model.")]
    assert main(["train", *settings, f"out={tmp_path}"]) == 0
    assert MINE in capsys.readouterr().err


def test_slopes_that_are_quantized_do_not_stay_float(monkeypatch, tmp_path, tiny, capsys):
    prelu = unusual.prelu
    monkeypatch.setitem(
        MODELS._items, "resnet_v1", lambda shape, classes, **_: prelu(shape, classes)
    )
    kept = "stays float: p_re_lu alpha (1, 1, 16), 16 values"
    for quant, stays in (("paper", True), ("deploy", False)):
        keras.utils.clear_session()
        assert main(["graph", "study=digits", "threads=2", f"quant={quant}"]) == 0
        assert (kept in capsys.readouterr().out) == stays
    settings = [text for text in tiny if not text.startswith("model.")]
    assert main(["train", *settings, "quant=deploy", f"out={tmp_path}"]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    size = json.loads((run / "record.json").read_bytes())["size"]
    values = (9 + 1) * 8 + (9 * 8 + 1) * 16 + (16 + 1) * 10
    expected = {"values": values, "bits": 8, "megabytes": (values + 16) / 1e6, "side_bits": 8 * 16}
    assert size == expected


@pytest.mark.slow
def test_its_files_are_right_and_say_what_they_are(tmp_path, capsys):
    command = [*SWEEP, "design.factors=[]", f"out={tmp_path}"]
    assert main([*command, "quant=deploy"]) == 0
    err = capsys.readouterr().err
    assert err.index(MINE) < err.index("[1/2]")
    assert "wrong answers" not in err
    rows = rows_of(tmp_path)
    assert rows["baseline"]["export"] == "float"
    row = rows["default"]
    assert row["export"] == "approximate"
    assert "float in the simulation: mine filters" in row["export_note"]
    assert "float in the file: late (MUL" in row["export_note"]
    assert float(row["agreement"]) > 90
    # 1,152 + 4 x 16 values of 32 bits beside those of 8 bits
    kernels = 9 * 8 + 8 + 16 * 8 + 8 + 8 * 10 + 10
    assert float(row["size_mb"]) == pytest.approx((kernels + 4 * (1152 + 64)) / 1e6, rel=1e-3)
