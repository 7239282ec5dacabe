"""The whole state of an unfinished training, and its file."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

SCHEMA = 1


class Damaged(Exception):
    """A state file differs from what was written; the argument says in which way."""


@dataclass(frozen=True)
class State:
    """Everything that the next step depends on, and the losses of all steps so far.

    Attributes:
        arrays: weights, batch-norm statistics, optimizer slots, range averages and the variables of
            the scheme, by name.
        losses: (steps,) float32, one for each step so far.
        diverged: the step whose loss was not finite, or None.
    """

    arrays: Mapping[str, NDArray[Any]]
    losses: NDArray[np.float32]
    diverged: int | None = None

    @property
    def step(self) -> int:
        """Number of steps done."""
        return len(self.losses)


def pack(state: State) -> bytes:
    """A state as bytes: one line of JSON with a checksum, then a zip of arrays without pickles."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, losses=state.losses, **state.arrays)
    body = buffer.getvalue()
    head = {"schema": SCHEMA, "step": state.step, "diverged": state.diverged}
    rest = json.dumps(head).encode() + b"\n" + body
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def unpack(content: bytes) -> State:
    """Read the state from the bytes that `pack` made.

    Raises:
        Damaged: the checksum or the form is wrong; no part of the content is used.
    """
    expected, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != expected:
        raise Damaged("its checksum is wrong")
    line, _, body = rest.partition(b"\n")
    try:
        head = json.loads(line)
        if head["schema"] != SCHEMA:
            raise Damaged(f"it is of schema {head['schema']}, expected {SCHEMA}")
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return State(arrays, arrays.pop("losses"), head["diverged"])
    except (ValueError, LookupError, TypeError, EOFError, OSError, BadZipFile) as error:
        raise Damaged("its form is wrong") from error
