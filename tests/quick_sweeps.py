"""Stand-ins that spare sweeps in a process of tests work that no test looks at.

A figure takes 0.3 s, where a sweep of ten steps without figures takes 0.9 s. Hydra composes every
configuration twice, the first time for `hydra.mode` alone. Commands in processes of their own do
all of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from matplotlib.figure import Figure

from qbench.report import drawing
from qbench.storage import records

_get_mode, _save_figure = Hydra.get_mode, drawing.save_figure
_asked_for = False


def mode_of(self: Any, config_name: str | None, overrides: list[str]) -> Any:
    """Stands in for `Hydra.get_mode`: None, as there, unless an override is of Hydra's settings."""
    if any("hydra" in override for override in overrides):
        return _get_mode(self, config_name, overrides)
    return None


@contextmanager
def figures_are_drawn() -> Iterator[None]:
    """A context for a sweep that tests of several files share."""
    global _asked_for
    _asked_for = True
    try:
        yield
    finally:
        _asked_for = False


def save_figure_if_looked_at(figure: Figure, stem: Path, remarks: Sequence[str]) -> list[Path]:
    """Stands in for `save_figure`: an empty picture, unless the running test's file looks at it."""
    looked_at = _looked_at(os.environ["PYTEST_CURRENT_TEST"].partition("::")[0])
    if _asked_for or looked_at is None or stem.name in looked_at:
        return _save_figure(figure, stem, remarks)
    files = [stem.with_name(f"{stem.name}.{kind}") for kind in drawing.KINDS]
    for file in files:
        records.write_atomically(file, b"<svg/>")
    return files


# `"figures" / "NAME.svg"` or `figures/NAME.svg`, and the folder for anything else.
_ONE = r'(?<=["/])figures(?:/|" / f?")(\w+)\.'
_ANY = re.compile(rf'(?!{_ONE})(?<=["/])figures["/](?!\)\.mkdir)|figures_folder|save_figure')


@cache
def _looked_at(file: str) -> frozenset[str] | None:
    """The names of the figures that a file of tests looks at; None for every figure."""
    text = (Path(__file__).parent.parent / file).read_text()
    return None if _ANY.search(text) else frozenset(re.findall(_ONE, text))
