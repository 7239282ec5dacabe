import json

import numpy as np
import pandas as pd
import pytest

from qbench.cli.main import main
from qbench.training import loop


def _table(folder):
    return pd.read_csv(folder / "table.csv").set_index("configuration")


def test_not_applicable_rows_are_kept_and_do_not_fail_the_sweep(tmp_path, tiny):
    arguments = ["design.factors=[quant.op]", "quant.bits=32", f"out={tmp_path}"]
    assert main(["sweep", *tiny, *arguments]) == 0
    table = _table(tmp_path)
    assert table.loc["quant.op=fake_quant", "status"] == "not_applicable"
    assert table.loc["default", "status"] == "ok"
    assert "fake_quant takes 2 to 16 bits" in (tmp_path / "table.md").read_text()


def test_a_diverged_run_is_a_row_and_the_rest_goes_on(tmp_path, tiny, capsys):
    # A rate of 1e30 overflows within a few steps; the baseline row diverges too.
    arguments = ["design.factors=[quant.bits]", "quant.bits=8,4", "train.learning_rate=1e30"]
    assert main(["sweep", *tiny, *arguments, f"out={tmp_path}"]) == 1
    table = _table(tmp_path)
    assert set(table["status"]) == {"diverged"}
    assert table["accuracy"].isna().all()
    assert "did not end well (diverged)" in capsys.readouterr().err


def test_a_failed_run_is_a_row_with_its_error_and_is_tried_again(tmp_path, tiny, monkeypatch):
    original = loop.train_phase

    def fails_at_four_bits(network, experiment, *rest):
        if experiment.quant.bits == 4:
            raise RuntimeError("the machine caught fire")
        return original(network, experiment, *rest)

    monkeypatch.setattr(loop, "train_phase", fails_at_four_bits)
    arguments = [*tiny, "design.factors=[quant.bits]", "quant.bits=8,4", f"out={tmp_path}"]
    assert main(["sweep", *arguments]) == 1
    assert list(_table(tmp_path)["status"]) == ["ok", "ok", "failed"]
    runs = pd.read_csv(tmp_path / "runs.csv").set_index("configuration")
    assert "the machine caught fire" in runs.loc["quant.bits=4", "error"]
    record = json.loads(
        (tmp_path / "runs" / runs.loc["quant.bits=4", "run"] / "record.json").read_text()
    )
    assert "Traceback" in record["error"]["traceback"]

    monkeypatch.setattr(loop, "train_phase", original)
    assert main(["sweep", *arguments]) == 0
    assert list(_table(tmp_path)["status"]) == ["ok", "ok", "ok"]


def test_logits_that_are_not_finite_are_a_diverged_run(tmp_path, tiny):
    # Unsigned codes measured of a tensor without positive values have no scale: inf.
    arguments = ["quant.signed=false", "quant.placement=[add]", "model.name=all_negative"]
    with pytest.MonkeyPatch.context() as patch:
        from qbench.models.registry import MODELS

        patch.setitem(MODELS._items, "all_negative", _all_negative)
        code = main(
            [
                "train",
                *tiny,
                *arguments,
                "~model.blocks",
                "~model.width",
                "train.steps=1",
                "~model.batch_norm_momentum",
                "~model.activation",
                "quant.delay=1",
                f"out={tmp_path}",
            ]
        )
    assert code == 1
    (record,) = [json.loads(p.read_text()) for p in tmp_path.glob("runs/*/record.json")]
    assert record["status"] == "diverged"
    assert record["metrics"] is None


def _all_negative(shape, classes):
    import keras

    image = keras.Input(shape, name="image")
    flat = keras.layers.Flatten()(image)
    below = -1.0 - keras.layers.ReLU()(flat)
    joined = keras.layers.Add()([below, below])
    return keras.Model(image, keras.layers.Dense(classes)(joined))


def test_several_seeds_give_means_and_sample_deviations(tmp_path, tiny):
    arguments = [*tiny, "design.factors=[]", "seeds=[0,1,2]", f"out={tmp_path}"]
    assert main(["sweep", *arguments]) == 0
    table, runs = _table(tmp_path), pd.read_csv(tmp_path / "runs.csv")
    mine = runs[runs["configuration"] == "default"]["accuracy"].to_numpy()
    assert table.loc["default", "n_seeds"] == 3
    assert table.loc["default", "accuracy"] == pytest.approx(mine.mean())
    assert table.loc["default", "accuracy_std"] == pytest.approx(np.std(mine, ddof=1))


def test_two_identical_runs_have_bit_identical_weights(tmp_path, tiny):
    hashes = []
    for name in ("first", "second"):
        assert main(["train", *tiny, f"out={tmp_path / name}"]) == 0
        (record,) = (tmp_path / name).glob("runs/*/record.json")
        hashes.append(json.loads(record.read_text())["weights_sha256"])
    assert hashes[0] == hashes[1]


def test_without_out_the_sweeps_of_a_study_share_their_runs(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", *tiny, "design.factors=[]"]) == 0
    assert main(["sweep", *tiny, "design.factors=[quant.bits]", "quant.bits=8,4"]) == 0
    study = tmp_path / "outputs" / "digits"
    assert len(list((study / "runs").iterdir())) == 3
    assert len(list(study.glob("ofat-*/table.csv"))) == 2
