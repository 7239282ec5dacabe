"""Reads `.keras` archives: zip files with config.json and model.weights.h5. Extracts nothing."""

from __future__ import annotations

import io
import json
import zipfile
import zlib

from qbench.base.errors import QbenchError
from qbench.base.reasons import reason
from qbench.models.saved import hdf5
from qbench.models.saved.stored import Stored

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
_KNOWN = (CONFIG, WEIGHTS, "metadata.json", "assets/")
# Keras does not compress; other tools may. Weights hardly shrink, and text shrinks 20 times.
_RATIO, _SMALL = 20, 16 << 20


def is_archive(content: bytes) -> bool:
    """Whether a file is a zip archive, from its first bytes."""
    return content.startswith(b"PK")


def read(content: bytes) -> Stored:
    """The content of an archive.

    Raises:
        QbenchError: it is no archive as Keras writes it, or it is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check(archive, len(content))
            config = json.loads(archive.read(CONFIG))
            weights = archive.read(WEIGHTS)
    except QbenchError:
        raise
    except RecursionError as error:
        raise QbenchError(f"its {CONFIG} is nested too deeply.") from error
    except (
        *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError),
        *(ValueError, RuntimeError, NotImplementedError),  # no JSON, encrypted, other compression
    ) as error:
        raise QbenchError(f"the archive is damaged ({reason(error).rstrip('.')}).") from error
    if not isinstance(config, dict):
        raise QbenchError(f"its {CONFIG} describes no network.")
    return hdf5.read(weights, config)


def _check(archive: zipfile.ZipFile, size: int) -> None:
    """Check the names and the declared sizes, before anything is read."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for name in names:
        if name not in _KNOWN:
            raise QbenchError(f"the archive holds {name!r}, which no network of layers needs.")
        if names.count(name) > 1:
            raise QbenchError(f"the archive holds {name} twice.")
    for name in (CONFIG, WEIGHTS):
        if name not in names:
            raise QbenchError(f"the archive has no {name}; a .keras file of Keras 3 has one.")
    declared = sum(entry.file_size for entry in entries)
    if declared > _SMALL + _RATIO * size:
        raise QbenchError(
            f"the archive of {size:,} bytes declares {declared:,} bytes of content, far more than"
            " weights shrink."
        )
