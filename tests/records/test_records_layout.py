"""Where everything lies: one module names what is below a root, and every place is where it was."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import qbench
from qbench.storage import layout

ROOT = Path(qbench.__file__).parent
OWNER = ROOT / "storage" / "layout.py"
# Below their places lie data sets, the shipped configuration and the system's files.
ELSEWHERE = ("data", "base")
# The shipped configuration, tables of papers, starter and scripts of shells, devices and processes
# of the system, a lock of all users, what Keras writes into the files of networks.
OTHERS = {
    *("cli/known.py: *.yaml", "cli/training_line.py: .yaml", "cli/commands/init.py: starter"),
    "planning/published/__init__.py: .csv",
    *("storage/locks.py: /proc/", "storage/locks.py: /stat"),
    *(
        "storage/locks.py: /proc/sys/kernel/random/boot_id",
        "storage/locks.py: /proc/self/ns/pid",
    ),
    *("models/saved/archive.py: config.json", "models/saved/archive.py: model.weights.h5"),
    *("models/saved/hdf5.py: model_weights", "models/saved/hdf5.py: model_config"),
    *("engine/gpus.py: /dev", "engine/gpus.py: nvidia[0-9]*"),
    *("cli/completion.py: *.yaml", "cli/completion.py: shells", "cli/completion.py: completion."),
    *("engine/gpus.py: qbench-", "engine/gpus.py: -gpu-", "engine/gpus.py: .lock"),
}
FOLDERS = {"runs", "segments", "decisions", "jobs", "figures"}
FILES = {
    *("config.json", "record.json", "history.csv", "predictions.npz", "ranges.json"),
    *("model.weights.h5", "model_", ".tflite", "deploy.json", "deploy_", "latency.json"),
    "outputs.npz",
    *(
        "manifest.json",
        "deciding.json",
        "jobs.jsonl",
        "runs.csv",
        "table.csv",
        "table.md",
        "report.html",
    ),
    *("mlflow.db", "mlartifacts"),
    *(".state", ".partial", ".lock", ".error", ".damaged"),
}
JOINS = ("glob", "rglob", "joinpath", "with_name", "with_suffix", "Path")


def _texts(node: ast.AST) -> Iterator[str]:
    """The literal texts of an expression, also those within f-strings."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _joined(node: ast.AST) -> Iterator[str]:
    """What an expression that makes a path says in letters."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = [part for part in (node.left, node.right) if not isinstance(part, ast.BinOp)]
    elif isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        parts = node.args if name in JOINS else []
    else:
        return
    for part in parts:
        if isinstance(part, ast.Constant | ast.JoinedStr):
            yield from (text for text in _texts(part) if any(map(str.isalpha, text)))


def _is_name(text: str) -> bool:
    """Whether a text is, or is a path with, one of the names; sentences are not."""
    if any(map(str.isspace, text)):
        return False
    parts = text.split("/")
    return any(name in text for name in FILES) or (len(parts) > 1 and bool(FOLDERS & {*parts}))


def named_in(source: str) -> list[str]:
    """The names of files and folders below a root that a module's code holds."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_name(node.value):
            found.append(node.value)
        found += _joined(node)
    return found


NAMING = [
    *('root / "runs" / run', 'root / f"{job}.json"', 'path.with_name(f"{path.name}.damaged")'),
    *(
        'root.glob("*.lock")',
        'NAME = "config.json"',
        'join(root, "runs/" + run)',
        'f"model_{kind}"',
    ),
    *('(root / a / "stop").touch()', 'Path("segments")', '{"runs": "../runs"}'),
]
NAMELESS = [
    *('run["runs"]', "root / layout.RECORD", "layout.run_folder(root, run)", 'root.glob("*")'),
    *('print("see runs.csv in it")', '"""Writes record.json."""', "a / b / 2.0", '{"runs": []}'),
]


@pytest.mark.parametrize("code", NAMING)
def test_code_that_names_a_place_is_found(code: str) -> None:
    assert named_in(code)


@pytest.mark.parametrize("code", NAMELESS)
def test_code_that_names_none_is_not(code: str) -> None:
    assert named_in(code) == []


def test_no_other_module_names_a_place_below_a_root() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in ROOT.rglob("*.py")
        if path != OWNER and path.relative_to(ROOT).parts[0] not in ELSEWHERE
        for name in named_in(path.read_text())
    }
    assert found - OTHERS == set()


def _of(root: Path, *parts: str) -> str:
    return str(root.joinpath(*parts))


