"""The pixels of an image file, which nobody has to trust.

Only five formats are opened, and no more pixels are decoded than `LARGEST`. Of an animation the
first frame counts. The rules for pixels are in docs/data.md.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from qbench.data.cache import Undecodable
from qbench.data.images.contents import FORMATS

LARGEST = 2 * 89_478_485
"""The most pixels that an image may have; Pillow refuses larger ones too."""

_SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
_ROTATED = (5, 6, 7, 8)  # orientations of EXIF that exchange width and height
_ORIENTATION = 0x0112
_NO_MEMORY = "out of memory"


@contextmanager
def quietly() -> Iterator[None]:
    """A context in which Pillow does not warn; what is wrong is raised.

    Filters of warnings belong to the process, so the thread that starts others enters it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decoded(content: bytes, channels: int, background: int) -> Image.Image:
    """The image of a file, upright, of 8 bits.

    Args:
        content: the bytes of the file.
        channels: 3 for the mode RGB, 1 for the mode L.
        background: the grey behind transparent pixels, 0 to 255.

    Raises:
        Undecodable: its argument is a kind of problem, a colon and what is wrong.
        MemoryError: there is too little memory; this says nothing about the file.
    """
    try:
        image = _opened(content)
        image.load()
        image = ImageOps.exif_transpose(image)
        image = _on_background(_eight_bits(image, background), background)
        return image.convert("RGB" if channels == 3 else "L")
    except (Undecodable, MemoryError):
        raise
    except Exception as error:  # Pillow raises errors of many types for damaged files
        raise _wrong(error) from error


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height of the upright image, from the header; raises what `decoded` raises."""
    try:
        image = _opened(content)
        width, height = image.size
        rotated = image.getexif().get(_ORIENTATION) in _ROTATED
    except (Undecodable, MemoryError):
        raise
    except Exception as error:
        raise _wrong(error) from error
    return (height, width) if rotated else (width, height)


def _wrong(error: Exception) -> Exception:
    """What an error of Pillow says; some of its decoders say that memory is full as an OSError."""
    said = _said(error)
    return MemoryError(said) if _NO_MEMORY in said else Undecodable(f"damaged: {said}")


def _opened(content: bytes) -> Image.Image:
    """The image whose header was read; no pixel is decoded."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise Undecodable(f"too large: more than {LARGEST:,} pixels") from error
    width, height = image.size
    if width * height > LARGEST:
        raise Undecodable(f"too large: {width:,} x {height:,} pixels, at most {LARGEST:,}")
    return image


def _eight_bits(image: Image.Image, background: int) -> Image.Image:
    """The upper 8 bits of 16. Pillow does so with 16-bit colour, but it would clip 16-bit grey."""
    if image.mode not in _SIXTEEN:
        return image
    values = np.asarray(image).astype(np.uint16)
    grey = (values >> 8).astype(np.uint8)
    if isinstance(hidden := image.info.get("transparency"), int):
        grey[values == hidden] = background
    return Image.fromarray(grey)


def _on_background(image: Image.Image, background: int) -> Image.Image:
    """The image without transparency."""
    if not image.has_transparency_data:
        return image
    behind = Image.new("RGBA", image.size, (background,) * 3 + (255,))
    return Image.alpha_composite(behind, image.convert("RGBA"))


def _said(error: Any) -> str:
    return " ".join(str(error).split()).removesuffix(".")[:120] or type(error).__name__
