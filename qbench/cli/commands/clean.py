"""The verb `clean`."""

from __future__ import annotations

from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.data import cache_folder
from qbench.engine.cleaning import clean
from qbench.storage import decisions, layout, manifests, records

HELP = """usage: qbench clean DIR
       qbench clean --cache

Removes shared states and checkpoints below DIR, if no unfinished run and no first stage of
train.steps=auto needs them. DIR is the folder of a sweep or of a study. Records, weights, tables
and figures stay. A sweep removes such states too while it runs, unless keep_trunks=true.

With --cache, lists and removes the decoded images that no process uses. They are in the folder
QBENCH_CACHE, or in qbench/ in the user's cache folder. A run that needs them decodes them again.
"""

_CACHE = "--cache"


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if len(arguments) != 1:
        raise QbenchError(f"qbench clean takes one folder, or {_CACHE}: qbench clean DIR.")
    if arguments == [_CACHE]:
        return _clean_cache(cache_folder.cache_folder())
    folder = given(arguments[0])
    root = _root(folder)
    folders = layout.segments_folder(root), layout.decisions_folder(root)
    sizes = {path: path.stat().st_size for one in folders for path in one.glob("*")}
    removed = clean(root)
    print(f"{len(removed)} files, {sum(sizes.get(path, 0) for path in removed) / 1e6:.1f} MB")
    return 0


def _root(folder: Path) -> Path:
    """The root of the folder of a sweep, which may be in its first stage, or of a study."""
    if (folder / layout.MANIFEST).is_file():
        return layout.root_of_sweep(folder, manifests.read_manifest(folder))
    if (waiting := folder / layout.DECIDING).is_file():
        return layout.root_of_sweep(folder, records.read_json(waiting, decisions.WAITING))
    if any(one(folder).is_dir() for one in (layout.segments_folder, layout.decisions_folder)):
        return folder
    raise QbenchError(f"{folder}: neither the folder of a sweep nor that of a study.")


def _clean_cache(folder: Path) -> int:
    """Remove the decoded images that no process uses, with a line for each set of images."""
    removed, freed = 0, 0
    print(folder)
    for entry in cache_folder.entries(folder):
        line, size = entry.described(), entry.bytes
        try:
            is_removed = cache_folder.remove_unused(entry)
        except OSError as error:
            raise QbenchError(f"{entry.pixels}: cannot be removed ({error.strerror}).") from error
        print(f"{'removed' if is_removed else 'in use, kept'}  {size / 1e6:,.1f} MB  {line}")
        removed, freed = removed + is_removed, freed + size * is_removed
    cache_folder.remove_rest(folder)
    print(f"{removed} sets of images, {freed / 1e6:,.1f} MB")
    return 0
