"""Reads folders of images for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.data import Dataset, load

SPLIT = [0.7, 0.1, 0.2]


def read(folder: Path, **arguments: Any) -> Dataset:
    load.cache_clear()
    return load("image_folder", str(folder), **arguments)


def refused(folder: Path, **arguments: Any) -> str:
    with pytest.raises(QbenchError) as error:
        read(folder, **arguments)
    said = str(error.value)
    assert said.startswith(f"data.dir={folder}: ") and "\n" not in said
    return said.removeprefix(f"data.dir={folder}: ")


def shown(data: Dataset) -> dict[str, set[tuple[int, bytes]]]:
    """By part, the labels and pixels of its images."""
    assert data.validation is not None
    parts = {
        "train": (data.train_images, data.train_labels),
        "test": (data.test_images, data.test_labels),
        "validation": data.validation,
    }
    return {
        name: {(int(label), np.asarray(images)[k].tobytes()) for k, label in enumerate(labels)}
        for name, (images, labels) in parts.items()
    }
