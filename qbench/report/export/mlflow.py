"""A sweep as runs of MLflow: parameters, metrics with their history, files.

MLflow's runs carry as tags qbench's run id, an id of the sweep, and a hash of everything that was
exported. A second export leaves runs alone whose hash is the same, and replaces the others. A run
that an interrupted export left incomplete has no hash yet, so it is replaced too. Sweeps of the
same study in one store have the same experiment and different ids, and leave each other's runs
alone, also runs that both have.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.report.collect import Sweep
from qbench.report.comparison import comparisons, sentences
from qbench.report.export import facts
from qbench.storage import layout, records

RUN = "qbench.run"
SWEEP = "qbench.sweep"
TABLE = "qbench.table"
HASH = "qbench.hash"

_SQLITE = "sqlite:"
_LONGEST = 5000  # characters of a tag or a parameter that every store takes
_AT_ONCE = 100  # parameters in a request; the service takes no more
_METRICS_AT_ONCE = 1000


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes:
        store: the address of the store.
        experiment: the name of the experiment in it.
        written: number of runs that were written.
        kept: number of runs that were there already.
    """

    store: str
    experiment: str
    written: int
    kept: int


@dataclass(frozen=True)
class _Run:
    """A run as MLflow gets it.

    Attributes:
        key: the tag that finds it again among those of its sweep, and its value.
        sweep: the id of its sweep, see `_sweep_id`.
        name: its name for people.
        status: `FINISHED` or `FAILED`.
        span: when it began and ended, in milliseconds since 1970; None if unknown.
        tags: further tags.
        parameters: by name.
        metrics: (name, value, step), the history among them.
        files: the files, each with the folder that it gets; empty for none.
    """

    key: tuple[str, str]
    sweep: str
    name: str
    status: str
    span: tuple[int, int] | None
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Sequence[tuple[str, float, int]]
    files: Sequence[tuple[Path, str]]

    @property
    def hash(self) -> str:
        """A hash of all of it."""
        files = [
            (path.name, folder, hashlib.sha256(path.read_bytes()).hexdigest())
            for path, folder in self.files
        ]
        own = [self.name, self.status, self.span, dict(self.tags), dict(self.parameters)]
        return records.content_id([*own, list(self.metrics), files])


def export(sweep: Sweep, store: str | None = None) -> Exported:
    """Write every run of a sweep that has a record into a store of MLflow, and the sweep's tables.

    Args:
        sweep: the sweep.
        store: the address of the store, as MLflow takes it. None: a SQLite file in the sweep's
            folder, with the files beside it.

    Raises:
        QbenchError: MLflow is not installed, or cannot use the store.
    """
    client, refused = _client(
        store or f"{_SQLITE}///{layout.mlflow_store(sweep.folder).absolute()}"
    )
    try:
        return _exported(client, sweep)
    except refused as error:
        raise QbenchError(f"{client.tracking_uri}: {one_line(str(error))}") from error


def _client(store: str) -> tuple[Any, Any]:
    """A client of the store, and the class of MLflow's errors."""
    if find_spec("mlflow") is None:
        raise QbenchError(
            "qbench export mlflow: needs the package mlflow (pip install 'qbench-qat[mlflow]')."
        )
    # MLflow would tell its makers about every use, and log the set-up of the store.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        return MlflowClient(tracking_uri=store), MlflowException
    except Exception as error:  # of any library that opens the store
        raise QbenchError(f"--store {store}: {one_line(str(error))}") from error


def _exported(client: Any, sweep: Sweep) -> Exported:
    name = sweep.manifest["study"]
    experiment = _experiment(client, name)
    written = kept = 0
    for run in _runs(sweep):
        if _put(client, experiment, run):
            written += 1
        else:
            kept += 1
    return Exported(client.tracking_uri, name, written, kept)


def _experiment(client: Any, name: str) -> str:
    """The id of the experiment, which is made if it is new."""
    known = client.get_experiment_by_name(name)
    if known is not None:
        if known.lifecycle_stage != "active":
            raise QbenchError(
                f"{client.tracking_uri}: the experiment {name} was deleted there; restore it, or"
                " choose another --store."
            )
        return str(known.experiment_id)
    files = None
    if client.tracking_uri.startswith(_SQLITE):
        store = Path(client.tracking_uri.removeprefix(f"{_SQLITE}///"))
        files = layout.mlflow_files(store).absolute().as_uri()
    return str(client.create_experiment(name, artifact_location=files))


