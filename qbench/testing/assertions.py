"""Assertions of the contract checks: each failure is an AssertionError with one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.reasons import summary


def see(holds: Any, message: str) -> None:
    """Raise AssertionError if `holds` is false, also with `python -O`."""
    if not holds:
        raise AssertionError(message)


def refuses(what: str, function: Any, *arguments: Any) -> None:
    """Check that a call raises a QbenchError."""
    try:
        function(*arguments)
    except QbenchError:
        return
    except Exception as error:
        raise AssertionError(f"{what} raise {error!r}; expected a QbenchError.") from error
    raise AssertionError(f"{what} are taken; expected a QbenchError.")


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Turn an error of the checked code into an AssertionError.

    Args:
        what: the code that runs in this context. The sentence of a QbenchError needs no such name.
    """
    try:
        yield
    except AssertionError:
        raise
    except QbenchError as error:
        raise AssertionError(str(error)) from error
    except Exception as error:
        raise AssertionError(f"{what} failed: {summary(error).rstrip('.')}.") from error


def is_sentence(value: Any) -> bool:
    """Whether a value is a sentence in one line."""
    return isinstance(value, str) and value.strip().endswith(".") and "\n" not in value.strip()
