"""The code from outside and the files of weights that a run uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from qbench.base.model_arguments import check_arguments
from qbench.base.outside import Code, code, code_of_module, given_file, is_reference
from qbench.base.outside.declared import declared
from qbench.base.registry import code_behind
from qbench.base.setting import Group, Setting
from qbench.config.experiment import SETTINGS, Experiment, plain
from qbench.config.groups import Data
from qbench.config.model import Model
from qbench.data import DATASETS, Chosen, source_of
from qbench.planning.factors import takes_effect
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
    return {key: one for group in experiment.groups for key, one in code_in(group).items()}


def code_in(group: Group) -> dict[str, Code]:
    """The part of `code_of` that belongs to a group."""
    found: dict[str, Code] = {}
    for one in _with_names(group.prefix):
        if not takes_effect(group, one.name):
            continue
        for name in _names(plain(getattr(group, one.name))):
            behind = code_behind(one.check.registry, name)
            if behind is not None:
                found[f"{one.check.registry}={name}"] = behind
    if isinstance(group, Data) and (own := found.get(f"{_DATA}={group.name}")):
        found |= _of_task(group, own)
    return found


def hashes_of(experiment: Experiment) -> dict[str, str]:
    """The hashes of the content, by the keys of `code_of` and `files_of`."""
    code = {key: one.sha256 for key, one in code_of(experiment).items()}
    return code | {f"{key}={file}": sha for key, (file, sha) in files_of(experiment.model).items()}


def files_of(model: Model) -> dict[str, tuple[str, str]]:
    """The saved network and the weights that a run begins with: path and hash by key.

    Raises:
        QbenchError: a file cannot be read.
    """
    return {
        key: (typed, given_file(key, typed, WEIGHTS).sha256) for key, typed in model.files.items()
    }


def check_models(experiments: Iterable[Experiment]) -> None:
    """Check the arguments of models from outside against their files; nothing is imported.

    A function that only an import can tell is checked when it is built.

    Raises:
        QbenchError: a function does not take its arguments, or its file cannot be read.
    """
    for model in {one.model.as_key(): one.model for one in experiments}.values():
        if not is_reference(model.name):
            continue
        signature = declared(code("model.name", model.name))
        if signature is not None:
            check_arguments(model.name, signature, model.arguments)


def marked(prefix: str, values: Mapping[str, Any], found: Mapping[str, Code]) -> dict[str, Any]:
    """The settings of a group in an identity, with the content of code from outside.

    The folder and the name of its file do not count.

    Args:
        prefix: the key of the group.
        values: the settings, with names of code from outside.
        found: the result of `code_in` for the group.

    Returns:
        The settings, with name and content in place of such a name.
    """
    result = dict(values)
    for one in _with_names(prefix) if found else ():
        if one.name in result:
            result[one.name] = _marked(result[one.name], one.check.registry, found)
    tasks = [one.sha256 for key, one in found.items() if key.startswith(f"{TASK}=")]
    return result | {TASK: tasks} if tasks else result


def _marked(value: Any, registry: str, found: Mapping[str, Code]) -> Any:
    if isinstance(value, list):
        return [_marked(one, registry, found) for one in value]
    if isinstance(value, dict):
        return {**value, "name": _marked(value["name"], registry, found)}
    behind = found.get(f"{registry}={value}")
    return value if behind is None else {"name": value.rpartition(":")[2], "sha256": behind.sha256}


@cache
def _with_names(prefix: str) -> tuple[Setting, ...]:
    """The settings of a group whose values are names in a registry."""
    return tuple(one for one in SETTINGS if one.group == prefix and one.check.registry)


def _names(value: Any) -> Iterator[str]:
    """The names in a plain value: the name itself, a list of names, or a name with arguments."""
    for one in value if isinstance(value, list) else [value]:
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str):
            yield name


def _of_task(chosen: Chosen, own: Code) -> dict[str, Code]:
    """The code of the class of a data set's task, by module, without the data set's own files."""
    found: dict[str, Code] = {}
    for kind in type(source_of(chosen).make_task()).__mro__:
        if kind.__module__.partition(".")[0] in _QBENCH or own.defines(kind):
            continue
        behind = code_of_module(kind.__module__)
        if behind is not None:
            found[f"{TASK}={kind.__module__}"] = behind
    return found
