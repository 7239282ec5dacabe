"""Images in a folder against the same images in memory: the time to cache them, and a step.

    python benchmarks/folder.py [--images N] [--rounds N] [--folder DIR] [--save]

Draws JPEGs of 96 x 96 pixels (kept in DIR, if it is given) and loads them with `data=image_folder`:
first into an empty cache, then from it. Then it times the training step of `resnet8` at batch 128
on these images, round by round: in memory, on disk (the system has the file in its own memory), and
on disk after the system was told to forget the file. Prints the ratios within a round.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import ratios, save, spread
from PIL import Image

from qbench.base import device
from qbench.config.experiment import Experiment
from qbench.data import Dataset, load
from qbench.data.batches import Batches
from qbench.data.cache import Mapped
from qbench.data.rows import Rows

SIDE, CLASSES, TEST = 96, 10, 100
IMAGES, FEWEST = 50_000, 3_000  # qbench holds fewer in memory
BATCH, STEPS = 128, 5
CACHING_AIM, STEP_AIM = 60.0, 1.03
CONFIG: dict[str, Any] = {
    "data": {"name": "digits", "augment": True, "preprocessing": "vgg"},
    "model": {"name": "resnet8"},
    "quant": {"enabled": False},
    "train": {
        "steps": 10**6,
        "batch_size": BATCH,
        "learning_rate": 0.001,
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "constant"},
    },
    "eval": {},
}


def file_of(folder: Path, index: int) -> Path:
    """The file of one image in the folder of its class; the first images are the test images."""
    part = "test" if index < TEST else "train"
    return folder / part / f"{index % CLASSES}" / f"{index:06}.jpg"


def draw(folder: Path, index: int) -> None:
    """One image: smooth colours and some noise, as a photograph has."""
    generator = np.random.default_rng(index)
    coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
    pixels = smooth + generator.normal(0, 8, smooth.shape)
    file_of(folder, index).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file_of(folder, index), quality=90)


def timed_load(folder: Path) -> tuple[float, Dataset]:
    """Seconds to load the data set, and the data set."""
    load.cache_clear()  # type: ignore[attr-defined]
    start = time.perf_counter()
    data = load("image_folder", str(folder))
    return time.perf_counter() - start, data


def forget(images: Any) -> None:
    """Let the system forget what it keeps of the file of images on disk."""
    assert isinstance(images, Rows)
    images = images.images
    while isinstance(images, np.ndarray):
        if isinstance(images, Mapped):
            name = str(images.filename)
        images = images.base
    assert isinstance(images, mmap.mmap)
    images.madvise(mmap.MADV_DONTNEED)
    with open(name, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Contender:
    """A network that trains on one data set."""

    def __init__(self, data: Dataset, threads: int, prepare: Callable[[], None]) -> None:
        """`prepare` is called before every turn and is not timed."""
        from qbench.training.network import Network

        experiment = Experiment.from_config({**CONFIG, "threads": threads})
        self.network = Network(experiment, data)
        self.network.initialise(0)
        self.data = data
        self.prepare = prepare
        self.done = 0
        self.seconds: list[float] = []

    def turn(self, steps: int) -> float:
        """Seconds of a step."""
        import tensorflow as tf

        from qbench.training.feeding import feed

        self.prepare()
        step, seed = self.network.train_step(None), tf.constant(0, tf.int64)
        batches = Batches(len(self.data.train_images), BATCH, 0)
        numbers = range(self.done, self.done + steps)
        start = time.perf_counter()
        with feed(self.data, batches, numbers) as fed:
            for number, batch in zip(numbers, fed, strict=True):
                loss = step(*batch, seed, tf.constant(number, tf.int64))
            float(loss)
        self.done += steps
        return (time.perf_counter() - start) / steps


def measure(data: Dataset, rounds: int, threads: int) -> dict[str, list[float]]:
    """Seconds of a step for each contender, round by round."""
    memory = replace(data, train_images=np.asarray(data.train_images))
    contenders = {
        "in memory": Contender(memory, threads, lambda: None),
        "on disk": Contender(data, threads, lambda: None),
        "on disk, forgotten": Contender(data, threads, lambda: forget(data.train_images)),
    }
    for one in contenders.values():
        one.turn(2)  # compiles the step
    shuffle, order = random.Random(0).shuffle, list(contenders.values())
    for _ in range(rounds):
        shuffle(order)  # nobody always follows the same one
        for one in order:
            one.seconds.append(one.turn(STEPS))
    return {name: one.seconds for name, one in contenders.items()}


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        missing = (k for k in range(arguments.images) if not file_of(folder, k).exists())
        list(pool.map(lambda index: draw(folder, index), missing))
    (first, _), (again, data) = timed_load(folder), timed_load(folder)
    per_second = arguments.images / first
    print(f"{arguments.images:,} JPEGs: cached in {first:.1f} s ({per_second:,.0f} a second)")
    print(f"loaded again in {again:.2f} s")
    device.start(arguments.threads)
    seconds = measure(data, arguments.rounds, arguments.threads)
    rows = {name: spread([1000 * s for s in taken]) for name, taken in seconds.items()}
    compared = {
        f"{name} / in memory": {"aim": STEP_AIM, **ratios(taken, seconds["in memory"])}
        for name, taken in seconds.items()
        if name != "in memory"
    }
    for name, row in rows.items():
        print(f"{name:<20}{row['median']:>9.1f} ms a step")
    for name, row in compared.items():
        quartiles = f"{row['quarter']:.3f} to {row['three_quarters']:.3f}"
        print(f"{name:<32}{row['median']:>7.3f}  ({quartiles}; aim {row['aim']})")
    return {
        "images": arguments.images,
        "caching": {"seconds": first, "again": again, "aim": CACHING_AIM},
        "rounds": arguments.rounds,
        "threads": arguments.threads,
        "milliseconds": rows,
        "ratios": compared,
    }


def main() -> None:
    """Measure and print; with --save write benchmarks/figures/folder.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keeps the JPEGs for another time")
    parser.add_argument("--save", action="store_true", help="write benchmarks/figures/folder.json")
    arguments = parser.parse_args()
    if arguments.images < FEWEST:
        parser.error(f"--images={arguments.images}: expected at least {FEWEST}")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["QBENCH_CACHE"] = str(Path(empty) / "cache")
        result = run(arguments, arguments.folder or Path(empty) / "images")
    if arguments.save:
        save("folder", f"python benchmarks/folder.py --rounds {arguments.rounds}", result)


if __name__ == "__main__":
    main()
