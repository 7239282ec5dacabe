"""The place of the shipped configuration, and paths that a person types."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent.parent


def config_folder() -> Path:
    """Absolute path of `conf/`: inside an installed wheel, or beside the package in a checkout."""
    inside = _HERE / "conf"
    return inside if inside.is_dir() else _HERE.parent / "conf"


def given(path: str) -> Path:
    """The path that a person typed: `~` is the home folder, `~name` the home folder of `name`."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user
        return Path(path)


def from_anywhere(path: str | None) -> str | None:
    """The absolute path, which has the same meaning in every process.

    None and a path that begins with `~` do not change.
    """
    return path if path is None or path.startswith("~") else str(Path(path).absolute())
