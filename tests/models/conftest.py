"""A network built as qbench builds it, from a function of shape and classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from qbench.base import device
from qbench.models import MODELS, build_model
from qbench.tasks.classification import Classification

device.start(2)

SHAPE, CLASSES = (8, 8, 1), 10


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A function that registers a builder as `mine` and builds its network."""

    def built(
        builder: Any,
        arguments: Any = None,
        shape: Any = SHAPE,
        classes: int = CLASSES,
        freeze: Sequence[str] = (),
    ) -> Any:
        monkeypatch.setitem(MODELS._items, "mine", builder)
        task = Classification(classes)
        return build_model("mine", arguments or {}, shape, task, freeze=freeze)

    return built
