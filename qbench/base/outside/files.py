"""Finds and hashes files of the user whose content counts: weights and saved networks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.outside.given import GivenFile, unreadable
from qbench.base.outside.session import files, folder
from qbench.base.paths import given


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
        raise unreadable(shown, path, error) from error
    return kept.setdefault((key, typed), GivenFile(shown, path, digest))
