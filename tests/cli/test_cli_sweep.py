import json
import shutil

import numpy as np
import pandas as pd
import pytest

from qbench.cli.main import main
from qbench.storage import records

PAPER_ROWS = [
    "baseline",
    "default",
    "quant.op=fake_quant",
    "quant.rounding=half_up",
    "quant.bits=4",
    "quant.bits=16",
    "quant.bits=32",
    "data.preprocessing=inception",
    "quant.signed=false",
    "quant.placement=[conv,activation,add]",
    "quant.range_given=true",
    "quant.delay=0.4",
    "quant.delay=0.5",
    "quant.delay=0.6",
    "quant.delay=0.7",
    "quant.delay=0.9",
]


def test_sweep_writes_the_sixteen_rows_in_the_papers_order(tiny_sweep):
    table = pd.read_csv(tiny_sweep / "table.csv")
    assert list(table["configuration"]) == PAPER_ROWS
    assert set(table["status"]) == {"ok"}
    assert table["accuracy"].between(0, 100).all()
    assert table.loc[0, "quantized"] == "no"
    assert table.loc[1:, "quantized"].eq("yes").all()


def test_the_manifest_has_the_command_without_the_folder(tiny_sweep, tiny):
    command = json.loads((tiny_sweep / "manifest.json").read_text())["command"]
    assert command == " ".join(["qbench sweep", *tiny])


def test_every_run_leaves_all_its_files_and_no_pickle(tiny_sweep):
    runs = pd.read_csv(tiny_sweep / "runs.csv")
    assert len(runs) == 16
    for run in runs["run"]:
        files = {path.name for path in (tiny_sweep / "runs" / run).iterdir()}
        assert files == {
            "config.json",
            "record.json",
            "history.csv",
            "predictions.npz",
            "outputs.npz",
            "ranges.json",
            "model.weights.h5",
        }


def test_predictions_give_the_recorded_accuracy(tiny_sweep):
    for folder in (tiny_sweep / "runs").iterdir():
        record = json.loads((folder / "record.json").read_text())
        with np.load(folder / "predictions.npz", allow_pickle=False) as stored:
            accuracy = 100 * np.mean(stored["label"] == stored["predicted"])
            recall = 100 * np.mean(stored["rank"] < 5)
            assert len(stored["label"]) == 150
        assert record["metrics"]["accuracy"] == pytest.approx(accuracy)
        assert record["metrics"]["recall_at_5"] == pytest.approx(recall)


def test_delay_sets_the_step_at_which_the_history_turns_quantized(tiny_sweep):
    runs = pd.read_csv(tiny_sweep / "runs.csv").set_index("configuration")
    for label, start in {"baseline": 10, "default": 8, "quant.delay=0.4": 4}.items():
        history = pd.read_csv(tiny_sweep / "runs" / runs.loc[label, "run"] / "history.csv")
        assert list(history["phase"]) == ["float"] * start + ["quantized"] * (10 - start)


def test_runs_with_the_same_float_phase_have_the_same_losses_in_it(tiny_sweep):
    runs = pd.read_csv(tiny_sweep / "runs.csv").set_index("configuration")
    history = {
        label: pd.read_csv(tiny_sweep / "runs" / runs.loc[label, "run"] / "history.csv")["loss"]
        for label in ("baseline", "default", "quant.bits=4", "quant.delay=0.4")
    }
    assert (history["default"][:8] == history["baseline"][:8]).all()
    assert (history["quant.bits=4"][:8] == history["baseline"][:8]).all()
    assert (history["quant.delay=0.4"][:4] == history["baseline"][:4]).all()
    assert (history["quant.bits=4"][8:] != history["default"][8:]).any()


def test_the_same_sweep_again_runs_nothing_and_gives_the_same_table(tiny_sweep, tiny, capsys):
    before = (tiny_sweep / "table.csv").read_bytes()
    assert main(["sweep", *tiny, f"out={tiny_sweep}"]) == 0
    assert "0 to do" in capsys.readouterr().err
    assert (tiny_sweep / "table.csv").read_bytes() == before


