"""What a worker can be asked for, and doing it in the process that this is called in.

A request is a kind and arguments, both plain data, so that it passes through a pipe:

    job       path                          does the job of this file
    check     models                        builds models to see whether they can be built
    convert   folder, changes, calibration  converts a finished run
    trial     experiment                    converts an untrained network of its kind
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base.errors import NotConvertible, QbenchError, disk_full
from qbench.base.reasons import summary
from qbench.config.experiment import Experiment
from qbench.engine.progress import say
from qbench.engine.spec import JobSpec
from qbench.storage.locks import LockLost
from qbench.storage.records import read_json


def unheard(new: int, loss: float) -> None:
    """Takes (new steps, last loss) and does nothing."""


@dataclass(frozen=True)
class Listener:
    """Who is told what happens while a request is done.

    Attributes:
        report: called with (new steps, last loss) while a network is trained.
        say: told what a person should know.
    """

    report: Callable[[int, float], None] = unheard
    say: Callable[[str], None] = say


@dataclass(frozen=True)
class Failure:
    """Why a request could not be done.

    Attributes:
        message: a sentence.
        traceback: as Python prints it; empty where there is none.
        final: trying again is of no use.
        export: what tables say of a run's file, where none can be made however often it is tried.
    """

    message: str
    traceback: str = ""
    final: bool = False
    export: str = ""

    @staticmethod
    def of(error: Exception) -> Failure:
        """The failure that an exception, which is being handled, stands for."""
        ours = isinstance(error, QbenchError)
        return Failure(
            message=str(error) if ours else summary(error),
            traceback=traceback.format_exc(),
            final=ours and not isinstance(error, LockLost),
            export=error.export if isinstance(error, NotConvertible) else "",
        )


def carry_out(kind: str, listener: Listener, **arguments: Any) -> Failure | None:
    """Do what is asked for, here and now.

    Args:
        kind: in REQUESTS.
        listener: told what happens.
        arguments: those of the kind.

    Returns:
        Why it could not be done, or None once it is done.

    Raises:
        DiskFull: there was no room for what was to be written.
    """
    try:
        REQUESTS[kind](listener, **arguments)
    except Exception as error:
        if full := disk_full(error):
            raise full from error
        return Failure.of(error)
    return None


def _job(listener: Listener, path: str) -> None:
    from qbench.engine.execute import execute

    spec = JobSpec.from_config(read_json(Path(path), "a job"))
    execute(spec, listener.report, listener.say)


def _check(listener: Listener, models: Sequence[Any]) -> None:
    from qbench.engine.model_check import check_models

    check_models(models, listener.say)


def _convert(
    listener: Listener, folder: str, changes: dict[str, Any], calibration: str | None
) -> None:
    from qbench.engine.exporting import convert_folder

    convert_folder(Path(folder), changes, calibration)


def _trial(listener: Listener, experiment: dict[str, Any]) -> None:
    from qbench.engine.exporting import try_conversion

    try_conversion(Experiment.from_config(experiment))


REQUESTS: dict[str, Callable[..., None]] = {
    "job": _job,
    "check": _check,
    "convert": _convert,
    "trial": _trial,
}
