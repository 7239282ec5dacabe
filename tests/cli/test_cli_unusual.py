"""A network with a kernel that qbench does not know, from graph to the table of its files."""

from __future__ import annotations

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
