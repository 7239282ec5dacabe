"""The mutants of a file: its text with one place changed."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from mutation.changes import changes


@dataclass(frozen=True)
class Mutant:
    """A module's text with one place changed.

    Attributes:
        file: of the module, relative to the repository.
        line: the first line of what is changed.
        last: its last line.
        before: what stands there.
        after: what stands there instead.
        start: where it begins in the file's text, in bytes.
        end: where it ends.
    """

    file: str
    line: int
    last: int
    before: str
    after: str
    start: int
    end: int

    def text(self) -> str:
        """The whole module; every other line keeps its number."""
        whole = Path(self.file).read_bytes()
        lines = self.before.count("\n") - self.after.count("\n")
        return (
            whole[: self.start] + (self.after + "\n" * lines).encode() + whole[self.end :]
        ).decode()


def mutants(file: str) -> list[Mutant]:
    """The mutants of a file, in their order there; those that cannot be compiled are left out."""
    text = Path(file).read_text()
    offsets = [0]
    for row in text.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(row))
    found: dict[tuple[int, int, str], Mutant] = {}
    for node, after in changes(ast.parse(text)):
        start = offsets[node.lineno - 1] + node.col_offset
        end = offsets[node.end_lineno - 1] + node.end_col_offset
        before = text.encode()[start:end].decode()
        one = Mutant(file, node.lineno, node.end_lineno, before, after, start, end)
        if before != after and _compiles(one):
            found[start, end, after] = one
    return sorted(found.values(), key=lambda one: (one.start, one.end))


def _compiles(mutant: Mutant) -> bool:
    try:
        compile(mutant.text(), mutant.file, "exec")
    except SyntaxError:
        return False
    return True
