"""Data sets that Keras can download."""

from __future__ import annotations

import importlib
from typing import Any

from qbench.base.errors import QbenchError


def through_keras(name: str) -> Any:
    """The result of `keras.datasets.<name>.load_data()`; QbenchError if the download fails."""
    from qbench.base.device import import_tensorflow

    import_tensorflow()
    module = importlib.import_module(f"keras.datasets.{name}")
    try:
        return module.load_data()
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise QbenchError(
            f"data={name}: Keras could not download it ({error}); set data.dir to a folder with"
            " its files."
        ) from error
