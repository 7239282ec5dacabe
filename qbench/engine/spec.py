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
from qbench.base.paths import from_anywhere
from qbench.config.experiment import Experiment
from qbench.planning.early_stopping import EarlyStopping
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

    def as_config(self) -> dict[str, Any]:
        """The run as plain data that `from_config` reads."""
        config = self.experiment.as_config()
        return {"id": self.id, "experiment": config, "label": self.label}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> RunSpec:
        """The run from plain data."""
        experiment = Experiment.from_config(config["experiment"])
        return RunSpec(config["id"], experiment, config["label"])


@dataclass(frozen=True)
class FileSpec:
    """A LiteRT file to make of a finished run.

    Attributes:
        run: the run.
        calibration: see `qbench.storage.layout.conversion_report`.
    """

    run: RunSpec
    calibration: str | None

    def as_config(self) -> dict[str, Any]:
        """The file as plain data that `from_config` reads."""
        return {"run": self.run.as_config(), "calibration": self.calibration}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> FileSpec:
        """The file from plain data."""
        return FileSpec(RunSpec.from_config(config["run"]), config["calibration"])


@dataclass(frozen=True)
class DecisionSpec:
    """A number of steps to decide by the float training of the job's experiment.

    Attributes:
        id: the id of the decision.
        rule: when the training ends.
        planned: see `qbench.planning.first_stage.planned_key`.
    """

    id: str
    rule: EarlyStopping
    planned: str

    def as_config(self) -> dict[str, Any]:
        """The decision as plain data that `from_config` reads."""
        return {"id": self.id, "rule": self.rule.as_config(), "planned": self.planned}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> DecisionSpec:
        """The decision from plain data."""
        rule = EarlyStopping.from_config(config["rule"])
        return DecisionSpec(config["id"], rule, config["planned"])


@dataclass(frozen=True)
class Policy:
    """How a job is done; no field changes a result. See `qbench.planning.settings.Engine`."""

    retries: int = 0
    isolate: bool = False
    fail_fast: bool = False
    track: str | None = None


@dataclass(frozen=True)
class JobSpec:
    """Train a path of segments, evaluate runs at its end, then make files of finished runs.

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
        files: the files to make after the training.
        decision: the number of steps to decide; such a job does nothing else.
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
    files: tuple[FileSpec, ...] = ()
    decision: DecisionSpec | None = None

    @property
    def data_dir(self) -> str | None:
        """The folder of the data, as `qbench.data.load_chosen` gets it in this process.

        It is `data.dir` as the user typed it, if this is the same folder here. Then `load_chosen`
        may return data that this process has already loaded under this name.
        """
        typed = self.experiment.data.dir
        return typed if from_anywhere(typed) == self.data_folder else self.data_folder

    @property
    def file(self) -> Path:
        """The job's file, which a launcher's process reads."""
        return layout.job_file(self.root, self.id)

    @property
    def reports(self) -> list[Path]:
        """The reports of the files."""
        return [
            layout.run_folder(self.root, file.run.id) / layout.conversion_report(file.calibration)
            for file in self.files
        ]

    def as_config(self) -> dict[str, Any]:
        """The job as plain data that `from_config` reads."""
        return {
            "root": str(self.root),
            "id": self.id,
            "label": self.label,
            "experiment": self.experiment.as_config(),
            "segments": [asdict(segment) for segment in self.segments],
            "runs": [run.as_config() for run in self.runs],
            "device": self.device,
            "data": dict(self.data),
            "data_folder": self.data_folder,
            "folder": self.folder,
            "code": dict(self.code),
            "policy": asdict(self.policy),
            "files": [file.as_config() for file in self.files],
            "decision": self.decision and self.decision.as_config(),
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
            runs=tuple(map(RunSpec.from_config, config["runs"])),
            device=config["device"],
            data=config["data"],
            data_folder=config["data_folder"],
            folder=config["folder"],
            code=config["code"],
            policy=Policy(**config["policy"]),
            files=tuple(map(FileSpec.from_config, config["files"])),
            decision=config["decision"] and DecisionSpec.from_config(config["decision"]),
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
