"""A plan on its data: every data set is read once, however its rows are crossed."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from engine_examples import do, jobs, resolved

from qbench.data import DATASETS, Source, load
from qbench.engine.manifest import Table, manifest
from qbench.engine.resolve import jobs_to_do
from qbench.engine.spec import JobSpec
from qbench.storage import layout, records
from qbench.storage.store import Store

NAMES = ("first", "second", "third")


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    load.cache_clear()
    gc.freeze()  # so that a collection does not look through what other tests have left
    yield
    gc.unfreeze()
    load.cache_clear()


class Reader:
    """Makes a data set of its own, and counts how often, and how many are in memory then."""

    made: ClassVar[list[weakref.ref[Any]]] = []
    most = 0

    def __init__(self, seed: int) -> None:
        self.seed, self.reads = seed, 0

    def __call__(self, folder: Path | None) -> Any:
        self.reads += 1
        gc.collect()
        Reader.most = max(Reader.most, sum(made() is not None for made in Reader.made))
        images = np.random.default_rng(self.seed).integers(0, 256, (20, 8, 8, 1), np.uint8)
        Reader.made.append(weakref.ref(images))
        labels = np.arange(20) % 10
        return images, labels, images[:10], labels[:10]


def _registered(patch: pytest.MonkeyPatch, name: str, read: Callable[[Path | None], Any]) -> None:
    patch.setitem(DATASETS._items, name, Source((8, 8, 1), 10, flip=False, read=read, known={}))


def test_a_design_over_data_sets_reads_each_of_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = [Reader(seed) for seed in range(3)]
    for name, read in zip(NAMES, readers, strict=True):
        _registered(monkeypatch, name, read)
    rows = [
        {"quant.bits": bits, "data.name": name, "eval.limit": limit}
        for bits, limit in ((8, 5), (4, None))
        for name in NAMES
    ]
    work = resolved(*rows)
    assert [reader.reads for reader in readers] == [1, 1, 1]
    assert Reader.most <= 1  # beside the one that is read
    assert [data["name"] for data in work.data] == [*NAMES, *NAMES]
    assert [data["hash"] for data in work.data] == [
        load(name, None).hash for name in (*NAMES, *NAMES)
    ]
    assert [data["test_images"] for data in work.data] == [5] * 3 + [10] * 3
    assert len(set(work.ids)) == 6


def test_names_of_classes_count_in_no_id_and_stand_in_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _registered(monkeypatch, "first", Reader(0))
    found = []
    for names in ((), tuple("abcdefghij"), tuple("ABCDEFGHIJ")):
        source = replace(DATASETS["first"], class_names=names)
        monkeypatch.setitem(DATASETS._items, "first", source)
        load.cache_clear()
        work = resolved({"data.name": "first"})
        (row,) = manifest(work, Table(tmp_path, tmp_path))["rows"]
        assert "".join(row.get("classes", ())) == "".join(names)
        found += work.ids
    assert len(set(found)) == 1


def test_jobs_of_one_length_come_data_set_by_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that does them in this order reads each data set once."""
    for seed, name in enumerate(NAMES):
        _registered(monkeypatch, name, Reader(seed))
    rows = [{"quant.bits": bits, "data.name": name} for bits in (8, 4) for name in NAMES]
    longer = {"data.name": "third", "train.steps": 11}
    found = jobs(resolved(*rows, longer, share=False), tmp_path)
    assert [(job.experiment.data.name, job.experiment.quant.bits) for job in found] == [
        ("third", 8),
        *((name, bits) for name in NAMES for bits in (8, 4)),
    ]


def test_runs_that_share_all_steps_record_their_own_test_images(tmp_path: Path) -> None:
    work = resolved({"eval.limit": 60}, {"eval.limit": 40})
    for job in jobs(work, tmp_path):
        do(job)
    found = [records.read_record(layout.run_folder(tmp_path, name))["data"] for name in work.ids]
    assert [data["test_images"] for data in found] == [60, 40]


def test_a_job_finds_its_data_from_whatever_folder_it_is_done_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "elsewhere").mkdir()
    _registered(monkeypatch, "first", Reader(0))
    monkeypatch.chdir(tmp_path)
    (job,) = jobs(resolved({"data.name": "first", "data.dir": "images"}), Path("out"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    load.cache_clear()
    assert do(job) == 10
    (folder,) = (tmp_path / "out" / "runs").iterdir()
    config = json.loads((folder / layout.CONFIG).read_text())
    assert config["data"]["dir"] == "images"  # as it was typed: no record holds an absolute path


def test_files_belong_to_the_jobs_of_their_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The file of a finished run is a job of its own, in the first batch."""
    work = resolved({}, {"quant.bits": 4}, {"quant.bits": 2})
    done, trained, other = work.ids
    finished = records.finished
    monkeypatch.setattr(records, "finished", lambda root, run: run == done or finished(root, run))
    files = [(done, None), (trained, None), (trained, "representative")]
    store = Store(tmp_path, lambda text: None)
    batches = jobs_to_do(work, tmp_path, store, files)
    every = {job.id: job for batch in batches for job in batch}
    assert [job.id for job in batches[0] if job.files] == [f"run-{done}-files"]
    alone, both = every[f"run-{done}-files"], every[f"run-{trained}-files"]
    assert (alone.runs, alone.segments) == ((), ())
    assert [(file.run.id, file.calibration) for file in alone.files] == [(done, None)]
    assert [file.calibration for file in both.files] == [None, "representative"]
    assert [file.run for file in both.files] == [*both.runs, *both.runs]
    assert every[f"run-{other}"].files == ()
    for job in every.values():
        assert JobSpec.from_config(json.loads(json.dumps(job.as_config()))) == job
