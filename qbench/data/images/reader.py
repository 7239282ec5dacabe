"""Listed image files -> a `Source`: checked, decoded into the cache, divided into parts."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from tqdm import tqdm

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.data.cache import cached
from qbench.data.images.contents import contents, held
from qbench.data.images.decoding import decoded, quietly, size_of
from qbench.data.images.listing import Listed
from qbench.data.images.options import Options
from qbench.data.images.parts import Division
from qbench.data.images.problems import Problems
from qbench.data.images.resizing import as_array, resized
from qbench.data.images.sizes import first_size, several_sizes
from qbench.data.images.usable import Selection, Usable
from qbench.data.reading import Parts
from qbench.data.source import Source
from qbench.tasks.classification import Classification

_VERSION = 2  # of the pixels; raise it if the same file and settings give other pixels


def source_of_files(where: str, found: Listed, options: Options) -> Source:
    """The data set of image files.

    Args:
        where: its name and folder, for messages.
        found: its files.
        options: its settings.
    """
    side = options.resolution
    height, width = (side, side) if side else first_size(where, found.files)
    shape = (height, width, int(options.channels))

    def read(folder: Path | None) -> Parts:
        return _Reader(where, found, options, shape).read()

    return Source(
        shape,
        len(found.names),
        flip=options.flip,
        read=read,
        known={},
        task=Classification,
        class_names=found.names,
    )


class _Reader:
    """Reads the files of one data set."""

    def __init__(
        self, where: str, found: Listed, options: Options, shape: tuple[int, int, int]
    ) -> None:
        self.where = where
        self.found = found
        self.options = options
        self.shape = shape
        self.problems = Problems()
        self.problems.update(found.problems)

    def read(self) -> Parts:
        """The parts, with a note on what was left out."""
        known = contents(self.found.folder, self.found.files)
        usable = Selection(self.where, self.found, self.problems).usable(known)
        names = sorted(usable)
        images, failed = self._images(names, usable)
        for index, reason in failed.items():
            kind, _, detail = reason.partition(": ")
            for number in usable[names[index]].numbers:
                self.problems.add(kind, self.found.shown(number), detail)
        files = len(self.found.files)
        self.problems.refuse_or_skip(self.where, files, self.options.damaged)
        good = [index for index in range(len(names)) if index not in failed]
        division = Division(self.where, self.found, self.options, self.problems)
        return division.parts(images, names, [(index, usable[names[index]]) for index in good])

    def _images(
        self, names: list[str], usable: dict[str, Usable]
    ) -> tuple[NDArray[np.uint8], dict[int, str]]:
        """The decoded images of contents, and by index the reasons why some are not."""
        options, files, (height, width) = self.options, self.found.files, self.shape[:2]

        def decode(index: int) -> NDArray[np.uint8]:
            file = files[usable[names[index]].numbers[0]]
            with _content(file, names[index]) as content:
                try:
                    with decoded(content, self.shape[2], options.background) as image:
                        if options.resolution is not None:
                            side, fit, method = options.resolution, options.fit, options.resize
                            image = resized(image, side, fit, method, options.background)
                        elif image.size != (width, height):
                            raise _OtherSize
                        return as_array(image)
                except MemoryError as error:  # the file may be good: nothing of it is kept
                    wide, high = size_of(content)
                    raise QbenchError(
                        f"{file}: an image of {wide:,} x {high:,} pixels does not fit in memory."
                    ) from error

        with quietly():
            try:
                kept = cached(self._key(names), len(names), self.shape, decode, _say)
            except _OtherSize:
                raise several_sizes(
                    self.where, [files[one.numbers[0]] for one in usable.values()]
                ) from None
        return kept.images, kept.failed

    def _key(self, names: list[str]) -> str:
        """Everything that the decoded images depend on."""
        options = self.options
        how: list[Any] = [_VERSION, PIL.__version__, options.channels, options.background]
        if options.resolution is not None:
            how += [options.resolution, options.fit, options.resize]
        return hashlib.sha256(repr([how, names]).encode()).hexdigest()


class _OtherSize(Exception):
    """An image has another size than the first one."""


@contextmanager
def _content(file: Path, sha256: str) -> Iterator[bytes]:
    """A context with the bytes of a file, if they are still those that were hashed."""
    with ExitStack() as stack:
        try:
            content = stack.enter_context(held(file))
        except OSError as error:
            raise QbenchError(f"{file}: cannot be read any more ({error.strerror}).") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise QbenchError(f"{file}: was changed while it was read; start again.")
        yield content


def _say(line: str) -> None:
    """Print a line on standard error without damage to progress bars."""
    tqdm.write(one_line(line), file=sys.stderr)
