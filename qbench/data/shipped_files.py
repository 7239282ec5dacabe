"""Files of images that come with qbench, in `shipped/`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from qbench.base.errors import QbenchError

FOLDER = Path(__file__).with_name("shipped")


def checked(path: Path, sha256: str) -> Path:
    """The path of such a file, whose content has this hash, as `sha256sum` shows it.

    Raises:
        QbenchError: the file is missing, or is not the one that qbench came with.
    """
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise QbenchError(f"{path}: not the file that comes with qbench; install qbench again.")
    return path
