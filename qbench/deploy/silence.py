"""Hides the messages of TensorFlow's converter and of the runtime."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

# It stays open: a logger that is made inside `silenced` keeps this stream.
_NOTHING = open(os.devnull, "w")  # noqa: SIM115


# Whoever prints from another thread holds it, so that no line is lost in the silence.
OUTPUT = threading.RLock()


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Hides all messages of the converter and its libraries."""
    with OUTPUT, tempfile.TemporaryFile() as aside:
        kept = [os.dup(1), os.dup(2)]
        try:
            for number in (1, 2):
                os.dup2(aside.fileno(), number)
            with contextlib.redirect_stdout(_NOTHING), contextlib.redirect_stderr(_NOTHING):
                yield
        finally:
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
