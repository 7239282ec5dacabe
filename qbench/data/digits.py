"""The 1,797 scanned digits that come with scikit-learn: real data, nothing to download."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data.reading import Arrays
from qbench.data.source import DATASETS, Source

TEST_IMAGES = 599
# Places (1797,) int16 of the training images, then of the test images, in scikit-learn's order:
# `train_test_split` of all places with `random_state=0` and stratified by their labels.
ORDER = Path(__file__).with_name("shipped") / "digits" / "order.npy"
# In the folder of scikit-learn: 64 pixels and the label of an image on each line.
_FILE = Path("datasets") / "data" / "digits.csv.gz"


def read(folder: Path | None) -> Arrays:
    """Images scaled from 0..16 to 0..255; a third, drawn class by class, is the test set.

    Source: UCI's "Optical Recognition of Handwritten Digits", in scikit-learn's 8x8 form.
    """
    if folder is not None:
        raise QbenchError("data.dir is set, but the digits come with scikit-learn; leave it out.")
    values, order = _values(), np.load(ORDER)
    pixels = values[:, :-1].reshape(-1, 8, 8, 1)
    images = np.rint(pixels * (255 / 16)).astype(np.uint8)[order]
    labels = values[:, -1].astype(np.int64)[order]
    cut = len(order) - TEST_IMAGES
    return images[:cut], labels[:cut], images[cut:], labels[cut:]


def _values() -> NDArray[Any]:
    """Pixels and labels (1797, 65) float64.

    They are read without scikit-learn, whose import takes longer than ten steps of training.
    """
    spec = find_spec("sklearn")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        file = Path(folder) / _FILE
        if file.is_file():
            with gzip.open(file, "rt", encoding="ascii") as lines:
                return np.loadtxt(lines, delimiter=",")
    from sklearn.datasets import load_digits  # a version that keeps the file elsewhere

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])


DATASETS.add("digits", Source((8, 8, 1), 10, flip=False, read=read, known={}))
