"""Image files that tables of comma-separated values list: path, label and perhaps split."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.data.images.division import NAMES, TEST, TRAIN, VALIDATION
from qbench.data.images.listing import PART_NAMES, Listed
from qbench.data.images.options import EXAMPLE, Options, with_options
from qbench.data.images.problems import counted, some
from qbench.data.source import DATASETS, Source, placed

_PATH, _LABEL, _SPLIT = "path", "label", "split"
_DIGITS = 100  # of a label that is a number


@dataclass(frozen=True)
class _Row:
    """A file, the text of its label, and its part; None if the table does not say it."""

    path: Path
    label: str
    part: int | None


@DATASETS.register("csv")
@with_options()
def csv_file(
    folder: Path | None,
    options: Options,
    *,
    file: str = "images.csv",
    test_file: str | None = None,
    validation_file: str | None = None,
) -> Source:
    """A table of files, or one table for each part.

    Args:
        folder: the folder in which the paths of the tables begin; the working folder if None.
        options: the settings of image files.
        file: the table of all files, or of the training images. Paths in a table begin in the
            folder of the table.
        test_file: the table of the test images.
        validation_file: the table of the validation images.
    """
    from qbench.data.images.reader import source_of_files  # with Pillow

    tables = {TRAIN: file, TEST: test_file, VALIDATION: validation_file}
    paths = {part: _place(folder, name) for part, name in tables.items() if name is not None}
    rows = [(part, row) for part, path in paths.items() for row in _rows(path)]
    where = f"data.file={paths[TRAIN]}"
    parts = _parts(where, rows, len(paths) > 1, options.split is not None)
    labels = _classes(where, [row for _, row in rows], parts)
    names = list(labels)
    found = Listed(
        paths[TRAIN].parent,
        tuple(one_line(name) for name in names),
        [row.path for _, row in rows],
        [labels[row.label] for _, row in rows],
        parts,
    )
    return source_of_files(where, found, options)


def _place(folder: Path | None, name: str) -> Path:
    if not isinstance(name, str):
        raise QbenchError(f"data.file={name}: expected the name of a table.")
    return placed(folder, name)


def _rows(path: Path) -> Iterator[_Row]:
    """The rows of a table; QbenchError if it is missing or damaged."""
    where = f"data.file={path}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            names = [name.strip().lower() for name in reader.fieldnames or ()]
            if not {_PATH, _LABEL} <= set(names):
                raise QbenchError(
                    f"{where}: its first line names the columns"
                    f" {one_line(', '.join(names))[:80] or 'nothing'}; expected path,label or"
                    " path,label,split."
                )
            reader.fieldnames = names
            for row in reader:
                yield _row(where, path.parent, reader.line_num, row)
    except OSError as error:
        raise QbenchError(
            f"{where}: cannot be read ({error.strerror}); expected a table with the columns path"
            " and label: data.file=TABLE.csv, which begins in data.dir."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise QbenchError(f"{where}: no table in UTF-8 ({one_line(str(error))[:100]}).") from error


def _row(where: str, folder: Path, line: int, row: dict[str, str | None]) -> _Row:
    path, label, split = ((row.get(name) or "").strip() for name in (_PATH, _LABEL, _SPLIT))
    if not path or not label or "\0" in path or None in row:
        raise QbenchError(f"{where}: line {line} is not a path and a label (and a split).")
    if not split:
        return _Row(folder / path, label, None)
    part = PART_NAMES.get(split.lower())
    if part is None:
        raise QbenchError(
            f"{where}: line {line} has the split {one_line(split)[:40]}; expected train, test or"
            " validation."
        )
    return _Row(folder / path, label, part)


def _parts(
    where: str, rows: Sequence[tuple[int, _Row]], several: bool, divides: bool
) -> list[int] | None:
    """The part of each row; None if `data.split` divides the rows."""
    said = [row.part is not None for _, row in rows]
    if not rows:
        raise QbenchError(f"{where}: has no rows; expected a path and a label in each.")
    if any(said) and not all(said):
        raise QbenchError(f"{where}: only {sum(said):,} of {len(rows):,} rows have a split.")
    given_ways = [several, any(said), divides]
    if sum(given_ways) != 1:
        ways = f"a column split, data.test_file, or {EXAMPLE}"
        found = "nothing says" if not any(given_ways) else "several settings say"
        raise QbenchError(f"{where}: {found} which images are test images; expected one of {ways}.")
    if divides:
        return None
    parts = [part if row.part is None else row.part for part, row in rows]
    for part in (TRAIN, TEST):
        if part not in parts:
            raise QbenchError(f"{where}: has no {NAMES[part]} images; expected at least one.")
    return parts


def _classes(where: str, rows: list[_Row], parts: list[int] | None) -> dict[str, int]:
    """The index of each label: in the order of numbers if all labels are numbers, else of texts."""
    trained = {row.label for k, row in enumerate(rows) if parts is None or parts[k] == TRAIN}
    strange = sorted({row.label for row in rows} - trained)
    if strange:
        raise QbenchError(
            f"{where}: {counted(strange, 'label')} without a training image ({some(strange)});"
            " expected training images of each."
        )
    if len(trained) < 2:
        raise QbenchError(f"{where}: all labels are {some(trained)}; expected two classes or more.")
    ordered = sorted(trained)
    if all(label.isdecimal() and len(label) <= _DIGITS for label in trained):
        ordered.sort(key=int)
        for one, other in itertools.pairwise(ordered):
            if int(one) == int(other):
                raise QbenchError(
                    f"{where}: the labels {one} and {other} are the same number; write the label of"
                    " a class in one way."
                )
    return {label: index for index, label in enumerate(ordered)}
