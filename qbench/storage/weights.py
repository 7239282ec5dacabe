"""A network's weights as the content of a file.

Keras writes with HDF5. On a full disk HDF5 prints tracebacks from destructors or ends the process.
So HDF5 writes into memory, and the content is then written like every other file.
"""

from __future__ import annotations

import io
from typing import Any


class _Memory(io.BytesIO):
    """A file in memory with the name of a weights file: Keras checks the ending of the name."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def weights_file(model: Any) -> bytes:
    """The content of the file that `model.save_weights` writes; `load_weights` reads it."""
    memory = _Memory()
    model.save_weights(memory)
    return memory.getvalue()


def load_weights_file(model: Any, content: bytes) -> None:
    """Load the content that `weights_file` gave for this network."""
    model.load_weights(_Memory(content))
