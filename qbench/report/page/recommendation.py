"""What the page shows of a recommendation."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Choice:
    """A row that is recommended; texts as the page shows them, empty if unknown.

    Attributes:
        label: the label of the row.
        value: the metric of its file.
        interval: the difference with its interval.
        size: the size of its file.
        latency: milliseconds of its file.
        command: the whole line that trains it.
    """

    label: str
    value: str = ""
    interval: str = ""
    size: str = ""
    latency: str = ""
    command: str = ""


@dataclass(frozen=True)
class Recommendation:
    """The section.

    Attributes:
        sentence: the answer, or why there is none.
        choices: the rows, the best one first.
        notes: what a reader of the values needs to know.
    """

    sentence: str
    choices: list[Choice] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> list[tuple[str, str]]:
        """(heading, attribute) of the columns that have a text in a row."""
        known = [
            ("of the file", "value"),
            ("difference", "interval"),
            ("size", "size"),
            ("latency", "latency"),
        ]
        return [(head, name) for head, name in known if any(getattr(c, name) for c in self.choices)]