def test_places_of_a_run(tmp_path: Path) -> None:
    assert str(layout.run_folder(tmp_path, "a1")) == _of(tmp_path, "runs", "a1")
    names = [getattr(layout, name) for name in ("CONFIG", "RECORD", "HISTORY", "PREDICTIONS")]
    assert names == ["config.json", "record.json", "history.csv", "predictions.npz"]
    assert (layout.RANGES, layout.WEIGHTS) == ("ranges.json", "model.weights.h5")
    assert layout.OUTPUTS == "outputs.npz"
    assert layout.LATENCY == "latency.json"
    assert layout.conversion_report(None) == "deploy.json"
    assert layout.conversion_report("representative") == "deploy_representative.json"
    assert layout.conversion_predictions("deploy.json") == "deploy_predictions.npz"
    assert layout.converted("16x8") == "model_16x8.tflite"
    assert layout.CARD == "README.md"
    assert layout.root_of_run(tmp_path / "runs" / "a1") == tmp_path
    assert layout.kind_of_converted("model_16x8.tflite") == "16x8"


def test_places_of_segments_and_jobs(tmp_path: Path) -> None:
    kinds = (layout.STATE, layout.PARTIAL, layout.LOCK, layout.ERROR)
    files = [layout.segment_file(tmp_path, "s", kind) for kind in kinds]
    names = ("s.state", "s.partial", "s.lock", "s.error")
    assert [str(file) for file in files] == [_of(tmp_path, "segments", name) for name in names]
    job = layout.job_file(tmp_path, "run-1")
    assert str(job) == _of(tmp_path, "jobs", "run-1.json")
    assert layout.root_of_job(job) == tmp_path
    assert str(layout.stop_file(tmp_path)) == _of(tmp_path, "jobs", "stop")
    assert str(layout.jobs_log(tmp_path)) == _of(tmp_path, "jobs.jsonl")


def test_places_of_decisions(tmp_path: Path) -> None:
    below = tmp_path / "decisions"
    _files(tmp_path, "decisions/b.json", "decisions/a.json", "decisions/c.lock")
    _files(tmp_path, "decisions/d.json.damaged", "decisions/d.partial.damaged")
    assert layout.decision_record(tmp_path, "a") == below / "a.json"
    assert layout.decision_records(tmp_path) == [below / "a.json", below / "b.json"]
    assert layout.decision_file(tmp_path, "c", layout.LOCK) == below / "c.lock"
    assert layout.decision_files(tmp_path, layout.PARTIAL) == {below / "d.partial.damaged": "d"}
    assert layout.decisions_folder(tmp_path) == below
    assert layout.DECIDING == "deciding.json"


def test_places_of_a_sweep(tmp_path: Path) -> None:
    names = (layout.MANIFEST, layout.RUNS_TABLE, layout.TABLE, layout.TABLE_MARKDOWN, layout.PAGE)
    assert names == ("manifest.json", "runs.csv", "table.csv", "table.md", "report.html")
    assert str(layout.figures_folder(tmp_path)) == _of(tmp_path, "figures")
    assert str(layout.mlflow_store(tmp_path)) == _of(tmp_path, "mlflow.db")
    assert str(layout.mlflow_files(tmp_path / "mlflow.db")) == _of(tmp_path, "mlartifacts")
    assert str(layout.report_file(tmp_path, "bits_grid", "csv")) == _of(tmp_path, "bits_grid.csv")


@pytest.mark.parametrize("place", [".", "ofat-1"])
def test_a_sweep_finds_its_root(tmp_path: Path, place: str) -> None:
    sweep = tmp_path / place
    sweep.mkdir(exist_ok=True)
    runs = layout.runs_seen_from(sweep, tmp_path)
    assert runs == ("runs" if place == "." else "../runs")
    found = layout.run_folder(layout.root_of_sweep(sweep, {"runs": runs}), "a1")
    assert found.resolve() == (tmp_path / "runs" / "a1").resolve()


def _files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def test_what_lies_there_is_listed(tmp_path: Path) -> None:
    _files(tmp_path, "runs/b/record.json", "runs/a/record.json", "runs/c/config.json")
    _files(tmp_path, "manifest.json", "two/manifest.json", "one/manifest.json", "no/runs.csv")
    _files(tmp_path, "segments/s.state", "segments/t.state.damaged", "segments/u.partial")
    _files(tmp_path, "segments/.s.state.x1", "runs/.a.x2/config.json", ".other")
    below = tmp_path / "segments"
    written = [tmp_path / "runs" / run / "record.json" for run in "ab"]
    assert layout.record_files(tmp_path) == written
    assert layout.sweeps(tmp_path) == [tmp_path / "one", tmp_path / "two"]
    states = layout.segment_files(tmp_path, layout.STATE)
    assert states == {below / "s.state": "s", below / "t.state.damaged": "t"}
    runs = tmp_path / "runs"
    folders = [tmp_path, runs, *(runs / name for name in (".a.x2", "a", "b", "c")), below]
    folders.append(tmp_path / "decisions")
    assert sorted(layout.folders_of_results(tmp_path)) == sorted(folders)
    assert layout.damaged(below / "s.state") == below / "s.state.damaged"
