"""The code from outside and the files of weights that a run uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from qbench.base.outside import Code, code_of_module, given_file
from qbench.base.registry import code_behind
from qbench.base.setting import Setting
from qbench.config.experiment import SETTINGS, Experiment, plain
from qbench.data import DATASETS
from qbench.planning.factors import group_of, has_setting
from qbench.storage.layout import WEIGHTS

TASK = "task"
"""The key of a task's code in `code_of`."""
_DATA = DATASETS.key
_QBENCH = ("qbench", "builtins", "abc")


def code_of(experiment: Experiment) -> dict[str, Code]:
    """The content of all code from outside that a run uses; empty if it uses only qbench's own.

    The keys are `SETTING=NAME`, such as `model.name=nets/mine.py:build`. The task of such a data
    set belongs to it: the modules of the task's class have the keys `task=MODULE`, unless their
    files belong to the data set's code.

    Raises:
        QbenchError: the code cannot be read, or the file of a data set cannot be imported.
    """
    found: dict[str, Code] = {}
    for one in _with_names():
        if not has_setting(experiment, one.key):
            continue
        for name in _names(plain(getattr(group_of(experiment, one), one.name))):
            code = code_behind(one.check.registry, name)
            if code is not None:
                found[f"{one.check.registry}={name}"] = code
    own = found.get(f"{_DATA}={experiment.data.name}")
    return found | (_of_task(experiment.data.name, own) if own else {})


def hashes_of(experiment: Experiment) -> dict[str, str]:
    """The hashes of the content, by the keys of `code_of` and `files_of`."""
    code = {key: code.sha256 for key, code in code_of(experiment).items()}
    return code | files_of(experiment)


def files_of(experiment: Experiment) -> dict[str, str]:
    """The hashes of the saved network and of the weights that a run begins with.

    The keys are `SETTING=FILE`, such as `model.weights=mine.keras`.

    Raises:
        QbenchError: a file cannot be read.
    """
    files = experiment.model.files.items()
    return {f"{key}={typed}": given_file(key, typed, WEIGHTS).sha256 for key, typed in files}


def marked(config: dict[str, Any], found: Mapping[str, Code]) -> None:
    """Replace, in the settings of an identity, names of code from outside by name and content.

    The folder and the name of the file do not count.

    Args:
        config: the settings by group; this function changes them.
        found: the result of `code_of`.
    """
    for one in _with_names() if found else ():
        values = config[one.group] if one.group else config
        if one.name in values:
            values[one.name] = _marked(values[one.name], one.check.registry, found)
    tasks = [code.sha256 for key, code in found.items() if key.startswith(f"{TASK}=")]
    if tasks:
        config["data"][TASK] = tasks


def _marked(value: Any, registry: str, found: Mapping[str, Code]) -> Any:
    if isinstance(value, list):
        return [_marked(one, registry, found) for one in value]
    if isinstance(value, dict):
        return {**value, "name": _marked(value["name"], registry, found)}
    code = found.get(f"{registry}={value}")
    return value if code is None else {"name": value.rpartition(":")[2], "sha256": code.sha256}


@cache
def _with_names() -> tuple[Setting, ...]:
    """The settings whose values are names in a registry."""
    return tuple(one for one in SETTINGS if one.check.registry)


def _names(value: Any) -> Iterator[str]:
    """The names in a plain value: the name itself, a list of names, or a name with arguments."""
    for one in value if isinstance(value, list) else [value]:
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str):
            yield name


def _of_task(name: str, own: Code) -> dict[str, Code]:
    """The code of the class of a data set's task, by module, without the data set's own files."""
    found: dict[str, Code] = {}
    for kind in type(DATASETS[name].make_task()).__mro__:
        if kind.__module__.partition(".")[0] in _QBENCH or own.defines(kind):
            continue
        code = code_of_module(kind.__module__)
        if code is not None:
            found[f"{TASK}={kind.__module__}"] = code
    return found
