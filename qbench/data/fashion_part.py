"""A fixed part of Fashion-MNIST that comes with qbench: real images, nothing to download.

Source: Zalando's Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747), the first 12,000 training and
the first 5,000 test images in their published order. `scripts/fashion_part.py` writes the files;
`shipped/fashion_part/LICENSE` is their license.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.data import shipped_files
from qbench.data.idx import read_idx
from qbench.data.idx_files import ROLES, Role
from qbench.data.source import DATASETS, Source

FOLDER = shipped_files.FOLDER / "fashion_part"

# Of the files as they are stored, so that `sha256sum` shows the same.
SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "38b5bed2a48ed1596268a7a1b682f1538007195ad3f474f26426e16cf8a3279d"
    ),
    "train-labels-idx1-ubyte.gz": (
        "8c5eae32362ec0b6b1a9e38fc0eb86038140db321c2eb636f7caf2216ceb1294"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "f81dd10ceb4ca0d807a9915fa83d58f773e56ca4fa08b04846182d8fa4f3630d"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "e387526ed09cf72c016638e0b864205f42e2d8950d3975c664b6278ef852054c"
    ),
}

KNOWN = {
    "3f50a1fc0c58e9ba7b3f1cd9c2984cf3ec40c7f3ea5a67648f4c4e09f7fb6831": (
        "a part of Fashion-MNIST, its first 12,000 training and first 5,000 test images"
    )
}

# As Zalando names them, in the order of the labels.
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def path_of(role: Role) -> Path:
    """The file of one role."""
    return FOLDER / f"{role.name}.gz"


def read(folder: Path | None) -> Any:
    """Images (N, 28, 28) and labels (N,), uint8, of both parts.

    Raises:
        QbenchError: a folder is given, or a file is not the one that qbench came with.
    """
    if folder is not None:
        raise QbenchError(
            "data.dir is set, but this part of Fashion-MNIST comes with qbench; leave it out, or"
            " choose data=fashion_mnist for files of the whole set."
        )
    return tuple(_checked(role) for role in ROLES)


def _checked(role: Role) -> Any:
    """The array in the file of a role, after a comparison of its hash."""
    path = path_of(role)
    return read_idx(shipped_files.checked(path, SHA256[path.name]), role.dimensions)


DATASETS.add(
    "fashion_part", Source((28, 28, 1), 10, flip=True, read=read, known=KNOWN, class_names=CLASSES)
)
