"""A network's weights as the content of a file.

Keras writes with HDF5. On a full disk HDF5 prints tracebacks from destructors or ends the process.
So HDF5 writes into memory, and the content is then written like every other file.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from qbench.base.authored import author_model, under_own_names


class _Memory(io.BytesIO):
    """A file in memory with the name of a weights file: Keras checks the ending of the name."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def weights_file(network: Any) -> bytes:
    """The content of the weights file of a network.

    It is the file that `save_weights` of the model writes that the network's author wrote, and
    `load_weights` of that model reads it.
    """
    model = author_model(network)
    if model is network:
        return _saved(model)
    with under_own_names(model):
        return _saved(model)


def file_with_names(network: Any) -> bytes:
    """The same file, in which layers have the names that they have in the network."""
    return _saved(author_model(network))


def _saved(model: Any) -> bytes:
    memory = _Memory()
    model.save_weights(memory)
    return memory.getvalue()


def load_weights_file(network: Any, content: bytes | Path) -> None:
    """Load the content that `weights_file` gave for this network, or a file with this content."""
    given = _Memory(content) if isinstance(content, bytes) else content
    author_model(network).load_weights(given)
