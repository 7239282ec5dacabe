"""Gives each process one GPU, so that processes on one machine do not share a GPU."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

VISIBLE = "CUDA_VISIBLE_DEVICES"
_held: dict[str, IO[str]] = {}  # a restarted worker gets the same GPU again


def present() -> list[str]:
    """The GPUs that this process may use: from CUDA_VISIBLE_DEVICES, else all NVIDIA devices."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    devices = Path("/dev").glob("nvidia[0-9]*")
    return sorted(path.name.removeprefix("nvidia") for path in devices)


def visible_gpu(folder: Path | None = None) -> dict[str, str]:
    """The environment for a worker: one GPU that no other process of this user holds.

    The calling process holds the GPU until it ends (an advisory lock on a file, which the operating
    system releases). If all GPUs are held, the worker shares the first one.

    Args:
        folder: the folder of the lock files; the temporary folder by default.
    """
    gpus = present()
    environment = dict(os.environ)
    if gpus:
        # By default TensorFlow takes all memory of a GPU, but processes may have to share it.
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if len(gpus) < 2:
        return environment
    place = folder or Path(tempfile.gettempdir())
    for gpu in gpus:
        if gpu in _held:
            environment[VISIBLE] = gpu
            return environment
    for gpu in gpus:
        file = open(place / f"qbench-{os.getuid()}-gpu-{gpu}.lock", "w")  # noqa: SIM115 held open
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _held[gpu] = file
        environment[VISIBLE] = gpu
        return environment
    environment[VISIBLE] = gpus[0]
    return environment
