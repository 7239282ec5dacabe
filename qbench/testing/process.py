"""Checks of a class in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache

from qbench.testing.assertions import see


@lru_cache
def check_import(kind: type, outputs: int, identity: str) -> None:
    """Check that a task is the same in another process, and imported without TensorFlow and Keras.

    Args:
        kind: the class of the task.
        outputs: its number of outputs.
        identity: its identity in this process.

    Raises:
        AssertionError: it is not.
    """
    module, name = kind.__module__, kind.__qualname__
    if module == "__main__":
        return
    code = f"import sys, {module}; print(*{{'tensorflow', 'keras'}} & set(sys.modules))"
    if name.isidentifier() and name in vars(sys.modules[module]):
        code += f"; print({module}.{name}({outputs}).identity, end='')"
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    see(done.returncode == 0, f"{module} cannot be imported by itself: {done.stderr[-500:]}")
    heavy, _, there = done.stdout.partition("\n")
    see(not heavy, f"importing {module} imports {heavy}; import them inside functions.")
    see(
        there in ("", identity),
        f"the identity is {there!r} in another process, and {identity!r} here; see Task.identity.",
    )
