"""Makes the import of TensorFlow and Keras take half as long.

Keras imports some packages if they are installed, only for functions that qbench does not call:
scikit-learn for wrappers of models, matplotlib for galleries of images, pandas and SciPy for
`Model.fit` on tables and sparse matrices. Python's garbage collector looks through the new modules
again and again and finds little.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Keras, and its copy in TensorFlow, go without these if they are not installed.
OPTIONAL = ("sklearn", "matplotlib", "pandas", "scipy")


@contextmanager
def quick_import() -> Iterator[None]:
    """A context in which a package of `OPTIONAL` cannot be imported, unless it has been before.

    Nothing is collected in it. Afterwards, collections pass over what it has left.
    """
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    collects = gc.isenabled()
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))  # None refuses an import
    gc.disable()
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
        gc.freeze()
        if collects:
            gc.enable()
