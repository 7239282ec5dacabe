"""Checks Keras' settings outside qbench before Keras is imported.

If a backend is not installed, or if a value is unknown to Keras, the import of Keras ends with an
error that names neither the setting nor its place. Other settings change what layers compute, but
run ids do not include them. This module does not import Keras.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError

# The settings that qbench needs. They are Keras' defaults.
NEEDED: dict[str, Any] = {
    "backend": "tensorflow",
    "floatx": "float32",
    "image_data_format": "channels_last",
    "epsilon": 1e-07,
    "nnx_enabled": False,
}
_BACKEND, _NNX = "KERAS_BACKEND", "KERAS_NNX_ENABLED"


def check_keras_settings() -> None:
    """Check that Keras' settings are the settings that qbench needs.

    Raises:
        QbenchError: an environment variable or Keras' own file has another value. The message names
            the setting, its place and the change that is needed.
    """
    backend = os.environ.get(_BACKEND)
    if backend and backend != NEEDED["backend"]:
        raise QbenchError(
            f"{_BACKEND}={backend} stands in the environment; qbench needs Keras on"
            f" {NEEDED['backend']}: unset it."
        )
    nnx = os.environ.get(_NNX)
    if nnx is not None and nnx.lower() in ("true", "1"):
        raise QbenchError(
            f"{_NNX}={nnx} stands in the environment; it is for another backend than qbench's:"
            " unset it."
        )
    path = _file()
    overruled = {"backend": bool(backend), "nnx_enabled": nnx is not None}
    for key, value in _content(path).items():
        if key in NEEDED and value != NEEDED[key] and not overruled.get(key):
            raise QbenchError(
                f"{path}: {key} is {_shown(value)}; qbench needs {_shown(NEEDED[key])}: change it"
                " there, or let KERAS_HOME name a folder without such a file."
            )


def _file() -> Path:
    """The file with Keras' settings."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.path.join(folder, "keras.json")))


def _content(path: Path) -> dict[str, Any]:
    """The settings in Keras' file.

    An empty file counts as no settings: another process is about to write it.
    """
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise QbenchError(
            f"{path}: {error.strerror}; Keras reads its settings there: mend or remove it."
        ) from error
    try:
        content = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise QbenchError(
            f"{path}: Keras' settings are no JSON ({error}); mend or remove it."
        ) from error
    if not isinstance(content, dict):
        raise QbenchError(
            f"{path}: Keras' settings are {_shown(content)}; expected names and values in braces:"
            " mend or remove it."
        )
    return content


def _shown(value: Any) -> str:
    """A value as in the file, without the quotes of a text."""
    return value if isinstance(value, str) else json.dumps(value)
