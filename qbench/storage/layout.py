"""The layout of all files on disk: no other module names a folder or a file below a root.

    <root>/runs/<id>/   config.json        the whole configuration of one run
                        record.json        the run record; written last
                        history.csv        training loss
                        predictions.npz    the predictions of the task for the test set
                        outputs.npz        the outputs of the network for the test set
                        ranges.json        moving range averages by tensor
                        scheme.npz         the variables of the scheme, if it keeps any
                        model.weights.h5   Keras weights
                        model_*.tflite     the file that `qbench convert` made
                        deploy.json        the report of this file
                        deploy_predictions.npz  the predictions of this file for the test set
                        latency.json       milliseconds, from `qbench latency`
                        README.md          the model card, from `qbench export`
    <root>/segments/    <id>.state         the state at the end of a segment that several runs share
                        <id>.partial       the last checkpoint within a segment
                        <id>.lock          exists while a process trains the segment
                        <id>.error         why the segment could not be trained in the running sweep
    <root>/decisions/   <id>.json          the number of steps that a first stage decided
                        <id>.partial       the last checkpoint of a first stage
                        <id>.lock, <id>.error  as for segments
    <root>/jobs/        <id>.json          a job of the running sweep
                        stop               while it exists, no further job begins
    <root>/tensorboard/ <row>-<id>/ the event file of a run or a trunk, with track=tensorboard
    <root>/jobs.jsonl   one line for every finished job: steps, seconds
    <sweep>/            manifest.json      the rows of the table and their runs
                        deciding.json      the decisions that the sweep waits for
                        runs.csv, table.csv, table.md, figures/, report.html
                        mlflow.db, mlartifacts/ from `qbench export`

A derived run, such as an ensemble, has no weights, ranges and history. Its config.json
has its kind and members.

A root is the folder of a study, and a sweep's folder lies in it; with `out` both are the same
folder. A damaged file or folder is renamed to <name>.damaged. A hidden name means that the file or
folder is not complete yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG = "config.json"
RECORD = "record.json"
HISTORY = "history.csv"
PREDICTIONS = "predictions.npz"
OUTPUTS = "outputs.npz"
RANGES = "ranges.json"
SCHEME = "scheme.npz"
WEIGHTS = "model.weights.h5"
LATENCY = "latency.json"
CARD = "README.md"

MANIFEST = "manifest.json"
RUNS_TABLE = "runs.csv"
TABLE = "table.csv"
TABLE_MARKDOWN = "table.md"
PAGE = "report.html"

DECIDING = "deciding.json"

STATE, PARTIAL, LOCK, ERROR = "state", "partial", "lock", "error"

_RUNS, _SEGMENTS, _JOBS, _FIGURES = "runs", "segments", "jobs", "figures"
_DECISIONS = "decisions"
_TRACKING = "tensorboard"
_JOBS_LOG = "jobs.jsonl"
_STOP = "stop"
_DAMAGED = "damaged"
_MODEL = "model_"
_TFLITE = ".tflite"
_DEPLOY = "deploy"


def run_folder(root: Path, run: str) -> Path:
    """The folder of one run."""
    return root / _RUNS / run


def record_files(root: Path) -> list[Path]:
    """The record files of all runs below a root, sorted by run id."""
    return sorted(root.glob(f"{_RUNS}/*/{RECORD}"))


def conversion_report(calibration: str | None) -> str:
    """The file with the report of a run's converted file.

    Args:
        calibration: the calibration that found the ranges; None if training gathered them.
    """
    return f"{_DEPLOY}_{calibration}.json" if calibration else f"{_DEPLOY}.json"


def conversion_reports(folder: Path) -> list[Path]:
    """The files with reports of converted files in a run's folder."""
    return sorted(folder.glob(f"{_DEPLOY}*.json"))


def conversion_predictions(report: str) -> str:
    """The file with the predictions of a converted file, from the name of the file's report."""
    return f"{Path(report).stem}_{PREDICTIONS}"


def converted(kind: str) -> str:
    """The name of the converted file of a kind, such as `int8`."""
    return f"{_MODEL}{kind}{_TFLITE}"


def is_conversion(path: Path) -> bool:
    """Whether a path is that of a converted file or of the report of one, by its name."""
    return path.suffix in (_TFLITE, Path(conversion_report(None)).suffix)


def kind_of_converted(file: str) -> str:
    """The kind of a converted file, from the name of the file."""
    return Path(file).stem.removeprefix(_MODEL)


def segments_folder(root: Path) -> Path:
    """The folder of states and locks."""
    return root / _SEGMENTS


def segment_file(root: Path, segment: str, kind: str) -> Path:
    """A segment's file: STATE, PARTIAL, LOCK or ERROR."""
    return segments_folder(root) / f"{segment}.{kind}"