def _put(client: Any, experiment: str, run: _Run) -> bool:
    """Write a run; False if it is there already."""
    tag, value = run.key
    found = [
        one
        for one in client.search_runs([experiment], f"tags.`{tag}` = '{value}'")
        if one.data.tags.get(SWEEP, run.sweep) == run.sweep
    ]
    whole = [one for one in found if one.data.tags.get(HASH) == run.hash]
    for one in found:
        if one not in whole[:1]:
            client.delete_run(one.info.run_id)
    if whole:
        return False
    _write(client, experiment, run)
    return True


def _write(client: Any, experiment: str, run: _Run) -> None:
    """Write a run; its hash comes last, when it is complete."""
    from mlflow.entities import Metric, Param

    begin, end = run.span or (None, None)
    own = [run.key, (SWEEP, run.sweep), *run.tags.items()]
    tags = {key: text[:_LONGEST] for key, text in own}
    made = client.create_run(experiment, start_time=begin, tags=tags, run_name=run.name)
    name = made.info.run_id
    for some in _parts(run.parameters.items(), _AT_ONCE):
        client.log_batch(name, params=[Param(key, text[:_LONGEST]) for key, text in some])
    for values in _parts(run.metrics, _METRICS_AT_ONCE):
        client.log_batch(name, metrics=[Metric(key, v, end or 0, step) for key, v, step in values])
    for path, folder in run.files:
        client.log_artifact(name, str(path), folder or None)
    client.set_terminated(name, run.status, end_time=end)
    client.set_tag(name, HASH, run.hash)


def _parts(items: Iterable[Any], most: int) -> Iterator[list[Any]]:
    """The items in lists of at most this length."""
    rest = iter(items)
    while part := list(islice(rest, most)):
        yield part


def _runs(sweep: Sweep) -> Iterator[_Run]:
    """All runs with a record, in the order of the table, then the sweep itself."""
    name = _sweep_id(sweep)
    for row in sweep.manifest["rows"]:
        for run in row["runs"]:
            if run["id"] in sweep.records:
                yield _run(sweep, name, row, run)
    yield _table(sweep, name)


def _sweep_id(sweep: Sweep) -> str:
    """An id of a sweep that further seeds do not change: that of its rows' runs of the least seed.

    The name of the study and the design are not enough: other data or settings may have both.
    """
    runs = [(row["label"], run) for row in sweep.trained for run in row["runs"]]
    least = min((run["seed"] for _, run in runs), default=None)
    first = [(label, run["id"]) for label, run in runs if run["seed"] == least]
    return records.content_id([sweep.manifest["study"], sweep.manifest["design"], first])


def _run(sweep: Sweep, name: str, row: Mapping[str, Any], run: Mapping[str, Any]) -> _Run:
    record = sweep.records[run["id"]]
    folder = sweep.run_folder(run["id"])
    last = record["steps"]["float"] + record["steps"]["quantized"]
    rows = sweep.history(run["id"])  # without columns if the run has no steps of its own
    history = [
        ("loss", *step) for step in zip(rows.get("loss", ()), rows.get("step", ()), strict=True)
    ]
    tags = {"qbench.row": row["label"], "qbench.status": record["status"]}
    if record["error"]:
        tags["qbench.message"] = one_line(record["error"]["message"])
    seeds = run.get("seeds") or [run["seed"]]
    return _Run(
        key=(RUN, run["id"]),
        sweep=name,
        name=f"{row['label']} seed {'+'.join(map(str, seeds))}",
        status="FINISHED" if record["status"] == "ok" else "FAILED",
        span=_span(record),
        tags={**tags, "qbench.versions": records.as_json(record["versions"]).decode()},
        parameters=facts.settings(records.read_json(folder / layout.CONFIG, "a configuration")),
        metrics=[*history, *((key, v, last) for key, v in facts.figures(sweep, run["id"]).items())],
        files=[(path, "") for path in facts.files_of(folder)],
    )


def _table(sweep: Sweep, name: str) -> _Run:
    """The sweep itself: its verdicts, tables, page and figures."""
    design = sweep.manifest["design"]
    figures = layout.figures_folder(sweep.folder)
    return _Run(
        key=(TABLE, name),
        sweep=name,
        name=f"table: {design['name']}",
        status="FINISHED",
        span=None,
        tags={"mlflow.note.content": "\n\n".join(sentences(comparisons(sweep)))},
        parameters=facts.settings({"design": design, "seeds": sweep.manifest["seeds"]}),
        metrics=[],
        files=[
            (path, figures.name if path.parent == figures else "")
            for path in facts.tables_of(sweep.folder)
        ],
    )


def _span(record: Mapping[str, Any]) -> tuple[int, int] | None:
    """When a run began and ended, in milliseconds since 1970."""
    if record["finished"] is None:
        return None
    end = datetime.fromisoformat(record["finished"]).timestamp()
    return int(1000 * (end - sum(record["seconds"].values()))), int(1000 * end)
