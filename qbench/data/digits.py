"""1,797 scanned digits that come with qbench: real data, nothing to download.

Source: UCI's "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998,
doi:10.24432/C50P49), its test set in the 8x8 form that scikit-learn ships. `scripts/digits_file.py`
writes the file; `shipped/digits/LICENSE` is its license.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qbench.base.errors import QbenchError
from qbench.data import shipped_files
from qbench.data.reading import Arrays
from qbench.data.source import DATASETS, Source

FILE = shipped_files.FOLDER / "digits" / "digits.npz"
# Of the file as it is stored, so that `sha256sum` shows the same.
SHA256 = "83a1f7b4c328c077a7e9b33078380f2dbcbe2b9b7c2ae400805e390df0795b43"
PARTS = ("train_images", "train_labels", "test_images", "test_labels")


def read(folder: Path | None) -> Arrays:
    """Images (N, 8, 8, 1) uint8 and labels (N,) int64 of both parts.

    A third of each class is for tests: 599 of all. Pixels are scaled from 0..16 to 0..255.

    Raises:
        QbenchError: a folder is given, or the file is not the one that qbench came with.
    """
    if folder is not None:
        raise QbenchError("data.dir is set, but the digits come with qbench; leave it out.")
    with np.load(shipped_files.checked(FILE, SHA256), allow_pickle=False) as arrays:
        train_images, train_labels, test_images, test_labels = (arrays[name] for name in PARTS)
    return train_images, train_labels, test_images, test_labels


DATASETS.add("digits", Source((8, 8, 1), 10, flip=False, read=read, known={}))
