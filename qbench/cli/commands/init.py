"""The verb `init`."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.files import prepare_folder
from qbench.base.paths import given
from qbench.cli.known import groups

HELP = """usage: qbench init FOLDER

Makes a folder with a study of your own: images, a network, settings with comments, and a README.
It runs as it is. The last part of FOLDER is the name of the study. Existing files stay: if the
folder has any file, nothing is written.
"""

# File of the starter: its place in the new folder.
_PLACES = {
    "README.md": "README.md",
    "net.py": "net.py",
    "data.py": "data.py",
    "study.yaml": "conf/study/STUDY.yaml",
}
_NAME = re.compile(r"(?!(null|true|false|yes|no|on|off|y|n)$)[A-Za-z][A-Za-z0-9_-]*", re.I)


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise QbenchError("qbench init takes one folder: qbench init my-study.")
    folder = given(arguments[0])
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise QbenchError(
            f"{arguments[0]}: {name} is the name of the study; it may have letters, digits, _ and"
            " -, begins with a letter, and is no word that YAML reads as a value."
        )
    if name in groups()["study"]:
        raise QbenchError(f"{arguments[0]}: {name} is a study of qbench; choose another name.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise QbenchError(f"{arguments[0]}: exists and is not an empty folder; name another one.")
    for written in _written(folder, name):
        print(written)
    print(f"\n  cd {shlex.quote(arguments[0])}")
    print(f"  qbench sweep --config-dir conf study={name} out=results")
    return 0


def _written(folder: Path, name: str) -> list[Path]:
    """Write all files of the starter; returns their paths."""
    starter = files("qbench.cli") / "starter"
    found = []
    for source, place in _PLACES.items():
        path = folder / place.replace("STUDY", name)
        prepare_folder(path.parent, "FOLDER")
        text = (starter / source).read_text(encoding="utf-8")
        path.write_text(text.replace("STUDY", name), encoding="utf-8")
        found.append(path)
    return found
