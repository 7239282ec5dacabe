"""Files of networks that are changed as a stranger might, and the sentence that refuses them."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from weights_files import from_file

from qbench.base.errors import QbenchError

Edit = Callable[[dict[str, Any]], Any]


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, entries: dict[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def edited(good: Path, path: Path, edit: Edit) -> Path:
    """A copy of an archive with another description of its network."""
    entries = entries_of(good)
    config = json.loads(entries["config.json"])
    config = edit(config) or config
    return written(path, entries | {"config.json": json.dumps(config).encode()})


def refusal(path: Path) -> str:
    begun = time.monotonic()
    with pytest.raises(QbenchError) as error:
        from_file(path)
    assert time.monotonic() - begun < 60  # a bomb would take far longer, or all memory
    said = str(error.value)
    assert "\n" not in said
    assert said.count(f"model.file={path}") == 1
    return said


def changed(at: int, **arguments: Any) -> Edit:
    """An edit of the arguments of a layer."""
    return lambda config: config["config"]["layers"][at]["config"].update(arguments)
