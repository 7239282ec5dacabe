"""What a data set is, and how a configuration names one.

An entry of `DATASETS` is a `Source`, or a function that returns one:

    def photos(folder, *, resolution=None, fit="stretch"): ...

The function gets the folder of `data.dir` and, by name, the settings of group `data` that it
declares as parameters. So `fit` is the setting `data.fit`. A parameter `resolution` gets
`data.resolution`: such a function makes images of this size itself.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from qbench.base import checks, outside
from qbench.base.errors import QbenchError
from qbench.base.foreign import called
from qbench.base.outside import Code
from qbench.base.paths import given
from qbench.base.registry import Registry, code_behind
from qbench.tasks.classification import Classification
from qbench.tasks.task import Task

_RESOLUTION = "resolution"


@dataclass(frozen=True)
class Source:
    """A data set that a configuration can name.

    Attributes:
        shape: (height, width, channels) of an image.
        classes: number of classes; for other tasks the number of values that a network returns for
            an image.
        flip: whether a mirrored image has the same target.
        read: the reader. It takes the folder, or None if there is none. It returns training images,
            training targets, test images and test targets, or two pairs of images and targets, in
            any form that `arrays.part` accepts. A third pair is a validation part. It may also
            return `reading.Parts`.
        known: notes on the exact pixels, by the hash of the data.
        task: the class of its task; `classes` is its only argument.
        class_names: the names of the classes, in the order of the labels; empty if they have none.
    """

    shape: tuple[int, int, int]
    classes: int
    flip: bool
    read: Callable[[Path | None], Any]
    known: dict[str, str]
    task: Callable[[int], Task] = Classification
    class_names: tuple[str, ...] = ()

    def make_task(self) -> Task:
        """The task of these data."""
        return self.task(self.classes)


Entry = Source | Callable[..., Source]
DATASETS: Registry[Entry] = Registry("data.name", Source, functions=True)


class Chosen(Protocol):
    """The settings of group `data` that choose a data set."""

    @property
    def name(self) -> str:
        """The name in DATASETS."""

    @property
    def dir(self) -> str | None:
        """The folder of its files."""

    @property
    def resolution(self) -> int | None:
        """The side of the square images that the network reads."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of the function that makes the `Source`."""


@dataclass(frozen=True)
class DataChoice:
    """A data set, as `Chosen` has it, and the size that slim's preprocessing makes of images."""

    name: str
    dir: str | None = None
    resolution: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    slim_image_size: int | None = None


@dataclass(frozen=True)
class Reading:
    """Everything that decides what is read; equal readings give equal data.

    Attributes:
        name, folder: as in the configuration.
        arguments: the arguments of the function, as JSON; `resolution` is among them if the
            function takes it.
        code: the content of code from outside.
        working: the working folder, in which relative paths begin; empty for a `Source`.
    """

    name: str
    folder: str | None
    arguments: str
    code: Code | None
    working: str


def reading_of(chosen: Chosen) -> Reading:
    """What is read for these settings.

    Raises:
        QbenchError: the name is not known, or the data set has no such argument.
    """
    entry = DATASETS[chosen.name]
    arguments = _checked(chosen.name, entry, chosen.arguments)
    if _RESOLUTION in parameters(entry):
        arguments[_RESOLUTION] = chosen.resolution
    text = json.dumps(arguments, sort_keys=True, default=list)
    working = "" if isinstance(entry, Source) else str(outside.folder())
    code = code_behind(DATASETS.key, chosen.name)
    return Reading(chosen.name, chosen.dir, text, code, working)


def source_of(chosen: Chosen) -> Source:
    """The `Source` for these settings.

    Raises:
        QbenchError: the name, an argument or the folder cannot be used.
    """
    return made(reading_of(chosen))


def made(wanted: Reading) -> Source:
    """The `Source` of a reading; see `source_of`."""
    entry = DATASETS[wanted.name]
    return entry if isinstance(entry, Source) else returned(entry, wanted)


@lru_cache(maxsize=16)
def returned(entry: Callable[..., Source], wanted: Reading) -> Source:
    """What the function of a data set returns; the last results are kept."""
    folder, arguments = existing(wanted.name, wanted.folder), json.loads(wanted.arguments)
    result = called(f"data={wanted.name}: its function", entry, folder, **arguments)
    if not isinstance(result, Source):
        raise QbenchError(
            f"data={wanted.name}: its function returned something of type {type(result).__name__};"
            " expected a Source."
        )
    return result


def parameters(entry: Entry) -> dict[str, inspect.Parameter]:
    """The parameters of an entry that settings give, by name; a `Source` has none."""
    if isinstance(entry, Source):
        return {}
    every = list(inspect.signature(entry).parameters.values())
    return {one.name: one for one in every[1:] if one.kind not in _SEVERAL}


_SEVERAL = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def check_arguments(name: str, arguments: Mapping[str, Any], more: tuple[str, ...]) -> None:
    """Check that a data set has these arguments.

    Args:
        name: the name in DATASETS.
        arguments: the arguments by name.
        more: the other settings of group `data`, for the message.

    Raises:
        QbenchError: it does not have one of them.
    """
    allowed = [one for one in parameters(DATASETS[name]) if one != _RESOLUTION]
    checks.known_keys("data", arguments, [*more, *allowed])


def _checked(name: str, entry: Entry, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the arguments, if the entry takes them and no other is needed."""
    known = {key: one for key, one in parameters(entry).items() if key != _RESOLUTION}
    for key in arguments:
        if key not in known:
            has = ", ".join(f"data.{one}" for one in known) or "none"
            raise QbenchError(
                f"data.{key} is not a setting of data={name}; its own settings: {has}."
            )
    for key, one in known.items():
        if one.default is one.empty and key not in arguments:
            raise QbenchError(
                f"data={name}: its function needs data.{key}; expected a value for it, or a Source"
                " or a function that returns one in place of this function."
            )
    return dict(arguments)


def placed(folder: Path | None, file: str) -> Path:
    """The path of a file that begins in the folder of the data, or in the working folder."""
    return (folder or Path(outside.folder())) / given(file)


def existing(name: str, folder: str | None) -> Path | None:
    """The folder of `data.dir`, if it can be read."""
    if folder is None:
        return None
    try:
        path = given(folder)
        there = path.is_dir()
        next(path.iterdir() if there else iter(()), None)
    except OSError as error:
        raise QbenchError(f"data.dir={folder}: cannot be read ({error.strerror}).") from error
    if not there:
        raise QbenchError(
            f"data.dir={folder}: no such folder; expected the one that holds {name}'s files."
        )
    return path
