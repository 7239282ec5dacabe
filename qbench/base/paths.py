"""The place of the shipped configuration, and paths that a person types."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent.parent


def config_folder() -> Path:
    """Absolute path of `conf/`: inside an installed wheel, or beside the package in a checkout."""
    inside = _HERE / "conf"
    return inside if inside.is_dir() else _HERE.parent / "conf"


def given(path: str) -> Path:
    """A path that a person typed: `~` is the home folder, `~name` the home folder of that user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody of that name
        return Path(path)


def from_anywhere(path: str | None) -> str | None:
    """A path that means the same whatever folder a process runs in; `~` stays what it is."""
    return path if path is None or path.startswith("~") else str(Path(path).absolute())
