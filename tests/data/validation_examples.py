"""Made-up data sets for tests of validation parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from qbench.data import Dataset
from qbench.tasks.classification import Classification
from qbench.tasks.task import Task


@dataclass(frozen=True)
class Chosen:
    """The settings of a validation part."""

    validation: float | None
    validation_seed: int = 0


def made(targets: Any, task: Task) -> Dataset:
    """A data set with these targets; every image holds its own number."""
    labels = np.asarray(targets)
    images = np.arange(len(labels), dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2, 1)
    return Dataset("made", images, labels, images[:1], labels[:1], task, False, "h", "")


def classes(targets: Any) -> Dataset:
    return made(targets, Classification(10))


# At least two of each class that there is, so that one may be taken and one left.
LABELS = st.lists(st.integers(0, 9), min_size=1, max_size=60).map(lambda found: [*found, *found])
SEEDS = st.integers(0, 2**31 - 1)
