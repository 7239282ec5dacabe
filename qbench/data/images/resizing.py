"""Images at the resolution of a data set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_METHODS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resized(image: Image.Image, side: int, fit: str, method: str, background: int) -> Image.Image:
    """A square image.

    All methods except `nearest` average over the pixels that become one pixel.

    Args:
        image: an image of mode RGB or L.
        side: the side of the result in pixels.
        fit: `stretch` scales both sides; `crop` scales the largest square in the middle; `pad`
            scales the whole image with its aspect ratio and puts it in the middle of a background.
        method: the method of scaling.
        background: the grey of the background, 0 to 255.
    """
    chosen, (width, height) = _METHODS[method], image.size
    if fit == "crop":
        short = min(width, height)
        left, top = (width - short) // 2, (height - short) // 2
        image = image.crop((left, top, left + short, top + short))
    if fit != "pad" or width == height:
        return _scaled(image, (side, side), chosen)
    long = max(width, height)
    inner = tuple(max(1, (2 * side * one + long) // (2 * long)) for one in (width, height))
    result = Image.new(image.mode, (side, side), _grey(image.mode, background))
    place = ((side - inner[0]) // 2, (side - inner[1]) // 2)
    result.paste(_scaled(image, (inner[0], inner[1]), chosen), place)
    return result


def _scaled(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    return image if image.size == size else image.resize(size, method)


def _grey(mode: str, value: int) -> int | tuple[int, ...]:
    return value if mode == "L" else (value,) * 3


def as_array(image: Image.Image) -> NDArray[np.uint8]:
    """(height, width, channels) uint8 of an image of mode RGB or L."""
    array = np.asarray(image)
    return array[..., np.newaxis] if array.ndim == 2 else array
