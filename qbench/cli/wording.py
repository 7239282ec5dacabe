"""Error messages, in the user's words, for overrides that cannot be read."""

from __future__ import annotations

import re
import unicodedata

from qbench.cli.known import known_keys, unknown
from qbench.cli.quoting import in_shell

FUNCTIONS = ("choice", "range", "sort", "glob", "int", "float", "str", "bool")
"""The functions of Hydra's grammar that are useful in a value."""

# Characters that documents and chats put in place of plain characters.
_PASTED = {
    **dict.fromkeys("\u00a0\u2007\u202f\u3000", " "),
    **dict.fromkeys("\u200b\u200e\u200f\u2060\ufeff", ""),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    **dict(
        zip("\uff1d\uff0c\uff1a\uff08\uff09\u2026", ["=", ",", ":", "(", ")", "..."], strict=True)
    ),
}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def shown(text: str) -> str:
    """A text on one line, with characters escaped that cannot be printed."""
    return "".join(c if c.isprintable() or c == "\u00a0" else repr(c)[1:-1] for c in text)


def bad_key(text: str) -> str:
    """The error message for an override with a wrong key or a wrong equals sign."""
    key, equals, value = text.partition("=")
    if not text.strip():
        return "an argument is empty; expected key=value."
    if pasted := _pasted(key):
        return _was_pasted(text, pasted)
    if not key.strip():
        return f"{shown(text)}: the key is missing; expected key=value."
    if not equals:
        other, colon, rest = text.partition(":")
        meant = f"; did you mean {other}={rest}?" if colon and rest else "."
        return f"{shown(text)}: cannot be read as an override; expected key=value{meant}"
    if key != key.strip():
        return f"{shown(text)}: no blanks around '='; type {key.strip()}={shown(value.strip())}"
    return unknown(shown(key))


def bad_value(key: str, value: str) -> str:
    """The error message for an override whose value cannot be read."""
    text = shown(f"{key}={value}")
    if key not in known_keys():
        return not_one_text(key, value)
    if pasted := _pasted(value):
        return _was_pasted(f"{key}={value}", pasted)
    return f"{text}: {_fault(value)}."


def not_one_text(key: str, value: str) -> str:
    """The error message for a text with characters that have a meaning in Hydra's grammar."""
    text = shown(f"{key}={value}")
    return f"{text}: not read as one text without quotes; type {in_shell(key, value)}"


def _pasted(text: str) -> str:
    """The first character in a text that comes from a document; empty if there is none."""
    return next((sign for sign in text if sign in _PASTED and not sign.isascii()), "")


def _was_pasted(text: str, sign: str) -> str:
    plain = "".join(_PASTED.get(sign, sign) for sign in text if _PASTED.get(sign) not in _QUOTES)
    key, _, value = plain.lstrip("-").partition("=")
    name = unicodedata.name(sign, "a sign").lower()
    return (
        f"{shown(text)}: has a sign from a document, {name} (U+{ord(sign):04X}); type"
        f" {key.strip()}={shown(value.strip())}"
    )


_QUOTES = ("'", '"')


def _fault(value: str) -> str:
    """The reason why a value cannot be read."""
    if value.startswith("="):
        return "one '=' too many"
    if open_ := _unbalanced(value):
        return open_
    if re.search(r"^\s*,|,\s*,|,\s*$", value):
        return "a value is missing beside a comma"
    if re.fullmatch(r"\s*[({][^:]*[)}]\s*", value):
        return "a list is written with brackets, as [1,2]"
    called = re.search(r"([A-Za-z_]\w*)\s*\(", value)
    if called and called[1] not in FUNCTIONS:
        return f"{called[1]} is not a function; there are {', '.join(FUNCTIONS)}"
    if called:
        return f"{called[1]} cannot be called with this"
    return "cannot be read as a value"


def _unbalanced(value: str) -> str:
    """The reason if a quote or a bracket has no counterpart; else empty."""
    awaited: list[str] = []
    bare = re.sub(r"\\.|'(\\.|[^'\\])*'|\"(\\.|[^\"\\])*\"", "", value)
    if quote := re.search(r"['\"]", bare):
        return f"the quote {quote[0]} is not closed"
    for sign in bare:
        if sign in _CLOSING:
            awaited.append(sign)
        elif sign in _CLOSING.values() and (not awaited or _CLOSING[awaited.pop()] != sign):
            return f"{sign} closes nothing"
    return f"{awaited[-1]} is not closed" if awaited else ""


_MISSING = re.compile(r"Interpolation key '([^']+)' not found|interpolation '\$\{([^}]+)\}'")
_KIND = re.compile(r"Unsupported interpolation type (\S+)")
_VARIABLE = re.compile(r"Environment variable '([^']+)' not found")


def bad_reference(message: str) -> str:
    """The error message for a `${...}` without a value; empty for OmegaConf's other messages."""
    if missing := _MISSING.search(message):
        name = missing[1] or missing[2]
        why = f"${{{name}}} stands for another setting, and there is no {name}"
    elif kind := _KIND.search(message):
        why = f"${{{kind[1]}:...}} is not known"
    elif variable := _VARIABLE.search(message):
        why = f"the environment has no variable {variable[1]}"
    elif "Recursive interpolation" in message:
        why = "a setting stands for itself by ${...}"
    else:
        return ""
    return f"{why}; a text that has ${{ in it is typed with \\${{ in its place."
