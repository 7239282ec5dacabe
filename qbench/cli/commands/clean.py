"""The verb `clean`."""

from __future__ import annotations

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.engine.cleaning import clean
from qbench.storage import layout, manifests

HELP = """usage: qbench clean DIR

Removes shared states and checkpoints below DIR, if no unfinished run needs them. DIR is the folder
of a sweep or of a study. Records, weights, tables and figures stay. A sweep removes such states
too while it runs, unless keep_trunks=true.
"""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if len(arguments) != 1:
        raise QbenchError("qbench clean takes one folder: qbench clean DIR.")
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
