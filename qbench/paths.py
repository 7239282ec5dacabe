"""Where the shipped configuration lies."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def config_folder() -> Path:
    """Absolute path of `conf/`: inside an installed wheel, or beside the package in a checkout."""
    inside = _HERE / "conf"
    return inside if inside.is_dir() else _HERE.parent / "conf"
