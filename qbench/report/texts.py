"""Small tables of texts, for the terminal, Markdown and the page."""

from __future__ import annotations

from html import escape

Lines = list[list[str]]
"""A table: its head, then its body; the first column names the line."""


def counted(number: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def aligned(lines: Lines, last_is_text: bool = False) -> str:
    """For a terminal: the first column to the left, all others (but a last text) to the right."""
    columns = range(len(lines[0]))
    widths = [max(len(line[k]) for line in lines) for k in columns]
    left = {0, columns[-1]} if last_is_text else {0}
    return "\n".join(
        "  ".join(
            text.ljust(width) if k in left else text.rjust(width)
            for k, text, width in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def markdown(lines: Lines) -> str:
    """In Markdown, with numbers to the right."""
    rule = ["---", *("--:" for _ in lines[0][1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])


def html(lines: Lines) -> str:
    """As an HTML table."""
    head = "".join(f"<th>{escape(text)}</th>" for text in lines[0])
    body = "".join(
        f"<tr><td>{escape(line[0])}</td>"
        + "".join(f'<td class="n">{escape(text)}</td>' for text in line[1:])
        + "</tr>"
        for line in lines[1:]
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
