"""Finds MNIST-like sets of four IDX files under the usual names and in the usual layouts.

Names: the published names, such as `train-images-idx3-ubyte`. A dash may be a dot or an underscore,
`t10k` may be `test`, and `.gz` may follow. In EMNIST's names the name of the set comes first.

Layouts: all four files in the given folder or in any folder in it; torchvision's `MNIST/raw` and
`FashionMNIST/raw`; a separate folder for each file or for each part (training, test).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from qbench.base.errors import QbenchError
from qbench.data import folders


class Role(NamedTuple):
    """The contents of one of the four files."""

    part: str
    kind: str

    @property
    def dimensions(self) -> int:
        """Dimensions of the array in the file."""
        return 3 if self.kind == "images" else 1

    @property
    def name(self) -> str:
        """The file's published name."""
        return f"{self.part}-{self.kind}-idx{self.dimensions}-ubyte"


ROLES = tuple(Role(part, kind) for part in ("train", "t10k") for kind in ("images", "labels"))
OWN_NAMES = {"mnist": ("mnist",), "fashion_mnist": ("fashionmnist", "fashion")}

_NAME = re.compile(
    r"(?:(?P<set>.+)[-_.])?(?P<part>train|t10k|test)[-_.](?P<kind>images|labels)"
    r"(?:[-_.]idx[13])?(?:[-_.]ubyte)?(?:\.(?:gz|idx|bin))?",
    re.IGNORECASE,
)
_PART = re.compile(r"train|t10k|test", re.IGNORECASE)


@dataclass(frozen=True)
class Files:
    """The files of one set in one place.

    Attributes:
        place: the folder.
        label: the text before `train` and `t10k` in their names; mostly empty.
        paths: the existing files of each role; there may be several forms of one file.
    """

    place: Path
    label: str
    paths: dict[Role, list[Path]]

    def of(self, role: Role) -> list[Path]:
        """The files of one role; QbenchError if there is none."""
        if role not in self.paths:
            raise QbenchError(
                f"{self.place / (self._before + role.name)}: no such file, nor under another usual"
                " name (a dot for a dash, test for t10k, .gz); expected an IDX file."
            )
        return self.paths[role]

    @property
    def _before(self) -> str:
        return f"{self.label}-" if self.label else ""

    def __str__(self) -> str:
        """The place of the files, for error messages."""
        return f"{self.place / self._before}..." if self.label else str(self.place)


def find(folder: Path, name: str) -> Files:
    """Find the files of the data set `name`: first in the folder itself, then in folders in it.

    Folders and files with the name of the other data set are ignored.

    Returns:
        A complete set; if there is none, the set with the most files.

    Raises:
        QbenchError: there is no file, or more than one set.
    """
    levels = [_sets([folder], name), _sets(_one_down(folder, name), name)]
    for found in levels:
        whole = [files for files in found if len(files.paths) == len(ROLES)]
        if len(whole) > 1:
            raise folders.several(folder, f"the four IDX files of {name}", whole)
        if whole:
            return whole[0]
    if partly := levels[0] or levels[1]:
        return max(partly, key=lambda files: len(files.paths))
    listed = ", ".join(role.name for role in ROLES)
    raise QbenchError(
        f"data.dir={folder}: holds no IDX files of {name}; expected {listed} (also with a dot for a"
        " dash, test for t10k, gzipped) in it, in a folder of it that is not named after another"
        " data set, or in torchvision's MNIST/raw or FashionMNIST/raw."
    )


def _one_down(folder: Path, name: str) -> list[Path]:
    """The folders that may hold the set if `folder` itself does not."""
    places = []
    for place in folders.below(folder):
        if not _of_another(place.name, name):
            places.append(place)
        if _plain(place.name) in OWN_NAMES[name]:
            places.append(place / "raw")
    return places


def _sets(places: Iterable[Path], name: str) -> list[Files]:
    """The sets of files in these places that may belong to the data set `name`."""
    found: dict[tuple[Path, str], Files] = {}
    for place in places:
        for path in _members(place):
            match = _NAME.fullmatch(path.name)
            if match is None:
                continue
            label = (match["set"] or "").lower()
            part = "train" if match["part"].lower() == "train" else "t10k"
            files = found.setdefault((place, label), Files(place, label, {}))
            files.paths.setdefault(Role(part, match["kind"].lower()), []).append(path)
    return [files for files in found.values() if not _of_another(files.label, name)]


def _members(place: Path) -> list[Path]:
    """The files in a folder, and in its folders that have the name of a part or a file."""
    inside = folders.entries(place)
    named = [path for path in inside if _PART.fullmatch(path.name) or _NAME.fullmatch(path.name)]
    nested = [path for path in named if path.is_dir()]
    every = [*inside, *(path for folder in nested for path in folders.entries(folder))]
    return [path for path in every if path.is_file()]


def _plain(name: str) -> str:
    """Only letters and digits, in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _of_another(label: str, name: str) -> bool:
    """Whether the name of a folder or of a set is a name of another data set."""
    return any(_plain(label) in own for other, own in OWN_NAMES.items() if other != name)
