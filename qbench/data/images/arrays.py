"""Images that are already arrays, prepared as files are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qbench.base.errors import QbenchError
from qbench.data.images.options import Options
from qbench.data.images.resizing import as_array, resized


def prepared(
    image: NDArray[Any], shape: tuple[int, int, int], options: Options
) -> NDArray[np.uint8]:
    """An image of the shape of its data set.

    Args:
        image: (height, width, 1 or 3) uint8.
        shape: (height, width, channels) of the result.
        options: how images are resized.

    Raises:
        QbenchError: the image has another form, or another size and there is no resolution.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise QbenchError(
            f"an image is {image.dtype} of shape {image.shape}; expected uint8 of shape (height,"
            " width, 1) or (height, width, 3)"
        )
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture = picture.convert("RGB" if shape[2] == 3 else "L")
    if options.resolution is not None:
        how = options.fit, options.resize, options.background
        picture = resized(picture, options.resolution, *how)
    elif image.shape[:2] != shape[:2]:
        raise QbenchError(f"an image has the shape {image.shape}, and another one {shape}")
    return as_array(picture)