def segment_files(root: Path, kind: str) -> dict[Path, str]:
    """All files of a kind, also damaged ones, each with the id of its segment."""
    return _files_of(segments_folder(root), kind)


def decisions_folder(root: Path) -> Path:
    """The folder of decisions on numbers of steps, with their states and locks."""
    return root / _DECISIONS


def decision_file(root: Path, decision: str, kind: str) -> Path:
    """A file of a first stage: PARTIAL, LOCK or ERROR."""
    return decisions_folder(root) / f"{decision}.{kind}"


def decision_files(root: Path, kind: str) -> dict[Path, str]:
    """All files of a kind, each with the id of its decision; see `segment_files`."""
    return _files_of(decisions_folder(root), kind)


def decision_record(root: Path, decision: str) -> Path:
    """The record of a decision."""
    return decisions_folder(root) / f"{decision}.json"


def decision_records(root: Path) -> list[Path]:
    """The records of all decisions below a root, sorted by id."""
    return sorted(decisions_folder(root).glob("*.json"))


def _files_of(folder: Path, kind: str) -> dict[Path, str]:
    """The files of a kind in a folder, also damaged ones, each with its name."""
    files = [*folder.glob(f"*.{kind}"), *folder.glob(f"*.{kind}.{_DAMAGED}")]
    return {file: file.name.partition(".")[0] for file in files}


def hidden_locks(folder: Path) -> list[Path]:
    """Locks of a folder under the hidden names that they have while they are taken and removed."""
    return list(folder.glob(f".*.{LOCK}.*"))


def damaged(path: Path) -> Path:
    """The name that a damaged file or folder gets."""
    return path.with_name(f"{path.name}.{_DAMAGED}")


def folders_of_results(root: Path) -> list[Path]:
    """The folders in which runs, states and their files appear."""
    runs = root / _RUNS
    of_runs = (folder for folder in runs.glob("*") if folder.is_dir())
    return [root, runs, *of_runs, root / _SEGMENTS, root / _DECISIONS]


def jobs_folder(root: Path) -> Path:
    """The folder for jobs of the running sweep."""
    return root / _JOBS


def job_file(root: Path, job: str) -> Path:
    """The file of a job."""
    return jobs_folder(root) / f"{job}.json"


def root_of_job(path: Path) -> Path:
    """The root of a job, from the path of the job's file."""
    return path.parent.parent


def stop_file(root: Path) -> Path:
    """The file that stops a sweep: while it exists, no further job begins."""
    return jobs_folder(root) / _STOP


def jobs_log(root: Path) -> Path:
    """The file with one line of JSON for every finished job."""
    return root / _JOBS_LOG


def tracking_folder(root: Path, name: str, readable: str) -> Path:
    """The folder of a run's or a trunk's event file; it keeps the name that it has already.

    Args:
        root: the root folder.
        name: the id of the run, or of the last segment of the trunk.
        readable: a text for the name of a new folder.
    """
    folder = root / _TRACKING
    known = sorted(folder.glob(f"*-{name}"))
    return known[0] if known else folder / f"{readable}-{name}"


def runs_seen_from(sweep: Path, root: Path) -> str:
    """The folder of all runs, relative to a sweep's folder, so that both can be moved together."""
    return _RUNS if sweep == root else f"../{_RUNS}"


def root_of_sweep(sweep: Path, manifest: Mapping[str, Any]) -> Path:
    """The root that holds the runs of a sweep, from the sweep's manifest."""
    runs: str = manifest["runs"]
    return (sweep / runs).parent


def root_of_run(folder: Path) -> Path:
    """The root that holds a run, from the run's folder."""
    return folder.absolute().parent.parent


def mlflow_store(sweep: Path) -> Path:
    """The file of MLflow's store in a sweep's folder."""
    return sweep / "mlflow.db"


def mlflow_files(store: Path) -> Path:
    """The folder for the files of runs, beside a store of MLflow."""
    return store.with_name("mlartifacts")


def sweeps(folder: Path) -> list[Path]:
    """The folders of sweeps that lie in a folder."""
    files = folder.glob(f"*/{MANIFEST}")
    return sorted(file.parent for file in files if file.is_file())


def waiting_lists(root: Path) -> list[Path]:
    """The lists of decisions that the sweeps of a root wait for."""
    return [path for path in (root / DECIDING, *root.glob(f"*/{DECIDING}")) if path.is_file()]


def figures_folder(sweep: Path) -> Path:
    """The folder of a sweep's figures."""
    return sweep / _FIGURES


def report_file(folder: Path, name: str, kind: str) -> Path:
    """A table or figure of a report; `kind` is the ending of its name."""
    return folder / f"{name}.{kind}"
