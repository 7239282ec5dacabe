"""Writes and reads the folders of runs.

A run's folder appears complete, or it does not appear. `qbench.storage.layout` defines its place.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.files import as_csv, as_npz, room_for
from qbench.storage import aside, placing
from qbench.storage.layout import (
    CONFIG,
    HISTORY,
    OUTPUTS,
    PREDICTIONS,
    RANGES,
    RECORD,
    SCHEME,
    WEIGHTS,
    damaged,
    run_folder,
)

SCHEMA = 1
FINISHED = ("ok", "diverged")
READ_BY_SCHEME = "read_by_scheme"  # of how many validation images a scheme knew the loss
NOT_COMMITTED = (WEIGHTS, OUTPUTS)  # such a file of a run may be missing


def content_id(content: Any) -> str:
    """12 hexadecimal digits that identify plain data by their content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def as_json(content: Any) -> bytes:
    """Plain data as indented JSON; ValueError if there is a NaN or infinity."""
    return (json.dumps(content, indent=2, allow_nan=False, default=list) + "\n").encode()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees either the old content or the complete new content.

    Raises:
        DiskFull: there is no room; the old file does not change.
    """
    with room_for(path):
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    with aside.file_beside(path) as beside:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)
        os.replace(beside, path)


def write_run(
    root: Path,
    run: str,
    *,
    config: Mapping[str, Any],
    record: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]] = (),
    predictions: Mapping[str, NDArray[Any]] | None = None,
    outputs: bytes | None = None,
    ranges: Mapping[str, Any] | None = None,
    scheme: Mapping[str, NDArray[Any]] | None = None,
    weights: bytes | None = None,
) -> None:
    """Write the complete folder of a run.

    It replaces a failed attempt, but never a finished run.

    Args:
        root: the root folder, which holds `runs/`.
        run: the id of the run.
        config: the whole configuration.
        record: the run record.
        history: the rows of the training history, with equal keys.
        predictions: the arrays by name, or None for no file.
        outputs: the content of the file of outputs, or None for no file.
        ranges: (minimum, maximum) by tensor, or None for no file.
        scheme: the variables of the scheme by name; no file if there are none.
        weights: the content of the file of weights, or None for no file.

    Raises:
        DiskFull: there is no room; no part of the folder stays.
    """
    files = {CONFIG: as_json(config), HISTORY: as_csv(history)}
    if predictions is not None:
        files[PREDICTIONS] = as_npz(predictions)
    if outputs is not None:
        files[OUTPUTS] = outputs
    if ranges is not None:
        files[RANGES] = as_json(ranges)
    if scheme:
        files[SCHEME] = as_npz(scheme)
    if weights is not None:
        files[WEIGHTS] = weights
    files[RECORD] = as_json(_sealed(record, files))
    with room_for(run_folder(root, run)):
        _put_in_place(root, run, files)


def _put_in_place(root: Path, run: str, files: Mapping[str, bytes]) -> None:
    folder = run_folder(root, run)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with aside.folder_beside(folder) as beside:
        beside.chmod(0o755)
        for name, content in files.items():
            _write(beside / name, content)
        placing.put(beside, folder, _is_finished)


def _sealed(record: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """The record with checksums of every other file of the run and of itself."""
    checksums = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    sealed = {**record, "files": checksums}
    return {**sealed, "checksum": _checksum(sealed)}


def _checksum(record: Mapping[str, Any]) -> str:
    return content_id({key: value for key, value in record.items() if key != "checksum"})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path, what: str) -> Any:
    """Plain data from a file; QbenchError with its name if it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise QbenchError(f"{path}: no such file; expected {what}.") from error
    except (OSError, ValueError) as error:
        raise QbenchError(f"{path}: cannot be read as {what} ({error}).") from error


def read_scheme(folder: Path) -> dict[str, NDArray[Any]]:
    """The variables of the scheme in a run's folder; empty if its scheme keeps none.

    Raises:
        QbenchError: the file cannot be read.
    """
    path = folder / SCHEME
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise QbenchError(
            f"{path}: cannot be read as the variables of a scheme ({error})."
        ) from error


