"""The settings of data sets that are read from image files."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qbench.base import allowed, checks
from qbench.base.setting import Group, setting
from qbench.data.source import Source

METHODS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
FITS = ("stretch", "crop", "pad")
REFUSE, SKIP = "refuse", "skip"
EXAMPLE = "data.split=[0.7,0.1,0.2]"
"""Shares of training, validation and test images, for messages."""


def _shares() -> allowed.Allowed:
    """Shares of training, validation and test images, or of training and test images, or None."""

    def read(key: str, value: Any) -> tuple[float, float, float] | None:
        if value is None:
            return None
        fits = isinstance(value, Sequence) and len(value) in (2, 3) and all(map(_is_share, value))
        if not (fits and math.isclose(sum(value), 1, abs_tol=1e-9) and value[0] and value[-1]):
            raise checks.wrong(
                key,
                value,
                "null, or the shares of training, validation and test images (or of training and"
                " test images), of which training and test are above 0 and all add up to 1, such as"
                " [0.7,0.1,0.2]",
            )
        train, *middle, test = map(float, value)
        return train, sum(middle), test

    return allowed.Allowed(read, lambda: "list of two or three shares, or null", "list")


def _channels() -> allowed.Allowed:
    """1 for grey images, 3 for colour."""

    def read(key: str, value: Any) -> int:
        if type(value) is not int or value not in (1, 3):
            raise checks.wrong(key, value, "1 (grey) or 3 (colour)")
        return value

    return allowed.Allowed(read, lambda: "1, 3")


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


@dataclass(frozen=True, kw_only=True)
class Options(Group, prefix="data"):
    """How image files become a data set; docs/data.md describes each.

    Attributes:
        split: shares of training, validation and test images; None if the files are divided
            already.
    """

    resolution: int | None = setting(None, check=allowed.whole(1, 1024).or_null, help="")
    channels: int = setting(3, check=_channels(), help="")
    resize: str = setting("bilinear", check=allowed.one_of(METHODS), help="")
    fit: str = setting("stretch", check=allowed.one_of(FITS), help="")
    background: int = setting(0, check=allowed.whole(0, 255), help="")
    split: tuple[float, float, float] | None = setting(None, check=_shares(), help="")
    split_seed: int = setting(0, check=allowed.whole(0, 2**31 - 1), help="")
    damaged: str = setting(REFUSE, check=allowed.one_of((REFUSE, SKIP)), help="")
    flip: bool = setting(True, check=allowed.switch(), help="")


def with_options(*without: str) -> Callable[[Callable[..., Source]], Callable[..., Source]]:
    """A decorator for a function (folder, options, *, ...) that makes a `Source`.

    The result takes the folder, and by name the fields of `Options` and the function's own
    arguments, so that all of them are settings of its data set.

    Args:
        *without: fields of `Options` that the data set does not have.
    """

    def decorate(function: Callable[..., Source]) -> Callable[..., Source]:
        names = [one.name for one in fields(Options) if one.name not in without]
        folder, _, *own = inspect.signature(function).parameters.values()

        @functools.wraps(function)
        def make(place: Path | None, **arguments: Any) -> Source:
            options = {name: arguments.pop(name) for name in names if name in arguments}
            return function(place, Options(**options), **arguments)

        shared = [
            inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default)
            for one in fields(Options)
            if one.name in names
        ]
        make.__signature__ = inspect.Signature([folder, *own, *shared])  # type: ignore[attr-defined]
        return make

    return decorate
