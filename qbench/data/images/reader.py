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
from PIL import Image
from tqdm import tqdm

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.data.cache import Undecodable, cached
from qbench.data.images.contents import contents, held
from qbench.data.images.decoding import decoded, quietly, size_of
from qbench.data.images.listing import Listed
from qbench.data.images.options import Options
from qbench.data.images.parts import Division
from qbench.data.images.problems import Problems
from qbench.data.images.resizing import as_array, resized
from qbench.data.images.sizes import several_sizes
from qbench.data.images.usable import Selection, Usable, none_usable
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
    height, width = (side, side) if side else _Reader(where, found, options).first_size()

    def read(folder: Path | None) -> Parts:
        return _Reader(where, found, options).read(height, width)

    return Source(
        (height, width, options.channels),
        len(found.names),
        flip=options.flip,
        read=read,
        known={},
        task=Classification,
        class_names=found.names,
    )


class _Reader:
    """Reads the files of one data set."""

    def __init__(self, where: str, found: Listed, options: Options) -> None:
        self.where = where
        self.found = found
        self.options = options
        self.problems = Problems()
        self.problems.update(found.problems)

    def read(self, height: int, width: int) -> Parts:
        """The parts as images of this size, with a note on what was left out."""
        usable = self._usable()
        names = sorted(usable)
        images, failed = self._images(names, usable, (height, width, self.options.channels))
        for index, reason in failed.items():
            self._add_problem(usable[names[index]], reason)
        files = len(self.found.files)
        empty = self.found.without_images()
        self.problems.refuse_or_skip(self.where, files, self.options.damaged, empty)
        good = [index for index in range(len(names)) if index not in failed]
        division = Division(self.where, self.found, self.options, self.problems)
        return division.parts(images, names, [(index, usable[names[index]]) for index in good])

    def first_size(self) -> tuple[int, int]:
        """Height and width of the first image that can be used."""
        with quietly():
            for sha256, one in self._usable().items():
                try:
                    with self._image(self.found.files[one.numbers[0]], sha256) as image:
                        return image.height, image.width
                except Undecodable as error:
                    self._add_problem(one, str(error))
        raise none_usable(self.where, self.problems)

    def _usable(self) -> dict[str, Usable]:
        known = contents(self.found.folder, self.found.files)
        return Selection(self.where, self.found, self.problems).usable(known)

    def _add_problem(self, one: Usable, reason: str) -> None:
        """Add the files of a content that cannot be decoded."""
        kind, _, detail = reason.partition(": ")
        for number in one.numbers:
            self.problems.add(kind, self.found.shown(number), detail)

    @contextmanager
    def _image(self, file: Path, sha256: str) -> Iterator[Image.Image]:
        """A context with the image of a file, which has this content."""
        with _content(file, sha256) as content:
            try:
                with decoded(content, self.options.channels, self.options.background) as image:
                    yield image
            except MemoryError as error:  # the file may be good: nothing of it is kept
                wide, high = size_of(content)
                raise QbenchError(
                    f"{file}: an image of {wide:,} x {high:,} pixels does not fit in memory."
                ) from error

    def _images(
        self, names: list[str], usable: dict[str, Usable], shape: tuple[int, int, int]
    ) -> tuple[NDArray[np.uint8], dict[int, str]]:
        """The decoded images of contents, and by index the reasons why some are not."""
        options, files, (height, width, _) = self.options, self.found.files, shape

        def decode(index: int) -> NDArray[np.uint8]:
            file = files[usable[names[index]].numbers[0]]
            with self._image(file, names[index]) as image:
                if options.resolution is not None:
                    side, fit, method = options.resolution, options.fit, options.resize
                    image = resized(image, side, fit, method, options.background)
                elif image.size != (width, height):
                    raise _OtherSize
                return as_array(image)

        with quietly():
            try:
                kept = cached(self._key(names), len(names), shape, decode, _say)
            except _OtherSize:
                every = [files[number] for one in usable.values() for number in one.numbers]
                raise several_sizes(self.where, every) from None
        return kept.images, kept.failed

    def _key(self, names: list[str]) -> str:
        """Everything that the decoded images depend on."""
        options = self.options
        how: list[Any] = [_VERSION, PIL.__version__, options.channels, options.background]
        if options.resolution is not None:
            how += [options.resolution, options.fit, options.resize]
        return hashlib.sha256(repr([how, names]).encode()).hexdigest()


class _OtherSize(Exception):
    """An image has another size than the first one that can be used."""


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
