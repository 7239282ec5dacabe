"""Describes and reads arrays from code outside qbench."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_WORDS = {"U": "text", "S": "bytes", "O": "objects"}


class Shaped(Protocol):
    """What has a dtype and a shape as an array has."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its values."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of its dimensions."""


def said(array: Shaped) -> str:
    """The dtype and the shape of an array, as text for a message."""
    word = _WORDS.get(array.dtype.kind)
    return f"{f'{word} ({array.dtype})' if word else array.dtype} of shape {array.shape}"


def real_numbers(array: NDArray[Any]) -> NDArray[Any] | None:
    """The array if it holds real numbers, else None; types that numpy lacks become float32."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "V" and np.can_cast(array.dtype, np.float32):  # bfloat16 and smaller
        return array.astype(np.float32)
    return None
