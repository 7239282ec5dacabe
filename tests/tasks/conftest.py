"""A task of somebody's own, known to this process and to the workers that it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import regression_task

from qbench.data import DATASETS, load
from qbench.engine.workers import close_workers
from qbench.models import MODELS


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`data.name=spots` and `model.name=small` until the module's tests are over."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(regression_task.AT_START)
    here = str(Path(regression_task.__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for registry in (DATASETS, MODELS):
            patch.setattr(registry, "_items", dict(registry._items))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), here]), prepend=os.pathsep)
        regression_task.register()
        close_workers()
        yield
        close_workers()
    load.cache_clear()
