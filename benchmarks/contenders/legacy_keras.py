"""qbench's own model builders and data on tf_keras, in the place of Keras 3.

The builders are called as they are registered: what `build_model` looks at is Keras 3's.

To be imported before TensorFlow; `start` is to be called before anything of qbench is imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

from protocol import REPOSITORY

os.environ["TF_USE_LEGACY_KERAS"] = "1"
# They look inside Keras 3, and no contender needs them.
LEFT_OUT = ("keras_file", "keras_application")


def start(tf_keras: ModuleType) -> None:
    """Whoever imports keras gets tf_keras; qbench is found without what else it needs."""
    sys.modules["keras"] = tf_keras
    sys.modules["keras.layers"] = tf_keras.layers
    # Whatever looks inside Keras 3, where it is there, must not load tf_keras once more.
    sys.modules["keras.src"] = None  # type: ignore[assignment]
    package = ModuleType("qbench")
    package.__path__ = [str(Path(REPOSITORY, "qbench"))]
    package.__version__ = ""
    sys.modules["qbench"] = package
    for name in LEFT_OUT:
        sys.modules[f"qbench.models.{name}"] = ModuleType(name)
