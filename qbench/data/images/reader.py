"""Listed image files -> a `Source`: checked, decoded into the cache, divided into parts."""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from tqdm import tqdm

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.data.cache import cached
from qbench.data.images.contents import FORMATS, Content, contents, held
from qbench.data.images.decoding import decoded, quietly, size_of
from qbench.data.images.division import TEST, TRAIN, VALIDATION, divided, drawn
from qbench.data.images.listing import FORMAT_OF, Listed
from qbench.data.images.options import Options
from qbench.data.images.problems import Problems, counted, some
from qbench.data.images.resizing import as_array, resized
from qbench.data.images.sizes import first_size, several_sizes
from qbench.data.reading import Parts
from qbench.data.rows import Rows
from qbench.data.source import Source
from qbench.tasks.classification import Classification

_VERSION = 2  # of the pixels; raise it if the same file and settings give other pixels
_IN_MEMORY = 1 << 26  # bytes of all images up to which they are kept in memory


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


@dataclass(frozen=True)
class _Usable:
    """A content that can be used: the numbers of its files, its class, the parts of its files."""

    numbers: list[int]
    label: int
    parts: tuple[int, ...]


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
        usable = self._usable(known)
        names = sorted(usable)
        images, failed = self._images(names, usable)
        for index, reason in failed.items():
            kind, _, detail = reason.partition(": ")
            for number in usable[names[index]].numbers:
                self.problems.add(kind, self._name(number), detail)
        files = len(self.found.files)
        self.problems.refuse_or_skip(self.where, files, self.options.damaged)
        good = [index for index in range(len(names)) if index not in failed]
        return self._parts(images, names, [(index, usable[names[index]]) for index in good])

    def _usable(self, known: Sequence[Content]) -> dict[str, _Usable]:
        """By content, what can be used; the rest becomes problems."""
        by_content: dict[str, list[int]] = defaultdict(list)
        for number, content in enumerate(known):
            if self._is_image(number, content):
                by_content[content.sha256].append(number)
        result = {}
        for sha256, numbers in by_content.items():
            labels = {self.found.labels[number] for number in numbers}
            if len(labels) > 1:
                self._in_two_classes(numbers)
                continue
            parts = self._parts_of(numbers)
            result[sha256] = _Usable(numbers, labels.pop(), parts)
        if not result:
            listed = self.problems.listed()
            raise QbenchError(f"{self.where}: no file can be used: {listed}; expected images.")
        return result

    def _in_two_classes(self, numbers: list[int]) -> None:
        """Add files with the same content in several classes; nobody knows which one is right."""
        labels = self.found.labels
        first = numbers[0]
        other = next(number for number in numbers if labels[number] != labels[first])
        for number in numbers:
            same = other if labels[number] == labels[first] else first
            self.problems.add("two classes", self._name(number), f"as {self._name(same)}")

    def _is_image(self, number: int, content: Content) -> bool:
        """Whether a file is an image, and no name says another of the formats."""
        name, said = self._name(number), FORMAT_OF.get(self.found.files[number].suffix.lower())
        if content.problem:
            self.problems.add(content.problem, name, content.detail)
        elif content.format not in FORMATS:
            holds = f"holds {content.format}" if content.format else ""
            self.problems.add("no image", name, holds)
        elif said is not None and content.format != said:
            self.problems.add("misnamed", name, f"holds {content.format}")
        else:
            return True
        return False

    def _parts_of(self, numbers: list[int]) -> tuple[int, ...]:
        """The parts of files with the same content; one of several parts keeps it."""
        if self.found.parts is None:
            return (TRAIN,) * len(numbers)
        parts = [self.found.parts[number] for number in numbers]
        kept = next(part for part in (TEST, VALIDATION, TRAIN) if part in parts)
        for number, part in zip(numbers, parts, strict=True):
            if part != kept:
                same = self._name(numbers[parts.index(kept)])
                self.problems.add("two parts", self._name(number), f"as {same}")
        return tuple(part for part in parts if part == kept)

    def _name(self, number: int) -> str:
        return self.found.shown(number)

    def _images(
        self, names: list[str], usable: dict[str, _Usable]
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

    def _parts(
        self, images: NDArray[np.uint8], names: list[str], good: list[tuple[int, _Usable]]
    ) -> Parts:
        """The parts of usable images, each in the order of the seed."""
        seed, shares = self.options.split_seed, self.options.split
        labels = np.array([one.label for _, one in good], np.int64)
        parts = [one.parts for _, one in good]
        if shares is not None:
            chosen = divided([names[index] for index, _ in good], labels, shares, seed)
            parts = [(int(part),) * len(old) for part, old in zip(chosen, parts, strict=True)]
        order = sorted(range(len(good)), key=lambda k: drawn(names[good[k][0]], seed))
        rows: dict[int, list[int]] = {TRAIN: [], TEST: [], VALIDATION: []}
        for k in order:
            rows[parts[k][0]] += [k] * len(parts[k])
        self._check(rows, labels)
        taken = {
            part: (_chosen(images, [good[k][0] for k in some]), labels[some])
            for part, some in rows.items()
            if some
        }
        notes = [self.problems.note(), self._lacking(rows[TEST], labels)]
        return Parts(
            taken[TRAIN],
            taken[TEST],
            taken.get(VALIDATION),
            note="; ".join(one for one in notes if one),
            left_out=self.problems.as_record(),
        )

    def _check(self, rows: dict[int, list[int]], labels: NDArray[np.int64]) -> None:
        """Check that every class has a training image, and that there are test images."""
        lacking = self._missing(labels[rows[TRAIN]])
        if lacking:
            raise QbenchError(
                f"{self.where}: {counted(lacking, 'class')} without a training image that can be"
                f" used ({some(lacking)}); expected at least one of each."
            )
        if not rows[TEST]:
            why = "data.split leaves none" if self.options.split else "none can be used"
            raise QbenchError(f"{self.where}: no test image ({why}); expected at least one.")

    def _lacking(self, test: list[int], labels: NDArray[np.int64]) -> str:
        """A note on classes without test images; empty if there are none."""
        lacking = self._missing(labels[test])
        return (
            f"{counted(lacking, 'class')} without test images: {some(lacking)}" if lacking else ""
        )

    def _missing(self, labels: NDArray[np.int64]) -> list[str]:
        there = set(labels.tolist())
        return [name for index, name in enumerate(self.found.names) if index not in there]


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


def _chosen(images: NDArray[np.uint8], rows: list[int]) -> Any:
    """Some images, in memory if the data set is small."""
    some = Rows(images, np.array(rows, np.int64))
    return np.asarray(some) if images.nbytes <= _IN_MEMORY else some


def _say(line: str) -> None:
    """Print a line on standard error without damage to progress bars."""
    tqdm.write(one_line(line), file=sys.stderr)