class DamagedRun(QbenchError):
    """A file of a run differs from what was written."""


def read_record(folder: Path) -> dict[str, Any]:
    """The record in a run's folder.

    Raises:
        QbenchError: there is no record.
        DamagedRun: the record has changed, or a file with a checksum in the record has changed or
            is missing. Only the files of weights and outputs may be missing, because they are not
            committed with records.
    """
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise QbenchError(f"{path}: no such file; expected the record of a run.") from error
    except (OSError, ValueError) as error:
        raise DamagedRun(f"{path}: cannot be read as the record of a run ({error}).") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise DamagedRun(f"{path}: not a record of schema {SCHEMA}.")
    if record.get("checksum") != _checksum(record):
        raise DamagedRun(f"{path}: its checksum is wrong.")
    for name, expected in record["files"].items():
        file = folder / name
        if name in NOT_COMMITTED and not file.exists():
            continue
        if not file.is_file() or _sha256(file) != expected:
            raise DamagedRun(f"{file}: missing, or not what was written.")
    return record


def add_file(folder: Path, name: str, content: bytes) -> None:
    """Write a file of a finished run that lacks it, and its checksum into the run's record.

    Nothing else in the record changes. The record is written first; if this process is killed in
    between, the file is missing. So the file must be one of NOT_COMMITTED.

    Raises:
        DiskFull: there is no room; the file is missing.
    """
    record = read_record(folder)
    files = {**record["files"], name: hashlib.sha256(content).hexdigest()}
    record["files"] = dict(sorted(files.items()))
    (folder / name).unlink(missing_ok=True)
    write_atomically(folder / RECORD, as_json({**record, "checksum": _checksum(record)}))
    write_atomically(folder / name, content)


def existing_record(root: Path, run: str) -> dict[str, Any] | None:
    """The record of a run; None if the run has no record. DamagedRun as in `read_record`."""
    return _existing(run_folder(root, run))


def _existing(folder: Path) -> dict[str, Any] | None:
    return read_record(folder) if (folder / RECORD).is_file() else None


def finished(root: Path, run: str) -> dict[str, Any] | None:
    """The record of a finished run; None if the run has failed, is damaged or does not exist."""
    return _finished(run_folder(root, run))


def _finished(folder: Path) -> dict[str, Any] | None:
    try:
        record = _existing(folder)
    except DamagedRun:
        return None
    return record if record and record["status"] in FINISHED else None


def _is_finished(folder: Path) -> bool:
    return _finished(folder) is not None


def set_aside_damaged(root: Path, run: str, say: Callable[[str], None]) -> None:
    """Rename the folder of a damaged run, so that the run is done again; tell it with `say`."""
    try:
        existing_record(root, run)
    except DamagedRun as error:
        folder = run_folder(root, run)
        name = damaged(folder)
        if placing.set_aside(folder, name, _is_finished):
            say(f"{error} Set aside as {name.name}; the run is made again.")


def set_aside_outdated(
    root: Path,
    run: str,
    is_current: Callable[[Mapping[str, Any]], bool],
    say: Callable[[str], None],
) -> None:
    """Rename the folder of a finished run that is no longer current; tell it with `say`.

    Args:
        root: the root folder, which holds `runs/`.
        run: the id of the run.
        is_current: whether the run with this record is still what it would be now.
        say: called with a line of text for the user.
    """

    def is_kept(folder: Path) -> bool:
        record = _finished(folder)
        return record is not None and is_current(record)

    folder = run_folder(root, run)
    if _is_finished(folder) and placing.set_aside(folder, damaged(folder), is_kept):
        say(
            f"{folder}: was computed from other results of its members. Set aside as"
            f" {damaged(folder).name}; the run is made again."
        )


def discard_failed(root: Path, run: str) -> None:
    """Remove the folder of a failed attempt, so that a new folder means a new attempt."""
    placing.remove(run_folder(root, run), _is_finished)
