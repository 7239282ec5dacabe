"""The reason of an exception, in one line.

Keras and TensorFlow hide the reason in pages of other text: stacks of calls, the arguments of a
layer, the nodes of a graph, a whole program in MLIR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 300
"""The largest number of characters of a reason; longer messages mostly list values."""


def summary(error: BaseException) -> str:
    """An exception in one line: its type and its reason."""
    said = _with_causes(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def reason(error: BaseException) -> str:
    """Like `summary`, without the type; only the type if the exception has no message.

    If the error is from a call of a layer, the layer comes first: `Dense.call(): ...`. The cause of
    the exception follows in parentheses, unless the message repeats it.
    """
    return _with_causes(error) or type(error).__name__


def _with_causes(error: BaseException) -> str:
    said = _said(error)
    for cause in _causes(error):
        why = _said(cause)
        if why and (why in said or said in why) and said:
            continue
        shown = f"{type(cause).__name__}: {why}" if why else type(cause).__name__
        said = f"{said} ({shown})" if said else shown
    return said


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The causes of an exception; its context counts only if the exception has no message."""
    seen = [error]
    while True:
        last = seen[-1]
        cause = last.__cause__
        if cause is None and not last.__suppress_context__ and not str(last).strip():
            cause = last.__context__
        if cause is None or cause in seen:
            return
        yield cause
        seen.append(cause)


def _said(error: BaseException) -> str:
    """The message of the exception itself."""
    layer, why = _found(_paragraphs(_text(error)), type(error).__name__)
    return ": ".join(part for part in (layer, _cut(why)) if part)


def _text(error: BaseException) -> str:
    """The message without escape sequences; a KeyError's message is only the quoted key."""
    text = str(error)
    if isinstance(error, KeyError) and len(error.args) == 1 and isinstance(error.args[0], str):
        text = error.args[0] if " " in error.args[0] else text
    return _ESCAPE.sub("", text)


_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
# A message of the converter: a position, "error:" and the reason. The program follows.
_MLIR = re.compile(r"(?:\S:\d+:\d+|<unknown>:0|\)): error: (.+)")
_SEVERAL = re.compile(r"\d+ root error\(s\) found\.\s+\(0\) (?:[A-Z_ ]+: *)?")
_FRAME = re.compile(r'\s*File "[^"]*", line \d+')
_ANNOUNCES = re.compile(r"(?:\berror\b|\bexception\b)[^.]*:$", re.IGNORECASE)
_QUOTES = '"""'  # around the traceback of another process
_CALLING = re.compile(r"Exception encountered when calling (\S+?\(\))\.")
# Text that TensorFlow writes before, after and inside a reason, and its replacement.
_CLUTTER = (
    (re.compile(r"\{\{function_node [^}]*\}\} ?"), ""),
    (re.compile(r" ?\[Op:[^\]]*\](?: name:.*)?$"), ""),
    (re.compile(r" ?; NodeDef: .*$"), ""),
    (re.compile(r"'\{\{node ([^}]+)\}\}[^']*'"), r"'\1'"),
    (re.compile(r"\)\{\{node [^}]+\}\}"), ")"),
    (re.compile(r"\{\{node ([^}]+)\}\}"), r"\1"),
    (re.compile(r"\[_XlaMustCompile[^\]]*\]"), ""),
)


def _paragraphs(text: str) -> list[str]:
    """The message in paragraphs of one line each, without stacks of calls and values."""
    converter = _MLIR.search(text)
    if converter:
        return [converter.group(1).strip()]
    found: list[list[str]] = [[]]
    for line in _without_frames(_SEVERAL.sub("", text).splitlines()):
        said = line.strip()
        if said.startswith("Arguments received by "):
            break
        if not said or said == _QUOTES or said.startswith("[["):
            found.append([])
        else:
            found[-1].append(said)
    return [_clean(" ".join(lines)) for lines in found if lines]


def _clean(text: str) -> str:
    for pattern, instead in _CLUTTER:
        text = pattern.sub(instead, text)
    return " ".join(text.split())


def _without_frames(lines: list[str]) -> list[str]:
    """Replace every stack, and the line before it, by an empty line."""
    kept: list[str] = []
    depth = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if _FRAME.match(line):
            while depth is None and kept and not kept[-1].strip():
                kept.pop()
            if depth is None and kept and kept[-1].rstrip().endswith(":"):
                kept.pop()
            depth = indent
        elif depth is None or (line.strip() and indent <= depth):
            if depth is not None:
                kept.append("")
            depth = None
            kept.append(line)
    return kept


def _found(paragraphs: list[str], kind: str) -> tuple[str, str]:
    """The name of the called layer, or an empty text, and the paragraph with the reason."""
    layer = why = ""
    for paragraph in paragraphs:
        why = paragraph.removeprefix(f"{kind}: ")
        called = _CALLING.fullmatch(why)
        if called:
            layer, why = called.group(1), ""
        elif why and not _ANNOUNCES.search(why):
            break
    return layer, why


def _cut(text: str) -> str:
    """A text; if it is long, its beginning up to the end of a word."""
    if len(text) <= LONGEST:
        return text
    return (text[:LONGEST].rpartition(" ")[0] or text[:LONGEST]).rstrip(" ,;") + " ..."
