"""The 1,797 scanned digits that come with scikit-learn: real data, nothing to download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qbench.base.errors import QbenchError
from qbench.data.reading import Arrays
from qbench.data.source import DATASETS, Source

TEST_IMAGES = 599


def read(folder: Path | None) -> Arrays:
    """Images scaled from 0..16 to 0..255; a third, drawn class by class, is the test set.

    Source: UCI's "Optical Recognition of Handwritten Digits", in scikit-learn's 8x8 form.
    """
    if folder is not None:
        raise QbenchError("data.dir is set, but the digits come with scikit-learn; leave it out.")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.rint(bunch.images[..., np.newaxis] * (255 / 16)).astype(np.uint8)
    labels = bunch.target
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=0
    )
    return images[train], labels[train], images[test], labels[test]


DATASETS.add("digits", Source((8, 8, 1), 10, flip=False, read=read, known={}))
