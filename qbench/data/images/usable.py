"""Which of the listed files hold images that can be used; equal files count as one content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from qbench.base.errors import QbenchError
from qbench.data.images.contents import FORMATS, Content
from qbench.data.images.division import TEST, TRAIN, VALIDATION
from qbench.data.images.listing import FORMAT_OF, Listed
from qbench.data.images.problems import Problems


@dataclass(frozen=True)
class Usable:
    """A content that can be used: the numbers of its files, its class, the parts of its files."""

    numbers: list[int]
    label: int
    parts: tuple[int, ...]


def none_usable(where: str, problems: Problems) -> QbenchError:
    """The error for a data set without a file that can be used."""
    return QbenchError(f"{where}: no file can be used: {problems.listed()}; expected images.")


class Selection:
    """Selects what can be used; the rest becomes problems."""

    def __init__(self, where: str, found: Listed, problems: Problems) -> None:
        """`where` is the name of the data set and its folder; problems are added to `problems`."""
        self.where = where
        self.found = found
        self.problems = problems

    def usable(self, known: Sequence[Content]) -> dict[str, Usable]:
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
            result[sha256] = Usable(numbers, labels.pop(), parts)
        if not result:
            raise none_usable(self.where, self.problems)
        return result

    def _in_two_classes(self, numbers: list[int]) -> None:
        """Add files with the same content in several classes; nobody knows which one is right."""
        labels = self.found.labels
        first = numbers[0]
        other = next(number for number in numbers if labels[number] != labels[first])
        for number in numbers:
            same = other if labels[number] == labels[first] else first
            self.problems.add(
                "two classes", self.found.shown(number), f"as {self.found.shown(same)}"
            )

    def _is_image(self, number: int, content: Content) -> bool:
        """Whether a file is an image, and no name says another of the formats."""
        name, said = (
            self.found.shown(number),
            FORMAT_OF.get(self.found.files[number].suffix.lower()),
        )
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
                same = self.found.shown(numbers[parts.index(kept)])
                self.problems.add("two parts", self.found.shown(number), f"as {same}")
        return tuple(part for part in parts if part == kept)
