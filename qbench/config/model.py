"""The group `model`: the network and the weights that its training begins with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qbench.base import allowed
from qbench.base.errors import QbenchError
from qbench.base.model_names import (
    FILE_KEY,
    HEADS,
    IMAGENET,
    KERAS_APPLICATION,
    KERAS_FILE,
    NO_WEIGHTS,
    WEIGHTS_KEY,
)
from qbench.base.setting import Group, setting


@dataclass(frozen=True, kw_only=True)
class Model(Group, prefix="model"):
    """`model`: the name of a builder, its arguments, and the weights that training begins with."""

    name: str = setting(
        check=allowed.name(registry="model.name"),
        help="the name of the function that builds the network; choose it with `model=NAME`, or"
        " your own ([docs](own.md)) with `model=FILE.py:FUNCTION`",
    )
    weights: str | None = setting(
        None,
        check=allowed.file("none", "imagenet").or_null,
        neutral=None,
        applies=lambda model: model.begins_trained or model.name == KERAS_FILE,
        help="the [trained weights](weights.md) that training begins with: a file (`.keras`,"
        " `.weights.h5`, `.h5`) or the folder of a run. `imagenet`: those of the Keras application."
        " `none`: new weights. Null: new weights, but with `model=FILE.keras` those of the file",
    )
    weights_strict: bool = setting(
        True,
        check=allowed.switch(),
        neutral=True,
        applies=lambda model: model.file is not None,
        help="refuse weights unless every layer matches, except a new head. False: layers without a"
        " match begin with new weights",
    )
    head: str = setting(
        "keep",
        check=allowed.one_of(HEADS),
        neutral="keep",
        applies=lambda model: model.begins_trained or model.name == KERAS_FILE,
        help="`new`: the last layer with weights begins with new weights; with `model=FILE.keras`"
        " it also gets the number of outputs that the data need",
    )
    freeze: tuple[str, ...] = setting(
        (),
        check=allowed.patterns(),
        neutral=(),
        help="names of [layers that are not trained](weights.md#frozen-layers), such as"
        " `[stem,stage1_*]`",
    )
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the values, and that there are such weights for this network."""
        super().__post_init__()
        if self.weights == IMAGENET and self.name != KERAS_APPLICATION:
            raise QbenchError(
                f"{WEIGHTS_KEY}={IMAGENET}: only model={KERAS_APPLICATION} has such weights; give a"
                " file."
            )

    @property
    def file(self) -> tuple[str, str] | None:
        """Key and path of the weights that training begins with; None without a file."""
        if self.weights is None and self.name == KERAS_FILE:
            return FILE_KEY, str(self.arguments.get("file", ""))
        if self.weights in (None, NO_WEIGHTS, IMAGENET):
            return None
        return WEIGHTS_KEY, str(self.weights)

    @property
    def begins_trained(self) -> bool:
        """Whether training begins with trained weights."""
        return self.weights == IMAGENET or self.file is not None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the building of the network depends on, for `build_model`."""
        return {"weights": self.weights, "head": self.head, "freeze": self.freeze}

    @property
    def files(self) -> dict[str, str]:
        """The files whose content the network or its first weights depend on, by key."""
        found = dict([self.file] if self.file else [])
        if self.name == KERAS_FILE:
            found[FILE_KEY] = str(self.arguments.get("file", ""))
        return found

    @property
    def start(self) -> dict[str, Any]:
        """What says which weights training begins with, for `qbench.models.start.start_of`."""
        return {"file": self.file, "head": self.head, "strict": self.weights_strict}

    def as_key(self) -> str:
        """A text that is equal for equal models."""
        parts = [self.name, self.arguments, list(self.settings.items())]
        return json.dumps(parts, sort_keys=True, default=list)
