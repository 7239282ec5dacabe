"""Sweeps through the segment tree: shared or not, in workers or not, the result is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cli_examples as examples
import pytest

from qbench.cli.main import main
from qbench.engine.workers import close_workers
from qbench.training.network import Network


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """A sweep of three runs that nothing happened to."""
    folder = tmp_path_factory.mktemp("few")
    assert main(["sweep", *tiny, *examples.FEW, f"out={folder}"]) == 0
    return folder


@pytest.mark.slow
def test_sharing_changes_no_byte_of_the_table_and_no_weight(
    tiny_sweep: Path, tiny: list[str], tmp_path: Path
) -> None:
    assert main(["sweep", *tiny, "share=false", f"out={tmp_path}"]) == 0
    assert (tmp_path / "table.csv").read_bytes() == (tiny_sweep / "table.csv").read_bytes()
    assert examples.weights(tmp_path) == examples.weights(tiny_sweep)
    for name in examples.runs(tmp_path).index:
        alone, shared = (
            examples.run_folder(folder, name) / "history.csv" for folder in (tmp_path, tiny_sweep)
        )
        assert alone.read_bytes() == shared.read_bytes()
        assert examples.record(tmp_path, name)["steps"]["taken_over"] == 0


def test_shared_steps_are_trained_once(
    few: Path, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = examples.Watched(monkeypatch)
    assert main(["sweep", *tiny, *examples.FEW, f"out={tmp_path / 'shared'}"]) == 0
    assert watched.total == examples.ALL_SHARED
    for name in ("baseline", "default", "quant.bits=4"):
        assert examples.record(few, name)["steps"]["taken_over"] == examples.TRUNK
    alone = examples.Watched(monkeypatch)
    assert main(["sweep", *tiny, *examples.FEW, "share=false", f"out={tmp_path / 'alone'}"]) == 0
    assert alone.total == 3 * 10


@pytest.mark.slow
def test_workers_give_the_same_as_this_process(few: Path, tiny: list[str], tmp_path: Path) -> None:
    """Isolation is the default."""
    isolated = [text for text in tiny if text != "isolate=false"]
    try:
        assert main(["sweep", *isolated, *examples.FEW, f"out={tmp_path}"]) == 0
    finally:
        close_workers()
    assert (tmp_path / "table.csv").read_bytes() == (few / "table.csv").read_bytes()
    assert examples.weights(tmp_path) == examples.weights(few)
    assert examples.states(tmp_path) == set()


def test_jobs_are_found_from_another_working_directory(few: Path, tiny: list[str]) -> None:
    """Also where the folder's name would mean something to Hydra."""
    name = "one, two=${three} it's"
    quoted = name.replace("$", "\\$").replace("'", "\\'")
    elsewhere = ["hydra.job.chdir=true", "hydra.sweep.dir=elsewhere"]
    assert main(["sweep", *tiny, *examples.FEW, *elsewhere, f"out='{quoted}'"]) == 0
    assert examples.weights(Path(name)) == examples.weights(few)


def test_a_sweep_leaves_no_states_jobs_or_locks(few: Path) -> None:
    assert not (few / "jobs").exists()
    assert list((few / "segments").iterdir()) == []


def test_verify_sharing_finds_all_weights_equal(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify-sharing", *tiny, *examples.FEW]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["equal"] * 3
    assert [line.split()[1] for line in lines] == ["baseline", "default", "quant.bits=4"]
    assert all("8 steps taken over" in line for line in lines)


def test_verify_sharing_fails_where_sharing_changes_weights(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As if the optimizer's slots were not part of a state."""
    set_state = Network.set_state

    def forgets(self: Network, state: Any, scheme: Any = None) -> None:
        set_state(self, state, scheme)
        for variable in self.optimizer.variables:
            variable.assign(0 * variable)

    monkeypatch.setattr(Network, "set_state", forgets)
    assert main(["verify-sharing", *tiny, *examples.FEW]) == 1
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["DIFFERENT"] * 3
    assert "3 of 3 runs end with other values with sharing" in said.err


def test_kept_trunks_serve_a_later_sweep(
    few: Path, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [*tiny, "design.factors=[quant.bits]", "keep_trunks=true", f"out={tmp_path}"]
    assert main(["sweep", *arguments, "quant.bits=8,4"]) == 0
    trunk = examples.segments(tmp_path, "default")[0]
    assert examples.states(tmp_path) == {trunk}
    watched = examples.Watched(monkeypatch)
    assert main(["sweep", *arguments, "quant.bits=8,4,16"]) == 0
    assert watched.spans == [("quantized", 8, 10)]
    assert examples.states(tmp_path) == {trunk}
    weights = examples.weights(tmp_path)
    assert {name: weights[name] for name in examples.weights(few)} == examples.weights(few)


def test_clean_keeps_what_an_unfinished_run_needs(
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    factors = ["design.factors=[quant.bits,quant.delay]", "quant.bits=8,4", "quant.delay=0.8,0.4"]
    arguments = [*tiny, *factors, "retries=0", "keep_trunks=true", f"out={tmp_path}"]
    with monkeypatch.context() as patch:
        examples.Watched(patch, lambda experiment, *_: experiment.quant.bits == 4)
        assert main(["sweep", *arguments]) == 1
    to_4, to_8 = examples.segments(tmp_path, "default")[:2]
    assert examples.states(tmp_path) == {to_4, to_8}
    (tmp_path / "segments" / "0123456789ab.state").write_bytes(b"of another sweep")
    (tmp_path / "segments" / "0123456789ab.partial").write_bytes(b"of another sweep")
    capsys.readouterr()
    assert main(["clean", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("3 files, ")
    # The run with 4 bits goes on from the deepest state.
    assert examples.states(tmp_path) == {to_8}
    watched = examples.Watched(monkeypatch)
    assert main(["sweep", *arguments]) == 0
    assert watched.spans == [("quantized", 8, 10)]
    kept = {path: path.read_bytes() for path in tmp_path.glob("runs/*/*")}
    assert main(["clean", str(tmp_path)]) == 0
    assert examples.states(tmp_path) == set()
    assert {path: path.read_bytes() for path in tmp_path.glob("runs/*/*")} == kept


@pytest.mark.parametrize("verb", ["clean", "status"])
def test_a_folder_that_is_no_sweep_is_one_sentence(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([str(tmp_path)], [], ["a", "b"]):
        assert main([verb, *arguments]) == 2
        said = capsys.readouterr().err
        assert said.startswith("qbench: ")
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    "name",
    [
        "model.weights.h5",
        pytest.param("record.json", marks=pytest.mark.slow),
        pytest.param("predictions.npz", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_run_of_a_finished_sweep_is_made_again(
    name: str,
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [*tiny, *examples.FEW, f"out={tmp_path}"]
    assert main(["sweep", *arguments]) == 0
    table, weights = (tmp_path / "table.csv").read_bytes(), examples.weights(tmp_path)
    path = examples.run_folder(tmp_path, "default") / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    watched = examples.Watched(monkeypatch)
    assert main(["sweep", *arguments]) == 0
    said = capsys.readouterr().err
    assert f"{path.parent.name}/{name}: " in said
    assert f"Set aside as {path.parent.name}.damaged" in said
    assert "1 to do" in said
    assert watched.spans == [("float", 0, 8), ("quantized", 8, 10)]
    aside = path.parent.with_name(f"{path.parent.name}.damaged")
    assert (aside / name).read_bytes() == content
    assert (tmp_path / "table.csv").read_bytes() == table
    assert examples.weights(tmp_path) == weights
