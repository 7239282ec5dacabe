"""A network's weights as the content of a file.

Keras writes with HDF5, which on a full disk prints tracebacks from destructors or ends the process.
So HDF5 writes into memory, and the content goes to the disk like that of every other file.
"""

from __future__ import annotations

import io
from typing import Any


class _Memory(io.BytesIO):
    """A file in memory that passes for one of weights: Keras looks at how its name ends."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def weights_file(model: Any) -> bytes:
    """What `model.save_weights` writes; to be read with `load_weights`."""
    memory = _Memory()
    model.save_weights(memory)
    return memory.getvalue()
