"""The verb `clean`."""

from __future__ import annotations

from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.data import cache_folder
from qbench.engine.cleaning import clean
from qbench.storage import layout, manifests

HELP = """usage: qbench clean DIR
       qbench clean --cache

Removes shared states and checkpoints below DIR, if no unfinished run needs them. DIR is the folder
of a sweep or of a study. Records, weights, tables and figures stay. A sweep removes such states
too while it runs, unless keep_trunks=true.

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
    if (folder / layout.MANIFEST).is_file():
        root = layout.root_of_sweep(folder, manifests.read_manifest(folder))
    elif layout.segments_folder(folder).is_dir():
        root = folder
    else:
        raise QbenchError(f"{folder}: neither the folder of a sweep nor that of a study.")
    sizes = {path: path.stat().st_size for path in layout.segments_folder(root).glob("*")}
    removed = clean(root)
    print(f"{len(removed)} files, {sum(sizes.get(path, 0) for path in removed) / 1e6:.1f} MB")
    return 0


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
