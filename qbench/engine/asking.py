"""What who asks a worker and who carries out a request both know."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from qbench.base.errors import NotConvertible, QbenchError
from qbench.base.reasons import summary
from qbench.engine.progress import say
from qbench.storage.locks import LockLost


def unheard(new: int, loss: float) -> None:
    """Takes (new steps, last loss) and does nothing."""


@dataclass(frozen=True)
class Listener:
    """Receives progress while a request is carried out.

    Attributes:
        report: called with (new steps, last loss) during training.
        say: called with a line of text for the user.
    """

    report: Callable[[int, float], None] = unheard
    say: Callable[[str], None] = say


@dataclass(frozen=True)
class Failure:
    """The reason why a request failed.

    Attributes:
        message: one sentence.
        traceback: as Python prints it; empty if there is none.
        final: whether another attempt would fail too.
        export: the text for the column `export`, if no file can be made of the run in any attempt.
    """

    message: str
    traceback: str = ""
    final: bool = False
    export: str = ""

    @staticmethod
    def of(error: Exception) -> Failure:
        """The failure for the exception that is being handled."""
        ours = isinstance(error, QbenchError)
        return Failure(
            message=str(error) if ours else summary(error),
            traceback=traceback.format_exc(),
            final=ours and not isinstance(error, LockLost),
            export=error.export if isinstance(error, NotConvertible) else "",
        )


class WorkerDied(Exception):
    """A worker process ended in the middle of a request."""


class Worker(Protocol):
    """Carries out requests (`qbench.engine.requests`), one at a time."""

    @property
    def device(self) -> dict[str, str]:
        """Kind and name of the device that the worker computes on.

        Raises:
            WorkerDied: the worker could not start.
            DiskFull: there was no room to start the worker.
        """

    def ask(self, kind: str, listener: Listener, **arguments: Any) -> Failure | None:
        """Carry out a request and wait for its end.

        Args:
            kind: the kind of the request.
            listener: receives progress.
            arguments: the arguments of the request, as plain data.

        Returns:
            The failure, or None if the request is done.

        Raises:
            WorkerDied: the worker ended during the request.
            DiskFull: there was no room for the results.
            QbenchError: the worker is this process, and `qbench.base.device.start` refuses its
                settings.
        """
