"""Writes the part of Fashion-MNIST that comes with qbench, from Debian's package of the whole set.

    apt-get install dataset-fashion-mnist
    python scripts/fashion_part.py [FOLDER]

FOLDER holds the four published IDX files, gzipped or not; Debian's is the default. The first images
of each part are written, as gzipped IDX files without a time, so that the same zlib writes the same
bytes. It prints their SHA-256, which `qbench.data.fashion_part.SHA256` records.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from pathlib import Path

from numpy.typing import NDArray

from qbench.data import fashion_part, idx, idx_files

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
COUNTS = {"train": 12_000, "t10k": 5_000}


def as_idx(values: NDArray) -> bytes:
    """An array of unsigned bytes as the content of an IDX file."""
    head = bytes([0, 0, idx.UNSIGNED_BYTE, values.ndim])
    return head + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def main(folder: Path) -> None:
    """Write the four files and print their hashes."""
    whole = idx_files.find(folder, "fashion_mnist")
    for role in idx_files.ROLES:
        values = idx.read_idx(whole.of(role)[0], role.dimensions)[: COUNTS[role.part]]
        content = gzip.compress(as_idx(values), compresslevel=9, mtime=0)
        path = fashion_part.path_of(role)
        path.write_bytes(content)
        print(f"{hashlib.sha256(content).hexdigest()}  {path.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEBIAN)
