"""Runs that begin with trained weights, and commands on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from weights_files import by_layer, equal, net, saved, stirred

from qbench.cli.main import main

SMALL = [
    *("study=digits", "train.steps=6", "eval.limit=100", "threads=2", "isolate=false"),
    "out=out",
]
FILE = ["model=mine.keras", "model.head=new", "model.freeze=[stem*]"]
ROWS = ["design.factors=[]", "quant=deploy", "seeds=[0,1]"]
NET = "import sys\n\nfrom weights_files import net as build\n"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a saved network of 5 classes, and a sweep of it with another head."""
    folder = tmp_path_factory.mktemp("trained")
    model = stirred(net((8, 8, 1), 5, end="softmax"))
    model.get_layer("stem_bn").moving_variance.assign([1.0] * 4)
    saved(folder, "mine.keras", model)
    (folder / "net.py").write_text(NET)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["sweep", *FILE, *SMALL, *ROWS]) == 0
    return folder


@pytest.fixture
def here(swept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the sweep as working folder."""
    monkeypatch.chdir(swept)
    kept = (swept / "mine.keras").read_bytes()
    yield swept
    (swept / "mine.keras").write_bytes(kept)


def _record(run: Path) -> Any:
    return json.loads((run / "record.json").read_bytes())


def _run(folder: Path, label: str = "default", seed: int = 0) -> Path:
    rows = json.loads((folder / "out" / "manifest.json").read_bytes())["rows"]
    (found,) = [
        r["id"] for row in rows if row["label"] == label for r in row["runs"] if r["seed"] == seed
    ]
    return folder / "out" / "runs" / str(found)


def _weights(run: Path) -> Any:
    model = net((8, 8, 1), 10)
    model.load_weights(run / "model.weights.h5")
    return by_layer(model)


def test_records_say_what_training_began_with(swept: Path) -> None:
    found = _record(_run(swept))
    assert found["status"] == "ok"
    assert list(found["code"]) == ["model.file=mine.keras"]
    sha256 = found["code"]["model.file=mine.keras"]
    assert found["start"] == {
        "weights": "model.file=mine.keras",
        "sha256": sha256,
        "matched": ["stem", "stem_bn", "depth"],
        "new": ["logits"],
        "missing": [],
        "other_shape": {},
        "unused": [],
    }


def test_rows_share_float_steps_and_seeds_differ_in_head_and_order(swept: Path) -> None:
    """Frozen layers are the file's in every run; the rest depends on the seed."""
    first, second, baseline = (
        _weights(_run(swept, *of)) for of in (("default", 0), ("default", 1), ("baseline", 0))
    )
    for name in ("stem", "stem_bn"):
        assert equal(first[name], second[name])
        assert equal(first[name], baseline[name])
    for name in ("depth", "logits"):
        assert not equal(first[name], second[name])
    assert _record(_run(swept))["steps"]["taken_over"] > 0


@pytest.mark.parametrize("verb", ["evaluate", "convert", "trace"])
def test_a_finished_run_needs_the_network_of_its_file(
    verb: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = f"out/runs/{_run(here).name}"
    assert main([verb, run]) == 0
    capsys.readouterr()
    saved(here, "mine.keras", net((8, 8, 1), 5))
    assert main([verb, run]) == 2
    assert (
        f"{run}: model.file=mine.keras is not the file of this run (SHA" in capsys.readouterr().err
    )


def test_the_sweep_finds_its_runs_under_another_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(here / "mine.keras", here / "other name.keras")
    file = ["model=other name.keras", *FILE[1:]]
    assert main(["sweep", *file, *SMALL, *ROWS]) == 0
    assert "4 runs, 0 to do" in capsys.readouterr().err


def test_the_graph_is_that_of_the_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "study=digits", *FILE, "quant=deploy", "threads=2"]) == 0
    assert "stem" in capsys.readouterr().out


def test_a_run_begins_where_another_ended(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = f"out/runs/{_run(here).name}"
    shutil.copy(here / run / "model.weights.h5", here / "begin.weights.h5")
    still = ["model=net.py:build", "train=finetune", *SMALL, "train.learning_rate=0", "quant=none"]
    assert main(["train", *still, "model.weights=begin.weights.h5"]) == 0
    said = capsys.readouterr()
    assert "model.weights=begin.weights.h5: 4 of 4 layers begin with its weights" in said.err
    mine = Path(said.out.splitlines()[0].rpartition("  ")[2])
    before, after = _weights(_run(here)), _weights(mine)
    assert equal(before["logits"], after["logits"])
    assert _record(mine)["start"]["weights"] == "model.weights=begin.weights.h5"
    # The folder of the run has the same content.
    assert main(["train", *still, f"model.weights={run}"]) == 0
    assert str(mine) in capsys.readouterr().out
    # Afterwards it is a run like any other, and the weights at its start are not needed again.
    (here / "begin.weights.h5").unlink()
    assert main(["evaluate", str(mine)]) == 0


def test_weights_are_a_factor(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    levels = "model.weights=none,mine.keras"
    own = ["model=net.py:build", "model.head=new", *SMALL, "design=factorial"]
    assert main(["plan", *own, levels]) == 0
    said = capsys.readouterr().out
    assert "model.weights=mine.keras" in said
    assert main(["plan", *own, "model.freeze=[stem],[stem,depth]"]) == 0
    assert "model.freeze=[stem,depth]" in capsys.readouterr().out


def test_what_cannot_begin_is_said_before_training(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "half.keras").write_bytes((here / "mine.keras").read_bytes()[:3000])
    for arguments, says in (
        (["model=half.keras"], "model.file=half.keras: the archive is damaged"),
        (["model=none.keras"], "model.file=none.keras: no such file"),
        (["model=mine.keras"], "has 5 outputs, the data need 10; model.head=new gives"),
        (["model=net.py:build", "model.weights=mine.keras"], "logits (4x5 in the file, 4x10 in"),
        (["model=net.py:build", "model.freeze=[steam]"], "model.freeze=steam matches no layer"),
        (["model=net.py:build", "model.freeze=a,b"], "A list is written model.freeze=[a,b]."),
    ):
        assert main(["train", *arguments, *SMALL]) == 2, arguments
        said = capsys.readouterr().err
        assert says in said, arguments
        assert "Traceback" not in said


@pytest.mark.slow
def test_workers_read_the_same_file(here: Path, tmp_path: Path) -> None:
    arguments = [*FILE, *SMALL[:-2], *ROWS[:2], "hydra.job.chdir=true"]
    arguments += ["deploy.enabled=true", "deploy.calibration=null"]
    where = [f"out={tmp_path / 'out'}", f"hydra.sweep.dir={tmp_path / 'elsewhere'}"]
    assert main(["sweep", *arguments, *where, "workers=2"]) == 0
    for run in (tmp_path / "out" / "runs").iterdir():
        assert _record(run)["status"] == "ok"
