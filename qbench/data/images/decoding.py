"""The pixels of an image file, which nobody has to trust.

Only five formats are opened, and no more pixels are decoded than `LARGEST`. All threads together
hold at most `IN_FLIGHT` pixels, or one larger image. Of an animation the first frame counts. The
rules for pixels are in docs/data.md.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from qbench.data.cache import Undecodable
from qbench.data.images.budget import Budget
from qbench.data.images.contents import FORMATS

LARGEST = 2 * 89_478_485
"""The most pixels that an image may have; Pillow refuses larger ones too."""

IN_FLIGHT = 1 << 26
"""Pixels of images that are decoded at once; a pixel takes up to 20 bytes."""

_PIXELS = Budget(IN_FLIGHT)
_COLOUR_OF_SIXTEEN = "RGB;16B"
_LOWER_BYTES = "RGB;16L"  # for Pillow the upper bytes of values whose lower byte comes first
_GREY_BITS = {"L;2": 2, "L;4": 4}
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


@contextmanager
def decoded(content: bytes, channels: int, background: int) -> Iterator[Image.Image]:
    """A context with the image of a file, upright, of 8 bits. It waits for room for the pixels.

    Args:
        content: the bytes of the file.
        channels: 3 for the mode RGB, 1 for the mode L.
        background: the grey behind transparent pixels, 0 to 255.

    Raises:
        Undecodable: its argument is a kind of problem, a colon and what is wrong.
        MemoryError: there is too little memory; this says nothing about the file.
    """
    with _in_words():
        image = _opened(content)
    with _PIXELS.taken(image.width * image.height):
        with _in_words():
            found = _pixels(image, content, channels, background)
        yield found


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height of the upright image, from the header; raises what `decoded` raises."""
    with _in_words():
        image = _opened(content)
        width, height = image.size
        rotated = image.getexif().get(_ORIENTATION) in _ROTATED
    return (height, width) if rotated else (width, height)


@contextmanager
def _in_words() -> Iterator[None]:
    """Turns the errors of Pillow, which have many types, into those of `decoded`."""
    try:
        yield
    except (Undecodable, MemoryError):
        raise
    except Exception as error:
        raise _wrong(error) from error


def _wrong(error: Exception) -> Exception:
    """What an error of Pillow says; some of its decoders say that memory is full as an OSError."""
    said = _said(error)
    return MemoryError(said) if _NO_MEMORY in said else Undecodable(f"damaged: {said}")


def _opened(content: bytes) -> ImageFile.ImageFile:
    """The image whose header was read; no pixel is decoded."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise Undecodable(f"too large: more than {LARGEST:,} pixels") from error
    except UnidentifiedImageError as error:  # its text has the address of an object
        raise Undecodable("damaged: cannot identify image file") from error
    width, height = image.size
    if width * height > LARGEST:
        raise Undecodable(f"too large: {width:,} x {height:,} pixels, at most {LARGEST:,}")
    return image


def _pixels(
    image: ImageFile.ImageFile, content: bytes, channels: int, background: int
) -> Image.Image:
    """The image upright, of 8 bits and without transparency."""
    stored = image.tile[0].args if image.format == "PNG" and image.tile else None
    image.load()
    if "transparency" in image.info:
        _show_hidden(image, content, stored, background)
    upright = ImageOps.exif_transpose(image)
    opaque = _on_background(_eight_bits(upright, background), background)
    return opaque.convert("RGB" if channels == 3 else "L")


def _show_hidden(image: Image.Image, content: bytes, stored: Any, background: int) -> None:
    """Correct the transparent colour of a PNG file, which is given in the bits of the file.

    Pillow compares it with pixels of 8 bits. Bits of it beyond those of the file do not count.

    Args:
        image: the loaded image.
        content: the bytes of its file.
        stored: Pillow's name for the form of the pixels in a PNG file; None for another file.
        background: the grey in place of the colour, if it has 16 bits.
    """
    hidden = image.info["transparency"]
    if stored == _COLOUR_OF_SIXTEEN:
        high, low = np.asarray(image), np.asarray(_lower_bytes(content))
        wanted = np.array(hidden, np.uint16)
        found = np.all((high == wanted >> 8) & (low == wanted & 255), axis=-1)
        image.paste((background,) * 3, mask=Image.fromarray(found))
        del image.info["transparency"]
    elif stored == "RGB":
        image.info["transparency"] = tuple(value & 255 for value in hidden)
    elif stored in ("L", *_GREY_BITS):
        largest = 2 ** _GREY_BITS.get(stored, 8) - 1
        image.info["transparency"] = (hidden & largest) * (255 // largest)


def _lower_bytes(content: bytes) -> Image.Image:
    """The lower 8 bits of a PNG file with colours of 16 bits."""
    image = _opened(content)
    image.tile = [type(tile)(*tile[:3], _LOWER_BYTES) for tile in image.tile]
    image.load()
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
