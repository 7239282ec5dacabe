"""Runs on images on disk: the bits of the same images in memory, in every way of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_examples import digits, do, experiment, jobs, resolved, silent, weights

from qbench.base import device
from qbench.data import DATASETS, load
from qbench.data.cache import cached
from qbench.data.rows import Rows, on_disk
from qbench.engine.execute import execute
from qbench.engine.single import single_job
from qbench.storage import layout, records

SETTINGS: dict[str, Any] = {"data.validation": 0.1, "data.augment": True}
ROWS: list[dict[str, Any]] = [SETTINGS, {**SETTINGS, "quant.bits": 4}]


@pytest.fixture(scope="module", autouse=True)
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The digits from the cache: one set of images, whose rows are training and test images."""
    data = digits()
    every = np.concatenate([data.test_images, data.train_images])
    numbers = np.arange(len(data.test_images), len(every))

    def read(folder: Path | None) -> Any:
        images = cached("digits", len(every), every.shape[1:], every.__getitem__, silent).images
        test = images[: len(data.test_images)]
        return (Rows(images, numbers), data.train_labels), (test, data.test_labels)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("QBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patched.setitem(DATASETS._items, "mapped", replace(DATASETS["digits"], read=read))
        yield
    load.cache_clear()  # type: ignore[attr-defined]


def _trained(root: Path, name: str) -> tuple[list[str], int]:
    """The runs of both rows, and the number of trained steps."""
    work = resolved(*({**row, "data.name": name} for row in ROWS))
    return list(work.ids), sum(do(job) for job in jobs(work, root))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], int, Path]]:
    roots = {name: tmp_path_factory.mktemp(name) for name in ("digits", "mapped")}
    return {name: (*_trained(root, name), root) for name, root in roots.items()}


def _record(both: Any, name: str, number: int) -> dict[str, Any]:
    ids, _, root = both[name]
    return records.read_record(layout.run_folder(root, ids[number]))


def test_the_images_are_on_disk() -> None:
    data = load("mapped", None)
    assert on_disk(data.train_images) and on_disk(data.test_images)
    assert data.hash == digits().hash


@pytest.mark.parametrize("number", [0, 1])
def test_runs_have_the_bits_of_images_in_memory(both: Any, number: int) -> None:
    """With augmentation, validation images, shared float steps and a quantized phase."""
    memory, disk = (_record(both, name, number) for name in ("digits", "mapped"))
    for key in ("weights_sha256", "metrics", "validation"):
        assert disk[key] == memory[key]
    files = (layout.HISTORY, layout.PREDICTIONS, layout.OUTPUTS, layout.RANGES)
    folders = [layout.run_folder(both[name][2], both[name][0][number]) for name in both]
    for file in files:
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    assert disk["steps"] == memory["steps"]
    assert both["mapped"][1] == both["digits"][1] == 5 + 2 * 5


class Stopped(BaseException):
    """Like a kill, but caught by the test."""


def test_going_on_from_a_checkpoint_changes_nothing(both: Any, tmp_path: Path) -> None:
    chosen = experiment({**SETTINGS, "data.name": "mapped", "train.checkpoint_every": 2})
    spec = single_job(chosen, tmp_path, device.kind())
    done = []

    def report(new: int, loss: float) -> None:
        done.append(new)
        if sum(done) >= 8:
            raise Stopped

    with pytest.raises(Stopped):
        execute(spec, report, silent)
    assert do(spec) < 10
    assert weights(tmp_path, spec.runs[0].id) == _record(both, "mapped", 0)["weights_sha256"]
