"""The names of qbench's own networks that need no argument of their own."""

from __future__ import annotations

import inspect

from qbench.models import MODELS


def _needs_more(name: str) -> bool:
    _, _, *others = inspect.signature(MODELS[name]).parameters.values()
    return any(one.default is one.empty and one.kind is not one.VAR_KEYWORD for one in others)


SHIPPED = [name for name in MODELS.names() if not _needs_more(name)]
