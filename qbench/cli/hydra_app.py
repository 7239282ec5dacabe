"""Runs a command through Hydra, and turns Hydra's errors into one sentence."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.paths import config_folder
from qbench.cli.arguments import understood
from qbench.cli.command import OTHER_SWEEPER, Command, CommandTask
from qbench.cli.known import groups, unknown
from qbench.cli.outside import unknown_choice
from qbench.cli.wording import bad_reference
from qbench.planning.settings import Settings

FULL_ERROR = "HYDRA_FULL_ERROR"


def run(task: Callable[[Any], Any], arguments: list[str]) -> None:
    """Compose the configuration from `arguments` (overrides and Hydra's flags) and run `task`.

    Raises:
        QbenchError: the configuration cannot be composed or is not valid.
    """
    raised: list[Exception] = []
    _with_hydra(_keeping(task, raised), understood(arguments, several=False))
    if raised:
        raise raised[0]


def sweep(command: Command, arguments: list[str]) -> None:
    """Compose the configuration from `arguments`, make a plan of its design and run `command`.

    Raises:
        QbenchError: the configuration cannot be composed or is not valid.
    """
    typed = understood(arguments, several=True)
    if "hydra/sweeper" in explicit_keys(typed):
        raise QbenchError(OTHER_SWEEPER)
    _with_hydra(CommandTask(command), ["--multirun", *typed])


def _with_hydra(task: Callable[[Any], Any], arguments: list[str]) -> None:
    """Run a task function as Hydra's program."""
    import hydra

    _silence()
    folder = str(config_folder())
    application = hydra.main(version_base="1.3", config_path=folder, config_name="config")(task)
    with _as_program(arguments):
        try:
            application()
        except Exception as error:
            if isinstance(error, QbenchError) or not _from_hydra(error):
                raise
            raise QbenchError(explain(error)) from error


def _keeping(task: Callable[[Any], Any], raised: list[Exception]) -> Callable[[Any], Any]:
    """Wrap the task: store its exception in `raised`, because Hydra prints its own message."""

    def keeping(config: Any) -> None:
        try:
            task(config)
        except Exception as error:
            raised.append(error)

    return keeping


def settings_of(config: Any) -> Settings:
    """Checked settings from a composed Hydra configuration."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise QbenchError(explain(error)) from error
    assert isinstance(plain, dict)
    plain.pop("hydra", None)
    return Settings.from_config({str(key): value for key, value in plain.items()})


def task_overrides() -> list[str]:
    """The overrides of the running command."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task)


def explicit_keys(overrides: list[str]) -> list[str]:
    """The dotted keys that overrides set, without Hydra's prefixes."""
    return [text.split("=", 1)[0].lstrip("+~") for text in overrides]


def _silence() -> None:
    """Hide Hydra's deprecation notices; they are for developers, not for users."""
    import warnings

    warnings.filterwarnings("ignore", module="hydra")


@contextmanager
def _as_program(arguments: list[str]) -> Iterator[None]:
    """Set sys.argv, which Hydra reads, and Hydra's full-error mode, so that Hydra raises errors."""
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
    """Whether Hydra or OmegaConf raised this error, which may be one of Python's exceptions."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    places = [type(error).__module__, frame.tb_frame.f_globals.get("__name__", "") if frame else ""]
    return any(place.partition(".")[0] in ("hydra", "omegaconf", "yaml") for place in places)


def explain(error: Exception) -> str:
    """The error message for an error that Hydra raised, in one sentence."""
    text = str(error).strip()
    options = getattr(error, "options", None)
    missing = getattr(error, "missing_cfg_file", None)
    mark = getattr(error, "problem_mark", None)
    if mark is not None:  # of a file that is not YAML
        return f"{mark.name}:{mark.line + 1}: {getattr(error, 'problem', text)}."
    if missing and options is not None:
        group, name = _group_and_name(str(missing))
        return unknown_choice(group, name, options)
    for pattern, sentence in _SENTENCES:
        if found := pattern.search(text):
            return sentence(found)
    reference = bad_reference(text)
    if reference:
        return reference
    first = " ".join(line.strip() for line in text.splitlines()[:2] if line.strip())
    return first if first.endswith(".") else f"{first}."


def _group_and_name(missing: str) -> tuple[str, str]:
    """The group and the name of a file that is missing; the name may have slashes."""
    known = [group for group in groups() if missing.startswith(f"{group}/")]
    group = max(known, key=len, default=missing.rpartition("/")[0])
    return group, missing[len(group) + 1 :]


_SENTENCES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"Could not delete '(([^'=]+)=[^']+)'"),
        lambda found: f"~{found[1]}: this is not what is chosen in {found[2]}.",
    ),
    (re.compile(r"Could not (?:override|delete) '([^']+)'"), lambda found: unknown(found[1])),
    (re.compile(r"delete from config\. '([^']+)' does not"), lambda found: unknown(found[1])),
    (
        re.compile(r"delete from config\. The value of '([^']+)' is (.*) and not (.*)\."),
        lambda found: f"~{found[1]}={found[3]}: its value is {found[2]}.",
    ),
    (
        re.compile(r"Only one of (--.*) can be"),
        lambda found: f"only one of {found[1]}, and with qbench train or qbench graph alone.",
    ),
    (
        re.compile(r"An item is already at '([^']+)'"),
        lambda found: f"+{found[1]}: the setting is there already; leave the + out.",
    ),
    (
        re.compile(r"In '([\w/]+)/([^'/]+)': [^\n]*\n?[^\n]*Cannot merge Dict"),
        lambda found: f"{found[1]}={found[2]}: its file holds no group of settings.",
    ),
    (
        re.compile(r"Multiple values for ([\w/]+)"),
        lambda found: f"{found[1]}: chosen more than once; give it one value, without a +.",
    ),
)
