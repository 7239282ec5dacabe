"""Calls functions that may be the user's own code."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from qbench.base.errors import QbenchError

Given = ParamSpec("Given")
Result = TypeVar("Result")


def called(
    what: str, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """The result of a function.

    Args:
        what: the function, as the subject of the message.
        function: the function.
        args: its arguments.
        kwargs: its keyword arguments.

    Raises:
        QbenchError: the function raised an exception. If this is not a QbenchError, the message
            gives its text and its place in the code.
    """
    try:
        return function(*args, **kwargs)
    except QbenchError:
        raise
    except Exception as error:
        raise QbenchError(f"{what} failed{_place(error)} ({said(error)}).") from error


def said(error: Exception) -> str:
    """The type and the message of an error, without line breaks and full stop at the end."""
    message = " ".join(str(error).split()).removesuffix(".")
    return ": ".join(part for part in (type(error).__name__, message) if part)


def _place(error: Exception) -> str:
    """` at file:line`, the innermost line of the function's own code; empty if it has none.

    Its own code is the code in the folder of the function that was called. If numpy raises an
    error, the line that called numpy is given.
    """
    frames: list[Any] = traceback.extract_tb(error.__traceback__)[1:]
    if not frames:
        return ""
    home = Path(frames[0].filename).parent
    own = [frame for frame in frames if home in Path(frame.filename).parents]
    frame = (own or frames)[-1]
    return f" at {frame.filename}:{frame.lineno}"