def test_another_sweep_does_not_take_the_folder_over(tiny_sweep, tiny, capsys):
    before = (tiny_sweep / "manifest.json").read_bytes()
    assert main(["sweep", *tiny, f"out={tiny_sweep}", "design.factors=[quant.bits]"]) == 2
    assert "holds the table of another sweep" in capsys.readouterr().err
    assert (tiny_sweep / "manifest.json").read_bytes() == before


def test_report_rebuilds_the_same_files_from_the_records(tiny_sweep, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_sweep, copy)
    names = ["runs.csv", "table.csv", "table.md", "report.html", "figures/fig2_delay.svg"]
    before = {name: (copy / name).read_bytes() for name in names}
    for name in names:
        (copy / name).unlink()
    assert main(["report", str(copy)]) == 0
    assert {name: (copy / name).read_bytes() for name in names} == before


def test_report_without_some_records_says_missing(tiny_sweep, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_sweep, copy)
    runs = pd.read_csv(copy / "runs.csv")
    shutil.rmtree(copy / "runs" / runs.loc[4, "run"])
    assert main(["report", str(copy)]) == 0
    table = pd.read_csv(copy / "table.csv")
    assert table.loc[4, "status"] == "missing"
    assert set(table["status"].drop(4)) == {"ok"}


def test_evaluate_gives_the_recorded_figures_for_every_kind_of_range(tiny_sweep, capsys):
    runs = pd.read_csv(tiny_sweep / "runs.csv").set_index("configuration")
    for label in ("baseline", "default", "quant.op=fake_quant", "quant.range_given=true"):
        assert main(["evaluate", str(tiny_sweep / "runs" / runs.loc[label, "run"])]) == 0
        assert "same as recorded" in capsys.readouterr().out


@pytest.mark.parametrize("before", ["removed", "never kept"])
def test_evaluate_writes_outputs_that_a_run_lacks_and_only_those(
    tiny_sweep, tmp_path, capsys, before
):
    """They are the bits of the run's own evaluation."""
    run = pd.read_csv(tiny_sweep / "runs.csv").loc[1, "run"]
    folder = tmp_path / "runs" / run
    shutil.copytree(tiny_sweep / "runs" / run, folder)
    outputs = folder / "outputs.npz"
    kept = outputs.read_bytes()
    with np.load(outputs, allow_pickle=False) as stored:
        assert {name: (a.dtype, a.shape) for name, a in stored.items()} == {
            "outputs": (np.float32, (150, 10))
        }
        with np.load(folder / "predictions.npz") as predictions:
            assert (stored["outputs"].argmax(axis=1) == predictions["predicted"]).all()
    outputs.unlink()
    if before == "never kept":
        record = json.loads((folder / "record.json").read_text())
        del record["files"]["outputs.npz"], record["checksum"]
        sealed = record | {"checksum": records.content_id(record)}
        (folder / "record.json").write_bytes(records.as_json(sealed))
    assert main(["evaluate", str(folder), "eval.limit=90"]) == 0
    assert not outputs.exists()
    capsys.readouterr()
    assert main(["evaluate", str(folder)]) == 0
    assert "outputs.npz written" in capsys.readouterr().out
    assert outputs.read_bytes() == kept
    assert records.read_record(folder) == records.read_record(tiny_sweep / "runs" / run)
    assert main(["evaluate", str(folder)]) == 0
    assert "written" not in capsys.readouterr().out


def test_evaluate_on_fewer_images_differs_and_says_so(tiny_sweep, capsys):
    run = pd.read_csv(tiny_sweep / "runs.csv").loc[1, "run"]
    assert main(["evaluate", str(tiny_sweep / "runs" / run), "eval.limit=90"]) == 0
    assert "differs from what is recorded" in capsys.readouterr().out


def test_a_run_of_train_is_found_by_the_sweep_that_holds_it(tiny_sweep, tiny, capsys):
    assert main(["train", *tiny, "quant.bits=4", f"out={tiny_sweep}"]) == 0
    run = pd.read_csv(tiny_sweep / "runs.csv").loc[4, "run"]
    assert run in capsys.readouterr().out
    assert len(list((tiny_sweep / "runs").iterdir())) == 16
