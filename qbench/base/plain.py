"""Makes text from people safe for output that is read line by line.

Notes, names, levels, paths and messages of other libraries may hold any characters. The texts that
these functions return do not break a line, move the cursor or reverse the text around them.
"""

from __future__ import annotations

import re
from typing import Any

# White space that ends a line or moves the cursor, with the blanks around it.
_BREAKS = re.compile("[ ]*[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029][\\s\x1c-\x1f]*")

_HALVES = re.compile("[\ud800-\udfff]")  # unpaired surrogates: UTF-8 cannot hold them

# Control characters; characters that change the direction of text; unpaired surrogates; characters
# that XML does not allow.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

_ENDS = (".", "!", "?", "\u2026")


def one_line(text: str) -> str:
    """The text in one line: line breaks and tabs become blanks, harmful characters are escaped.

    Letters of every script and emoji do not change.
    """
    return visible(_BREAKS.sub(" ", text).strip(" "))


def visible(text: str) -> str:
    """The text with harmful characters escaped; line breaks stay."""
    return _HARMFUL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    if character == "\n":
        return character
    if 0xDC80 <= code <= 0xDCFF:  # Python stores a byte that is not UTF-8 in this way
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def sentence(text: str) -> str:
    """The text in one line, with a full stop if it has no other end mark."""
    line = one_line(text)
    return line if line.endswith(_ENDS) else f"{line}."


def storable(content: Any) -> Any:
    """Plain data whose texts can be written as UTF-8: unpaired surrogates are escaped."""
    if isinstance(content, str):
        return _HALVES.sub(_escape, content)
    if isinstance(content, dict):
        return {storable(key): storable(value) for key, value in content.items()}
    if isinstance(content, list):
        return [storable(item) for item in content]
    return content
