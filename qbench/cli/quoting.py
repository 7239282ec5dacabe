"""Quotes a text for the command line, so that the shell and Hydra return it unchanged."""

from __future__ import annotations

import re
import shlex

from hydra.core.override_parser.types import Quote, QuotedString

_REFERENCE = re.compile(r"(\\*)\$\{")
_WHOLE_REFERENCE = re.compile(r"\$\{[\w.:/,@-]+\}")


def in_shell(key: str, text: str, literal: bool = False) -> str:
    """`key=text` for a POSIX shell, in the shortest quoting.

    Args:
        key: the key of the setting.
        text: its value; `${...}` in it stands for the value of another setting, as in Hydra.
        literal: whether `${...}` stands for these characters themselves.
    """
    forms = [f"{key}={in_hydra(text, quote, literal)}" for quote in (Quote.double, Quote.single)]
    typed = [shlex.quote(form) for form in forms]
    # In double quotes a shell interprets "$" and "`", and an interactive shell also "!".
    typed += [_in_double_quotes(form) for form in forms if not set("!$`") & set(form)]
    return min(typed, key=len)


def in_hydra(text: str, quote: Quote = Quote.double, literal: bool = False) -> str:
    """A text as a quoted value of an override; see `in_shell` for the arguments."""
    if literal or "${" in _WHOLE_REFERENCE.sub("", text):
        text = in_configuration(text)
    return QuotedString(text=text, quote=quote).with_quotes()


def in_configuration(text: str) -> str:
    """A text as a value of a configuration, with `${...}` escaped so that OmegaConf keeps it."""
    return _REFERENCE.sub(r"\1\1\\${", text)


def _in_double_quotes(text: str) -> str:
    return '"' + re.sub(r'([\\"])', r"\\\1", text) + '"'
