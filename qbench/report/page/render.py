"""Renders the page from its data."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qbench.base.plain import one_line
from qbench.report.page.view import Page

_PACKAGE = "qbench.report.page"


def render(page: Page) -> str:
    """The page as HTML: equal data give equal texts."""
    script = _asset("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            script=Markup(script),
            script_hash=_hash(script),
            style=Markup(_asset("style.css")),
            dark=Markup(_asset("dark.css")),
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_in_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _in_one_line(value: Any) -> Any:
    """Text from people stays in its line and cannot turn the text around it."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _asset(name: str) -> str:
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The hash by which the page allows its own script and no other."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{b64encode(digest).decode()}"
