"""The files of jobs in a sweep's folder while the jobs are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from qbench.base.errors import DiskFull
from qbench.engine.spec import JobSpec
from qbench.storage import layout, records


def write(root: Path, jobs: Sequence[JobSpec]) -> list[Path]:
    """Write the files of jobs, and return their paths."""
    # Another sweep in this folder may have ended meanwhile.
    layout.jobs_folder(root).mkdir(exist_ok=True)
    for job in jobs:
        records.write_atomically(job.file, records.as_json(job.as_config()))
    return [job.file for job in jobs]


@contextmanager
def cleared(root: Path, batches: Sequence[Sequence[JobSpec]]) -> Iterator[None]:
    """A context that removes the files of these jobs at its end, even if the disk is full.

    An interrupted sweep leaves the files, because another sweep in this folder may use jobs with
    the same names. Jobs with equal names have equal contents. It begins with no file that stops it.
    """
    layout.stop_file(root).unlink(missing_ok=True)
    full: DiskFull | None = None
    try:
        yield
    except DiskFull as error:
        full = error
    for job in (job for batch in batches for job in batch):
        job.file.unlink(missing_ok=True)
    layout.stop_file(root).unlink(missing_ok=True)
    with suppress(OSError):
        layout.jobs_folder(root).rmdir()
    if full:
        raise full
