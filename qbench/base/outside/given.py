"""A file of the user whose content counts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from qbench.base.errors import QbenchError


@dataclass(frozen=True)
class GivenFile:
    """A file and the content that it has during a command or a job.

    Attributes:
        shown: the setting, as it was typed: `model.weights=mine.keras`.
        path: the absolute path.
        sha256: the hash of the content.
    """

    shown: str
    path: Path
    sha256: str

    def content(self) -> bytes:
        """The content.

        Raises:
            QbenchError: the file cannot be read, or it has changed since its hash was computed.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise unreadable(self.shown, self.path, error) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise QbenchError(
                f"{self.shown}: the file has changed since the command began; type it again."
            )
        return content


def unreadable(shown: str, path: Path, error: OSError) -> QbenchError:
    """The error about a file of a setting that cannot be read."""
    return QbenchError(f"{shown}: {path} cannot be read ({error.strerror}).")
