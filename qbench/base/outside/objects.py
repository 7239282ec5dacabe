"""The objects that references stand for, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.outside.session import as_typed, code, module_of
from qbench.base.reasons import summary

_SHOWN = 8  # names of a module in an error message

# What functions returned, by file, content, name and type: equal content gives the same object.
_RETURNED: dict[tuple[Path, str, str, Any], Any] = {}


def object_of(key: str, name: str, kind: Any, functions: bool = False) -> Any:
    """The object that a reference stands for.

    Args:
        key: the configuration key that has this value.
        name: the reference.
        kind: the type of the object. Instead of the object, a function without arguments that
            returns it may stand there, unless the type is `Callable`.
        functions: whether a function with arguments that returns it may stand there; the result is
            then the function itself.

    Raises:
        QbenchError: see `module_of`; or the module lacks the name, or has another type there.
    """
    module, meant, shown = module_of(key, name), code(key, name), as_typed(key, name)
    if meant.name not in vars(module):
        own = [one for one in vars(module) if not one.startswith("_")]
        more = ", ..." if len(own) > _SHOWN else "."
        raise QbenchError(
            f"{shown}: {meant.found.file} has no {meant.name}; it has"
            f" {', '.join(own[:_SHOWN]) or 'nothing'}{more}"
        )
    found = vars(module)[meant.name]
    if isinstance(found, kind) or (functions and _takes_arguments(found)):
        return found
    if kind is Callable or not callable(found):
        raise QbenchError(
            f"{shown}: {_article(type(found))} stands there; expected {_of(kind, functions)}."
        )
    place = meant.found.file, meant.sha256, meant.name, kind
    if place not in _RETURNED:
        _RETURNED[place] = _returned(shown, found, kind)
    return _RETURNED[place]


def _takes_arguments(found: Any) -> bool:
    """Whether this is a function with at least one parameter."""
    return inspect.isfunction(found) and bool(inspect.signature(found).parameters)


def _returned(shown: str, function: Callable[[], Any], kind: Any) -> Any:
    """What a function returns, if it has the type."""
    try:
        made = function()
    except QbenchError:
        raise
    except Exception as error:
        raise QbenchError(
            f"{shown}: its call without arguments failed ({summary(error).rstrip('.')}); expected"
            f" {_of(kind)}."
        ) from error
    if not isinstance(made, kind):
        raise QbenchError(f"{shown}: returned {_article(type(made))}; expected {_of(kind)}.")
    return made


def _of(kind: Any, functions: bool = False) -> str:
    """A type in an error message."""
    if kind is Callable:
        return "a function"
    which = "" if functions else " without arguments"
    return f"{_article(kind)}, or a function{which} that returns one"


def _article(kind: type) -> str:
    return f"{'an' if kind.__name__[:1] in 'AEIOUaeio' else 'a'} {kind.__name__}"
