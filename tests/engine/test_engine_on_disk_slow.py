"""Images on disk in processes of their own: little memory, and kills at any moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from engine_sweeps import Process, results, wait_until

from qbench.cli.main import main
from qbench.data import filling

pytestmark = pytest.mark.slow

# The digits larger than they are, decoded slowly enough to be interrupted.
DATA = """
import time

import numpy as np

from qbench.data import DATASETS, Source, filling
from qbench.data.cache import cached

filling.BLOCK_BYTES = 1 << 14  # 64 images


def every(folder):
    images, labels, test, test_labels = DATASETS["digits"].read(None)
    return np.concatenate([images, test]).repeat(2, 1).repeat(2, 2), labels, test_labels


def read_from_memory(folder):
    images, labels, test_labels = every(folder)
    return images[: len(labels)], labels, images[len(labels) :], test_labels


def read_from_disk(folder):
    images, labels, test_labels = every(folder)

    def decode(index):
        time.sleep(0.002)
        return images[index]

    found = cached("digits", len(images), (16, 16, 1), decode, print).images
    return found[: len(labels)], labels, found[len(labels) :], test_labels


MEMORY = Source((16, 16, 1), 10, flip=False, read=read_from_memory, known={})
DISK = Source((16, 16, 1), 10, flip=False, read=read_from_disk, known={})
"""
SWEEP = [
    *("sweep", "study=digits", "train.steps=60", "model.width=4", "eval.limit=100"),
    "train.checkpoint_every=7",
    *("data.augment=true", "data.validation=0.1", "threads=2"),
    *("quant.bits=8,4", "design.factors=[quant.bits]"),
]


def test_training_evaluation_and_conversion_hold_few_images(tmp_path: Path) -> None:
    script = Path(__file__).with_name("bounded_training.py")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "bounded")


def _weights(folder: Path) -> list[str]:
    """The hashes of all weights; the ids of the runs depend on the name of the data."""
    found = results(folder)["weights"]
    assert isinstance(found, dict)
    return sorted(found.values())


def test_killed_while_it_decodes_and_while_it_trains_it_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, cache, output = tmp_path / "code" / "mine.py", tmp_path / "cache", tmp_path / "output"
    code.parent.mkdir()
    code.write_text(DATA)
    monkeypatch.setenv("QBENCH_CACHE", str(cache))
    monkeypatch.setattr(filling, "BLOCK_BYTES", filling.BLOCK_BYTES)  # the code changes it
    here = [*SWEEP, "isolate=false"]
    assert main([*here, f"data={code}:MEMORY", f"out={tmp_path / 'whole'}"]) == 0
    folder = tmp_path / "killed"
    arguments = [*SWEEP, f"data={code}:DISK", f"out={folder}"]
    moments = [
        lambda: any(path.stat().st_size > 0 for path in cache.glob("*.progress")),
        lambda: any(folder.glob("segments/*.*t*")),  # a checkpoint, or the state of a segment
    ]
    for moment in moments:
        process = Process(arguments, output)
        wait_until(moment)
        process.kill()
        process.wait()
    assert main([*here, *arguments[-2:]]) == 0
    assert _weights(folder) == _weights(tmp_path / "whole")
    assert {path.suffix for path in cache.iterdir()} == {".pixels", ".json", ".hash"}
