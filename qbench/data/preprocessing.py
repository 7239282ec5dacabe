"""Preprocessing of images for the network, at their own size unless `data.resolution` is set.

Every preprocessing maps each pixel by itself: (pixel - mean) / deviation, with numbers for each
channel. `preprocess_input` of a Keras application is one of them (`keras:MobileNetV2`).

With `data.slim_image_size` images are first enlarged and cropped as slim does it
(`qbench.data.slim`).

Sources: the numbers of the slim preprocessings `vgg` and `inception` that Kwasniewska et al. 2019
used; `keras.applications.imagenet_utils`, whose modes `tf`, `torch` and `caffe` are `inception`,
`imagenet_torch` and `imagenet_caffe` here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.registry import Registry, nearest
from qbench.data.dataset import Dataset
from qbench.data.keras_applications import APPLICATIONS
from qbench.data.slim import SLIM
from qbench.data.statistics import Statistics, statistics_of

# Of ImageNet, red, green, blue: slim's and Caffe's means on 0..255, and torchvision's on 0..1.
CHANNEL_MEANS = (123.68, 116.78, 103.94)
_CAFFE_MEANS = (123.68, 116.779, 103.939)
_TORCH_MEANS, _TORCH_DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KERAS = "keras:"


@dataclass(frozen=True)
class Preprocessing:
    """A way to turn images into the network's input.

    Attributes:
        scale: images (B, H, W, C), uint8 or float32 in [0, 255] -> float32 network input. If it is
            measured, it takes the statistics of the training images as a second argument.
        augment: the augmentation that comes with it, a name in
            `qbench.data.augmentation.AUGMENTATIONS`.
        measured: whether `scale` takes the statistics.
        pixel: the number c, if the input for every pixel p is c p; None if it is not. An integer
            file can take raw pixels then: their codes are the codes of the input.
    """

    scale: Callable[..., Any]
    augment: str = "crop_flip"
    measured: bool = False
    pixel: float | None = None


class _Preprocessings(Registry[Preprocessing]):
    """The table of preprocessings, in which `keras:APPLICATION` is a name too."""

    def accepts(self, name: Any) -> bool:
        """Whether a name stands for a preprocessing."""
        if isinstance(name, str) and name.startswith(KERAS):
            return name.removeprefix(KERAS) in APPLICATIONS
        return super().accepts(name)

    def refers_outside(self, name: object) -> bool:
        """Whether a name refers to code from outside."""
        return super().refers_outside(name) and not str(name).startswith(KERAS)

    def __getitem__(self, name: str) -> Preprocessing:
        """The preprocessing with this name; see `Registry`."""
        if not name.startswith(KERAS):
            return super().__getitem__(name)
        check_name(self.key, name)
        # slim's augmentation belongs to slim's name only.
        return replace(super().__getitem__(canonical(name)), augment="crop_flip")


PREPROCESSING: Registry[Preprocessing] = _Preprocessings("data.preprocessing", Preprocessing)


def check_name(key: str, name: str) -> None:
    """Check the name of an application in `keras:APPLICATION`; any other text passes.

    Raises:
        QbenchError: Keras has no such application.
    """
    application = name.removeprefix(KERAS)
    if name.startswith(KERAS) and application not in APPLICATIONS:
        raise QbenchError(
            f"{key}={name} is not allowed: expected {KERAS} and the name of a network of"
            f" keras.applications, such as {KERAS}MobileNetV2.{nearest(application, APPLICATIONS)}"
        )


def canonical(name: str) -> str:
    """The name of the preprocessing that computes the same; names in identities are these."""
    return APPLICATIONS[name.removeprefix(KERAS)] if name.startswith(KERAS) else name


class Sized(Protocol):
    """The settings of the size of the network's input; one of the two at most is set."""

    @property
    def resolution(self) -> int | None:
        """The side that images are resized to."""

    @property
    def slim_image_size(self) -> int | None:
        """The side of the images that slim's preprocessing makes."""


class Chosen(Sized, Protocol):
    """The settings of the network's input, as the group `data` has them."""

    @property
    def preprocessing(self) -> str:
        """A name in PREPROCESSING."""

    @property
    def validation(self) -> float | None:
        """See `qbench.data.validation`."""

    @property
    def validation_seed(self) -> int:
        """See `qbench.data.validation`."""


