"""Files of the user whose content counts: weights and saved networks."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.outside.session import files, folder
from qbench.base.paths import given


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
            raise _unreadable(self.shown, self.path, error) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise QbenchError(
                f"{self.shown}: the file has changed since the command began; type it again."
            )
        return content


def given_file(key: str, typed: str, inside: str = "") -> GivenFile:
    """The file of a setting; its content is read once in a command or job.

    Args:
        key: the configuration key.
        typed: its value; a relative path begins in the folder of the session.
        inside: the name of the file, if the value may be a folder that has it.

    Raises:
        QbenchError: there is no such file, or it cannot be read.
    """
    kept = files()
    if (key, typed) in kept:
        return kept[key, typed]
    shown = f"{key}={typed}"
    path = Path(os.path.abspath(folder() / given(typed)))
    if inside and path.is_dir():
        if not (path / inside).is_file():
            raise QbenchError(
                f"{shown}: the folder has no file {inside}; give the folder of a run."
            )
        path /= inside
    if not path.is_file():
        raise QbenchError(f"{shown}: no such file ({path}).")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(shown, path, error) from error
    return kept.setdefault((key, typed), GivenFile(shown, path, digest))


def _unreadable(shown: str, path: Path, error: OSError) -> QbenchError:
    return QbenchError(f"{shown}: {path} cannot be read ({error.strerror}).")
