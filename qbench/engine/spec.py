"""A job as plain data: everything that a launcher's process and its worker need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.model_names import FILE_KEY, WEIGHTS_KEY
from qbench.base.outside import session
from qbench.config.experiment import Experiment
from qbench.storage import layout
from qbench.storage.records import read_json

_FILES = (f"{WEIGHTS_KEY}=", f"{FILE_KEY}=")


@dataclass(frozen=True)
class SegmentSpec:
    """A segment of the path that a job follows; see `qbench.planning.segments.Segment`.

    Attributes:
        keep: whether its state is stored, because several runs share it.
    """

    id: str
    phase: str
    first: int
    end: int
    keep: bool


@dataclass(frozen=True)
class RunSpec:
    """A run that is evaluated at the end of the path; `label` is its name for people."""

    id: str
    experiment: Experiment
    label: str = "run"


@dataclass(frozen=True)
class Policy:
    """How a job is done; no field changes a result. See `qbench.planning.settings.Engine`."""

    retries: int = 0
    isolate: bool = False
    fail_fast: bool = False
    track: str | None = None


@dataclass(frozen=True)
class JobSpec:
    """Train a path of segments, then evaluate runs at its end.

    Attributes:
        root: absolute path of the folder that holds `runs/` and `segments/`.
        id: the name of the job's file.
        label: the name of the job in messages.
        experiment: a configuration that all segments of the path belong to.
        segments: the whole path from step 0; stored segments are not trained again.
        runs: empty for a trunk.
        device: kind of device that the ids are valid for.
        data: the facts about the data for records.
        data_folder: the experiment's `data.dir` as a path that does not depend on the current
            folder of the worker.
        folder: the absolute path of the folder in which relative paths of code from outside begin.
        code: the hashes of the code from outside and of the files of weights that the job uses,
            see `qbench.planning.code.hashes_of`.
        policy: how the job is done.
    """

    root: Path
    id: str
    label: str
    experiment: Experiment
    segments: tuple[SegmentSpec, ...]
    runs: tuple[RunSpec, ...]
    device: str
    data: Mapping[str, Any]
    data_folder: str | None
    folder: str = ""
    code: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = Policy()

    @property
    def file(self) -> Path:
        """The job's file, which a launcher's process reads."""
        return layout.job_file(self.root, self.id)

    def as_config(self) -> dict[str, Any]:
        """The job as plain data that `from_config` reads."""
        return {
            "root": str(self.root),
            "id": self.id,
            "label": self.label,
            "experiment": self.experiment.as_config(),
            "segments": [asdict(segment) for segment in self.segments],
            "runs": [
                {"id": r.id, "experiment": r.experiment.as_config(), "label": r.label}
                for r in self.runs
            ],
            "device": self.device,
            "data": dict(self.data),
            "data_folder": self.data_folder,
            "folder": self.folder,
            "code": dict(self.code),
            "policy": asdict(self.policy),
        }

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> JobSpec:
        """The job from plain data."""
        return JobSpec(
            root=Path(config["root"]),
            id=config["id"],
            label=config["label"],
            experiment=Experiment.from_config(config["experiment"]),
            segments=tuple(SegmentSpec(**segment) for segment in config["segments"]),
            runs=tuple(
                RunSpec(r["id"], Experiment.from_config(r["experiment"]), r["label"])
                for r in config["runs"]
            ),
            device=config["device"],
            data=config["data"],
            data_folder=config["data_folder"],
            folder=config["folder"],
            code=config["code"],
            policy=Policy(**config["policy"]),
        )


@contextmanager
def opened(path: Path) -> Iterator[JobSpec]:
    """A context with the job of a file, in which names of code from outside mean what it means."""
    config = read_json(path, "a job")
    with session(config["folder"]):
        yield JobSpec.from_config(config)


def check_code(planned: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Check that code from outside and files of weights are those that the job was planned with.

    Args:
        planned: its hashes in the plan.
        here: its hashes in this process.

    Raises:
        QbenchError: a hash differs.
    """
    for key in (*planned, *here):
        if planned.get(key) != here.get(key):
            raise QbenchError(f"{key}: the {kind_of(key)} is not that planned with.")


def kind_of(key: str) -> str:
    """What a hash is of, from its key: a `file` of weights or a network, or `code`."""
    return "file" if key.startswith(_FILES) else "code"