@dataclass(frozen=True)
class Preparation:
    """Turns images into the input of a network.

    Attributes:
        preprocessing: a name in PREPROCESSING.
        resolution: the side that images are resized to; None for their own size.
        statistics: the statistics of the training images, if the preprocessing needs them.
        slim_image_size: the side of the images that slim's preprocessing makes of them, as in
            evaluation; not together with a resolution.
    """

    preprocessing: str
    resolution: int | None = None
    statistics: Statistics | None = None
    slim_image_size: int | None = None

    def __call__(self, images: Any, whole: bool = False) -> Any:
        """The network input of images (B, H, W, C), uint8 or float32 in [0, 255], as float32.

        The shape is (B, side, side, C) with a resolution or a slim_image_size, else (B, H, W, C).
        With `whole` the pixels are rounded first, as in `pixels`.
        """
        images = self.pixels(images) if whole else self._sized(images)
        chosen = PREPROCESSING[self.preprocessing]
        return chosen.scale(images, self.statistics) if chosen.measured else chosen.scale(images)

    def pixels(self, images: Any) -> Any:
        """The raw pixels (B, ...) uint8 of the image that the network reads: rounded, half up."""
        import tensorflow as tf

        images = self._sized(images)
        if images.dtype == np.uint8:
            return images
        return tf.cast(tf.clip_by_value(tf.floor(images + 0.5), 0.0, 255.0), tf.uint8)

    def _sized(self, images: Any) -> Any:
        """The images at the size that the network reads."""
        if self.slim_image_size is not None:
            return SLIM[self.preprocessing].evaluate(images, self.slim_image_size)
        return images if self.resolution is None else resized(images, self.resolution)


def preparation(chosen: Chosen, data: Dataset) -> Preparation:
    """The preparation of images with these settings.

    Args:
        chosen: the settings.
        data: the data, without the validation images.

    Raises:
        QbenchError: see `qbench.data.statistics.statistics_of`.
    """
    measured = PREPROCESSING[chosen.preprocessing].measured
    statistics = statistics_of(data) if measured else None
    return Preparation(chosen.preprocessing, chosen.resolution, statistics, chosen.slim_image_size)


def network_input(images: Any, preprocessing: str, resolution: int | None) -> Any:
    """The result of a `Preparation` that needs no statistics."""
    return Preparation(preprocessing, resolution)(images)


def side_of(chosen: Sized) -> int | None:
    """The side of the square images that the network reads; None for the images' own size."""
    return chosen.slim_image_size or chosen.resolution


def input_shape(shape: Sequence[int], side: int | None) -> tuple[int, int, int]:
    """The shape of the network's input for an image of shape (height, width, channels)."""
    height, width, channels = shape
    return (side or height, side or width, channels)


def resized(images: Any, side: int) -> Any:
    """Resize images (B, H, W, C) to (B, side, side, C) float32, bilinear with antialiasing.

    The method is that of `tf.image.resize(antialias=True)`, but computed with two matrix products,
    which every device and XLA support.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    rows, columns = (tf.constant(_mixing(n, side), tf.float32) for n in (height, width))
    return tf.einsum("rh,bhwc,sw->brsc", rows, tf.cast(images, tf.float32), columns)


def _mixing(old: int, new: int) -> NDArray[np.float64]:
    """(new, old) weights of the old pixels in each new pixel: a triangle around its centre."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis])
    shares = np.maximum(0.0, 1.0 - distances / max(scale, 1.0))
    result: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return result


def _of_channels(values: Sequence[float], channels: int) -> Any:
    """A number for each channel: of colour images its own, of others the mean of the three."""
    import tensorflow as tf

    grey = (sum(values) / 3,) * channels
    return tf.constant(values if channels == 3 else grey, tf.float32)


def _float(images: Any) -> Any:
    """The pixels as they are, 0 to 255."""
    import tensorflow as tf

    return tf.cast(images, tf.float32)


def _unit(images: Any) -> Any:
    """Rescale [0, 255] to [0, 1]."""
    return _float(images) / 255.0


def _vgg(images: Any) -> Any:
    """Subtract the channel means (grey: their mean); no division."""
    return _float(images) - _of_channels(CHANNEL_MEANS, images.shape[-1])


def _inception(images: Any) -> Any:
    """Rescale [0, 255] to [-1, 1]."""
    return _float(images) / 127.5 - 1.0


def _torch(images: Any) -> Any:
    """Rescale to [0, 1], subtract means and divide by deviations (grey: means of the three)."""
    channels = images.shape[-1]
    centred = _unit(images) - _of_channels(_TORCH_MEANS, channels)
    return centred / _of_channels(_TORCH_DEVIATIONS, channels)


def _caffe(images: Any) -> Any:
    """Subtract means (grey: their mean); the channels of colour images become blue, green, red."""
    channels = images.shape[-1]
    centred = _float(images) - _of_channels(_CAFFE_MEANS, channels)
    return centred[..., ::-1] if channels == 3 else centred


def _standardized(images: Any, statistics: Statistics) -> Any:
    """Subtract the mean and divide by the standard deviation of the training images' channel."""
    import tensorflow as tf

    mean = tf.constant(statistics.mean, tf.float32)
    return (_float(images) - mean) / tf.constant(statistics.deviation, tf.float32)


PREPROCESSING.add("vgg", Preprocessing(_vgg, "slim_vgg"))
PREPROCESSING.add("inception", Preprocessing(_inception, "slim_inception"))
PREPROCESSING.add("none", Preprocessing(_float, pixel=1.0))
PREPROCESSING.add("scale", Preprocessing(_unit, pixel=1 / 255))
PREPROCESSING.add("imagenet_torch", Preprocessing(_torch))
PREPROCESSING.add("imagenet_caffe", Preprocessing(_caffe))
PREPROCESSING.add("mean_std", Preprocessing(_standardized, measured=True))
