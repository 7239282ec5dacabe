"""The line that says why is kept of what libraries say on pages."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from raised import RAISED, STORED

from qbench.base.reasons import LONGEST, reason, summary

MESSAGES: dict[str, dict[str, str]] = json.loads(STORED.read_text())["messages"]


def _as_raised(message: dict[str, str]) -> Exception:
    """An exception of the stored name and text."""
    if message["type"] == "KeyError" and message["text"].startswith(("'", '"')):
        return KeyError(ast.literal_eval(message["text"]))
    kind = type(message["type"], (Exception,), {})
    return kind(message["text"])


@pytest.mark.parametrize("name", MESSAGES)
def test_a_stored_message_keeps_the_line_that_says_why(name: str) -> None:
    message = MESSAGES[name]
    assert message["keep"]
    assert summary(_as_raised(message)) == message["keep"]


def test_every_mistake_is_stored() -> None:
    assert len(MESSAGES) >= 50
    assert set(RAISED) <= set(MESSAGES)


def _words(text: str) -> list[str]:
    """Its words without numbers, quotes and the names that libraries count up."""
    return re.findall(r"[A-Za-z]{3,}", re.sub(r"\w*_\d+\w*", "", text))


@pytest.mark.filterwarnings("ignore:Layer 'block' looks like", "ignore:`build")
@pytest.mark.parametrize("name", RAISED)
def test_what_the_installed_libraries_say_is_still_understood(name: str) -> None:
    """They say it in other words one day; then the stored message is to be made anew."""
    with pytest.raises(Exception) as raised:
        RAISED[name]()
    assert _words(summary(raised.value))[:8] == _words(MESSAGES[name]["keep"])[:8]


def _bare_from(cause: Exception, text: str = "") -> Exception:
    try:
        raise RuntimeError(text) if text else RuntimeError from cause
    except RuntimeError as error:
        return error


def _during(cause: Exception, *said: str) -> Exception:
    try:
        try:
            raise cause
        except type(cause):
            raise RuntimeError(*said)  # noqa: B904
    except RuntimeError as error:
        return error


def _round() -> Exception:
    error = ValueError("round and round")
    error.__cause__ = RuntimeError("again")
    error.__cause__.__cause__ = error
    return error


def _decoded() -> Exception:
    try:
        b"caf\xe9 au lait".decode()
    except UnicodeDecodeError as error:
        return error
    raise AssertionError


PLAIN: dict[str, tuple[Any, str]] = {
    "nothing said": (MemoryError(), "MemoryError"),
    "blank": (ValueError(" \n "), "ValueError"),
    "an assertion": (AssertionError(), "AssertionError"),
    "a key": (KeyError("quant.bits"), "KeyError: 'quant.bits'"),
    "a key of two lines": (KeyError("a\nb"), r"KeyError: 'a\nb'"),
    "a key that is a sentence": (KeyError("no such group: x"), "KeyError: no such group: x"),
    "bytes": (
        _decoded(),
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9 in position 3: "
        "invalid continuation byte",
    ),
    "a file": (
        OSError(28, "No space left on device", "a/b"),
        "OSError: [Errno 28] No space left on device: 'a/b'",
    ),
    "from another": (
        _bare_from(KeyError("widths"), "not built"),
        "RuntimeError: not built (KeyError: 'widths')",
    ),
    "from one that says the same": (
        _bare_from(ValueError("not built"), "x: not built"),
        "RuntimeError: x: not built",
    ),
    "from another, nothing said": (_bare_from(ValueError("why")), "RuntimeError: ValueError: why"),
    "during another": (_during(KeyError("x"), "what counts"), "RuntimeError: what counts"),
    "during another, nothing said": (_during(ValueError("why")), "RuntimeError: ValueError: why"),
    "from itself": (_round(), "ValueError: round and round (RuntimeError: again)"),
    "a traceback": (
        RuntimeError(
            'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    g()\n'
            "    ^^^\nValueError: why"
        ),
        "RuntimeError: ValueError: why",
    ),
    "a traceback in quotes": (
        RuntimeError(
            '\n"""\nTraceback (most recent call last):\n  File "a.py", line 3, in f\n'
            '    g()\nValueError: why\n"""'
        ),
        "RuntimeError: ValueError: why",
    ),
    "quotes at the ends": (ValueError('"a" is not "b"'), """ValueError: "a" is not "b\""""),
    "a colon at the end": (ValueError("widths:\n\n[1, 2]"), "ValueError: widths:"),
    "an announcement alone": (
        ValueError("Graph execution error:"),
        "ValueError: Graph execution error:",
    ),
    "a place that MLIR knows otherwise": (
        RuntimeError('loc(fused["a", callsite("b"("f.py":1:1))]): error: no such op\nnote'),
        "RuntimeError: no such op",
    ),
    "a layer that says nothing": (
        AssertionError(
            "Exception encountered when calling Own.call().\n\n\x1b[1m\x1b[0m\n\n"
            "Arguments received by Own.call():\n  • x=1"
        ),
        "AssertionError: Own.call()",
    ),
}


@pytest.mark.parametrize(("error", "expected"), PLAIN.values(), ids=PLAIN.keys())
def test_of_python_s_own_exceptions(error: Exception, expected: str) -> None:
    assert summary(error) == expected
    assert "\n" not in summary(error)


def test_the_reason_alone_never_says_nothing() -> None:
    assert reason(ValueError("why\n\nnot this")) == "why"
    assert reason(MemoryError()) == "MemoryError"


def test_a_list_of_values_is_cut_at_a_word() -> None:
    said = reason(ValueError("labels: " + " ".join(f"{k:03}" for k in range(1000))))
    assert LONGEST - 10 < len(said) <= LONGEST + 4
    assert re.search(r" \d{3} \.\.\.$", said)
    unbroken = reason(ValueError("x" * 5000))
    assert LONGEST <= len(unbroken) <= LONGEST + 4


def test_it_needs_no_tensorflow() -> None:
    names = "'tensorflow' in sys.modules, 'numpy' in sys.modules"
    code = f"import sys, qbench.base.reasons; print({names})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
