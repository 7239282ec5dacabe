"""Writes the digits that come with qbench, from the copy in scikit-learn.

    pip install scikit-learn
    python scripts/digits_file.py

The split is scikit-learn's `train_test_split` with `random_state=0`, stratified by the labels. It
prints the SHA-256 of the file, which `qbench.data.digits.SHA256` records.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from qbench.data import digits

TEST_IMAGES = 599


def split() -> dict[str, NDArray]:
    """The arrays of the file by name."""
    bunch = load_digits()
    images = np.rint(bunch.images[..., np.newaxis] * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=0
    )
    parts = (images[train], labels[train], images[test], labels[test])
    return dict(zip(digits.PARTS, parts, strict=True))


def main() -> None:
    """Write the file and print its hash."""
    np.savez_compressed(digits.FILE, **split())
    print(f"{hashlib.sha256(digits.FILE.read_bytes()).hexdigest()}  {digits.FILE.name}")


if __name__ == "__main__":
    main()
