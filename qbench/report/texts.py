"""Small tables of texts, for the terminal and Markdown; the page has templates.

Texts are plain: every form shows them unchanged, without markup.
"""

from __future__ import annotations

import re
from unicodedata import category, east_asian_width

from qbench.base.plain import one_line

Lines = list[list[str]]
"""A table: its head, then its body; the first column names the line."""

_LONGEST = 80  # columns of a name on a terminal

# Characters that GitHub's Markdown reads as markup. Where a character has no meaning, such as an
# underscore inside a word or a single bracket, it is not escaped.
_MARKUP = re.compile(
    r"""
      \\(?=[!-/:-@\[-`{-~]|$)           # a backslash that would escape something
    | [`*~|$<]                          # code, emphasis, a cell's end, mathematics, a tag
    | (?<![^\W_])_ | _(?![^\W_])        # emphasis by underscores
    | &(?=[#\w])                        # an entity
    | \](?=[\[(])                       # a link
    | ^(?: >|\#(?=\#*\s)|[-+](?=\s) )   # the start of a block
    | (?:(?<=^\d)|(?<=^\d\d))[.)](?=\s)   # the start of a numbered list
    """,
    re.VERBOSE,
)


def counted(number: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def in_markdown(text: str) -> str:
    """The text in one line, with Markdown's special characters escaped."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def columns(text: str) -> int:
    """The width of a line of text on a terminal, in columns."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in ("W", "F") else 1


def short(text: str, longest: int = _LONGEST) -> str:
    """The text in one line of at most this number of columns; a long text keeps both ends."""
    line = one_line(text)
    if columns(line) <= longest:
        return line
    rest = longest - 3
    return f"{_start(line, rest - rest // 2)}...{_start(line[::-1], rest // 2)[::-1]}"


def _start(text: str, longest: int) -> str:
    """The longest beginning that takes at most this number of columns."""
    taken = 0
    for number, character in enumerate(text):
        taken += _columns(character)
        if taken > longest:
            return text[:number]
    return text


def aligned(lines: Lines, last_is_text: bool = False) -> str:
    """A table for a terminal, aligned right, except the first column and a last column of text."""
    shown = [[short(line[0]), *map(one_line, line[1:])] for line in lines]
    numbers = range(len(shown[0]))
    widths = [max(columns(line[k]) for line in shown) for k in numbers]
    left = {0, numbers[-1]} if last_is_text else {0}
    return "\n".join(
        "  ".join(
            _padded(text, width, k in left)
            for k, text, width in zip(numbers, line, widths, strict=True)
        ).rstrip()
        for line in shown
    )


def _padded(text: str, width: int, left: bool) -> str:
    blanks = " " * (width - columns(text))
    return text + blanks if left else blanks + text


def markdown(lines: Lines, numbers: bool = True) -> str:
    """A table in Markdown; with `numbers`, all columns except the first are aligned right."""
    rule = ["---", *("--:" if numbers else "---" for _ in lines[0][1:])]
    shown = [list(map(in_markdown, line)) for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in [shown[0], rule, *shown[1:]])
