"""Running a command through Hydra, and saying its complaints in one sentence."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qbench.errors import QbenchError
from qbench.paths import config_folder
from qbench.registry import nearest
from qbench.settings import Settings

FULL_ERROR = "HYDRA_FULL_ERROR"


def run(task: Callable[[Any], Any], arguments: list[str], *, sweep: bool) -> None:
    """Compose the configuration from `arguments` (overrides and Hydra's flags) and run `task`.

    With `sweep` the task is what qbench's sweeper launches for each run.

    Raises:
        QbenchError: the configuration cannot be composed or is not valid.
    """
    import hydra

    _check_flags(arguments)
    _silence()
    flags = ["--multirun"] if sweep else []
    raised: list[Exception] = []
    application = hydra.main(
        version_base="1.3", config_path=str(config_folder()), config_name="config"
    )(task if sweep else _keeping(task, raised))
    with _as_program([*flags, *arguments]):
        try:
            application()
        except Exception as error:
            if isinstance(error, QbenchError) or not _from_hydra(error):
                raise
            raise QbenchError(explain(error)) from error
    if raised:
        raise raised[0]


def _keeping(task: Callable[[Any], Any], raised: list[Exception]) -> Callable[[Any], Any]:
    """The task with its exception put into `raised`; Hydra would print a line of its own."""

    def keeping(config: Any) -> None:
        try:
            task(config)
        except Exception as error:
            raised.append(error)

    return keeping


# Hydra's own flags, which are handed on to it.
_FLAGS = (
    *("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--cfg", "-c"),
    *("--package", "-p", "--resolve", "--info", "-i", "--multirun", "-m", "--run", "-r"),
    *("--hydra-help", "--experimental-rerun", "--shell-completion", "-sc"),
)


def _check_flags(arguments: list[str]) -> None:
    """Hydra answers an unknown flag with its whole usage."""
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag.startswith("-") and flag not in _FLAGS:
            raise QbenchError(f"{flag} is not an option.{nearest(flag, (*_FLAGS, *_OPTIONS))}")


_OPTIONS = ("--json", "--workers", "--step-seconds", "--help")


def settings_of(config: Any) -> Settings:
    """Checked settings from a composed Hydra configuration."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    plain.pop("hydra", None)
    return Settings.from_config({str(key): value for key, value in plain.items()})


def task_overrides() -> list[str]:
    """The overrides that the running command was given."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task)


def explicit_keys(overrides: list[str]) -> list[str]:
    """The dotted keys that overrides set, without Hydra's prefixes."""
    return [text.split("=", 1)[0].lstrip("+~") for text in overrides]


def _silence() -> None:
    """Hydra's deprecation notices are for us, not for the person at the keyboard."""
    import warnings

    warnings.filterwarnings("ignore", module="hydra")


@contextmanager
def _as_program(arguments: list[str]) -> Iterator[None]:
    """Hydra reads sys.argv, and raises errors as they are only in its full-error mode."""
    argv, full = sys.argv, os.environ.get(FULL_ERROR)
    sys.argv = ["qbench", *arguments]
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        sys.argv = argv
        if full is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = full


def _from_hydra(error: Exception) -> bool:
    """Whether Hydra or OmegaConf raised it, be it as one of Python's own exceptions."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    places = [type(error).__module__, frame.tb_frame.f_globals.get("__name__", "") if frame else ""]
    return any(place.partition(".")[0] in ("hydra", "omegaconf") for place in places)


def explain(error: Exception) -> str:
    """One sentence for an error of Hydra's."""
    text = str(error).strip()
    options = getattr(error, "options", None)
    missing = getattr(error, "missing_cfg_file", None)
    if missing and options is not None:
        group, _, name = str(missing).rpartition("/")
        return (
            f"{group}={name} is not known; allowed: {', '.join(sorted(options))}."
            f"{nearest(name, options)}"
        )
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown:
        return _unknown_key(unknown.group(1))
    group_match = re.search(r"Could not override '?([\w/.]+)'?\.? ?No match in the defaults", text)
    if group_match:
        return _unknown_key(group_match.group(1))
    ambiguous = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if ambiguous:
        return (
            f"{ambiguous.group(1)}: several values; only qbench sweep and qbench plan take more"
            " than one."
        )
    unreadable = getattr(error, "override", None)
    if unreadable:
        return f"{unreadable}: cannot be read as an override; expected key=value."
    first = " ".join(line.strip() for line in text.splitlines()[:2] if line.strip())
    return first if first.endswith(".") else f"{first}."


def _unknown_key(key: str) -> str:
    known = sorted(
        known_keys() | {path.name for path in config_folder().iterdir() if path.is_dir()}
    )
    group = key.rpartition(".")[0]
    siblings = [name for name in known if name.startswith(f"{group}.")] if group else []
    allowed = f" Allowed under {group}: {', '.join(siblings)}." if siblings else ""
    return f"{key} is not a setting.{nearest(key, known)}{allowed}"


def known_keys() -> set[str]:
    """All dotted keys of the default configuration."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        plain = OmegaConf.to_container(compose("config"))
    assert isinstance(plain, dict)
    return set(_dotted("", plain))


def _dotted(prefix: str, value: Any) -> Iterator[str]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _dotted(f"{prefix}{key}.", inner)
        else:
            yield f"{prefix}{key}"
