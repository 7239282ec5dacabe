"""Decodes images into a file, block by block, in several threads.

A block that is in the file is noted with its checksum in a second file. If the process is killed,
the next one checks these blocks and decodes only the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

BLOCK_BYTES = 1 << 22

Decode = Callable[[int], NDArray[np.uint8]]
Span = tuple[int, int]


class Undecodable(Exception):
    """One image cannot be decoded; the argument is the reason. The image becomes zeros."""


@dataclass(frozen=True)
class Filled:
    """What is known of a complete file.

    Attributes:
        digest: SHA-256 of all bytes.
        failed: the reasons of images that cannot be decoded, by index; their bytes are zeros.
    """

    digest: str
    failed: dict[int, str]


@dataclass(frozen=True)
class _Block:
    """The images of one span, and the line of the second file."""

    images: bytes | memoryview
    noted: dict[str, Any]
    is_new: bool


def fill(handle: int, progress: Path, count: int, shape: tuple[int, ...], decode: Decode) -> Filled:
    """Decode all images that are not yet in a file; show a progress bar on a terminal.

    Args:
        handle: the file, of its final size, open for reading and writing.
        progress: the file that notes blocks.
        count: the number of images.
        shape: the shape of an image.
        decode: returns one image; called in several threads.

    Raises:
        OSError: the file cannot be written.
        Exception: the first exception of `decode`, except Undecodable.
    """
    noted = _noted(progress)
    size = int(np.prod(shape))
    step = max(1, BLOCK_BYTES // size)
    spans = [(first, min(first + step, count)) for first in range(0, count, step)]
    digest, failed = hashlib.sha256(), dict[int, str]()

    def block(span: Span) -> _Block:
        kept = _kept(handle, span, size, noted.get(span))
        return kept or _decoded(handle, span, shape, decode)

    with (
        progress.open("ab", buffering=0) as file,
        tqdm(total=count, desc="decoding", unit="img", leave=False, disable=None) as bar,
    ):
        for done, (first, end) in zip(_in_order(block, spans), spans, strict=True):
            digest.update(done.images)
            failed |= {int(index): reason for index, reason in done.noted["failed"].items()}
            if done.is_new:
                file.write(b"\n" + json.dumps(done.noted).encode())
            bar.update(end - first)
    return Filled(digest.hexdigest(), failed)


def _in_order(work: Callable[[Span], _Block], spans: list[Span]) -> Iterator[_Block]:
    """The results of work in several threads, in order; few are held at once."""
    threads = len(os.sched_getaffinity(0))
    waiting: deque[Future[_Block]] = deque()
    pool = ThreadPoolExecutor(threads, "decoding")
    try:
        for span in spans:
            waiting.append(pool.submit(work, span))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _noted(progress: Path) -> dict[Span, dict[str, Any]]:
    """The blocks that are noted; a line that a killed process has not completed is left out."""
    blocks: dict[Span, dict[str, Any]] = {}
    try:
        lines = progress.read_bytes().splitlines()
    except FileNotFoundError:
        return blocks
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            one = json.loads(line)
            blocks[one["first"], one["end"]] = one
    return blocks


def _kept(handle: int, span: Span, size: int, noted: dict[str, Any] | None) -> _Block | None:
    """A block from the file, if it was noted and is undamaged."""
    if noted is None:
        return None
    content = os.pread(handle, (span[1] - span[0]) * size, span[0] * size)
    return _Block(content, noted, False) if zlib.crc32(content) == noted.get("crc") else None


def _decoded(handle: int, span: Span, shape: tuple[int, ...], decode: Decode) -> _Block:
    """A new block, which is written into the file."""
    first, end = span
    images = np.zeros((end - first, *shape), np.uint8)
    failed = {}
    for index in range(first, end):
        try:
            image = decode(index)
        except Undecodable as error:
            failed[str(index)] = str(error)
            continue
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(
                f"image {index}: decoded as {image.dtype} of shape {image.shape}; expected uint8 of"
                f" shape {shape}"
            )
        images[index - first] = image
    content = images.reshape(-1).data
    _write(handle, content, first * images[0].size)
    noted = {"first": first, "end": end, "crc": zlib.crc32(content), "failed": failed}
    return _Block(content, noted, True)


def _write(handle: int, content: memoryview, offset: int) -> None:
    while content:
        written = os.pwrite(handle, content, offset)
        content, offset = content[written:], offset + written
