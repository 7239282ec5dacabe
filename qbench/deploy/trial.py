"""Tries a file in another process: on a damaged file the runtime may end the whole process.

The runtime checks the structure of a file when it opens it, but not all of its contents. Of 1,700
files with random changed bytes, two made it abort.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.deploy.lite import LiteFile


def try_apart(path: Path, kernels: Sequence[str], batch: int) -> None:
    """Run a file once on each of these kernel paths, in another process.

    If the runtime refuses the file with an error, this function does not report it.

    Raises:
        QbenchError: a signal ended the process.
    """
    command = [sys.executable, "-m", __name__, str(path), str(batch), *kernels]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode < 0:
        raise QbenchError(
            f"the runtime crashes on this file (signal {-done.returncode}); it is damaged, or needs"
            " more memory than there is."
        )


def main(arguments: Sequence[str]) -> None:
    """Run a file, and catch every exception."""
    path, batch, *kernels = arguments
    for kernel in kernels:
        with suppress(Exception):
            file = LiteFile(Path(path).read_bytes(), kernel)
            file.fill(int(batch))
            file.invoke()


if __name__ == "__main__":
    main(sys.argv[1:])
