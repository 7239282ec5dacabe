"""Image files in a folder for each class."""

from __future__ import annotations

from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.data.images.listing import listed
from qbench.data.images.options import Options, with_options
from qbench.data.source import DATASETS, Source


@DATASETS.register("image_folder")
@with_options()
def image_folder(folder: Path | None, options: Options) -> Source:
    """A folder with `train/`, `test/` and perhaps `validation/`, or one tree of class folders."""
    from qbench.data.images.reader import source_of_files  # with Pillow

    if folder is None:
        raise QbenchError(
            "data.dir=null: data=image_folder needs the folder of the images: data.dir=FOLDER."
        )
    found = listed(folder, options.split is not None)
    return source_of_files(f"data.dir={folder}", found, options)
