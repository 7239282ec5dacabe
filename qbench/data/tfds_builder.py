"""Data sets of TensorFlow Datasets by name, with the extra `tfds`."""

from __future__ import annotations

import hashlib
import importlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.base.reasons import summary
from qbench.data.hashing import alike
from qbench.data.images.division import TEST, TRAIN, VALIDATION, divided
from qbench.data.images.options import EXAMPLE, Options, with_options
from qbench.data.reading import Pair, Parts
from qbench.data.source import DATASETS, Source

_IMAGE, _LABEL = "image", "label"


@DATASETS.register("tfds")
@with_options("damaged")
def tfds_builder(
    folder: Path | None,
    options: Options,
    *,
    dataset: str | None = None,
    splits: Sequence[str] = ("train", "test"),
    download: bool = False,
) -> Source:
    """A data set with the features `image` and `label`; all images are read into memory.

    Args:
        folder: the folder of TensorFlow Datasets; its own default if None.
        options: the settings of images.
        dataset: the name of the data set, such as `cifar10` or `cifar10:3.0.2`.
        splits: the names of the training, the test and perhaps the validation split, or parts of
            them such as `train[:80%]`; one name with `data.split`.
        download: whether a data set that is not prepared is downloaded and prepared.
    """
    if not isinstance(dataset, str) or not dataset:
        raise QbenchError(
            "data=tfds: data.dataset names the data set, such as data.dataset=cifar10."
        )
    where = f"data.dataset={dataset}"
    _check_splits(splits, options)
    library = _library()
    place = None if folder is None else str(folder)
    builder = _called(where, library.builder, dataset, data_dir=place)
    shape, names, classes = _features(where, builder.info, options)
    lacking = [one for name in splits for one in _named(name) if one not in builder.info.splits]
    if lacking and not download:
        has = ", ".join(builder.info.splits) or "none, because it is not prepared"
        raise QbenchError(
            f"{where}: has no split {lacking[0]} in {builder.data_dir} (it has {has}); name others"
            " in data.splits=[train,test], or prepare it with data.download=true."
        )

    def read(folder: Path | None) -> Parts:
        if download:
            _called(where, builder.download_and_prepare)
        parts = [_apart(_split, where, dataset, place, name, shape, options) for name in splits]
        if options.split:
            found = _divided(where, *parts[0], options)
        else:
            found = Parts(parts[0], parts[1], parts[2] if len(parts) > 2 else None)
        return replace(found, alike=alike(found.train[0]))

    return Source(shape, classes, options.flip, read, {}, class_names=names)


def _named(split: str) -> list[str]:
    """The splits that `train[:80%]+test` is made of; `all` stands for those that there are."""
    named = [part.partition("[")[0].strip() for part in split.split("+")]
    return [name for name in named if name != "all"]


def _check_splits(splits: Any, options: Options) -> None:
    numbers = (1,) if options.split else (2, 3)
    fits = isinstance(splits, list | tuple) and all(isinstance(name, str) for name in splits)
    if not fits or len(splits) not in numbers:
        raise QbenchError(
            f"data.splits={splits}: expected the names of the training, the test and perhaps the"
            f" validation split; or one name, which {EXAMPLE} divides."
        )


def _library() -> Any:
    """The library; TensorFlow is imported first, without its messages."""
    device.import_tensorflow()
    try:
        return importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        raise QbenchError(
            "data=tfds: TensorFlow Datasets is not installed; install it with: pip install"
            " 'qbench-qat[tfds]'."
        ) from error


def _called(where: str, function: Any, *given: Any, **named: Any) -> Any:
    """The result of a function of the library; QbenchError for whatever it raises."""
    try:
        return function(*given, **named)
    except Exception as error:
        raise QbenchError(
            f"{where}: TensorFlow Datasets refuses it ({summary(error).rstrip('.')[:200]})."
        ) from error


def _features(
    where: str, info: Any, options: Options
) -> tuple[tuple[int, int, int], tuple[str, ...], int]:
    """Shape of an image, names and number of classes."""
    features = info.features
    if features is None or not {_IMAGE, _LABEL} <= set(features):
        has = ", ".join(features or ()) or "none"
        raise QbenchError(f"{where}: its features are {has}; expected image and label.")
    label = features[_LABEL]
    classes = getattr(label, "num_classes", None)
    if not classes:
        raise QbenchError(f"{where}: its label is no class; expected one class for each image.")
    height, width, _ = features[_IMAGE].shape
    side = options.resolution
    if side is None and None in (height, width):
        raise QbenchError(
            f"{where}: its images have several sizes; set data.resolution, for example"
            " data.resolution=64."
        )
    names = tuple(str(name) for name in getattr(label, "names", None) or ())
    return (side or height, side or width, options.channels), names, int(classes)


def _apart(function: Callable[..., Pair], *arguments: Any) -> Pair:
    """The result of a function in a process of its own, which uses no GPU.

    The library reads with TensorFlow, whose threads and memory are not yet set in this process.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_without_gpu) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise QbenchError(
                f"{arguments[0]}: the process that reads it ended; perhaps the images do not fit in"
                " memory."
            ) from error


def _without_gpu() -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _split(
    where: str,
    dataset: str,
    place: str | None,
    name: str,
    shape: tuple[int, int, int],
    options: Options,
) -> Pair:
    """Images (N, *shape) uint8 and labels (N,) of one split, in its own order."""
    from qbench.data.images.arrays import prepared

    library = _library()
    builder = _called(where, library.builder, dataset, data_dir=place)

    def read() -> Iterable[tuple[Any, Any]]:
        found = builder.as_dataset(split=name, shuffle_files=False, as_supervised=False)
        return ((one[_IMAGE], one[_LABEL]) for one in library.as_numpy(found))

    def rows() -> Iterator[tuple[NDArray[np.uint8], int]]:
        for image, label in read():
            yield prepared(np.asarray(image), shape, options), int(label)

    found = _called(where, lambda: list(rows()))
    if not found:
        raise QbenchError(f"{where}: its split {name} is empty.")
    return np.stack([image for image, _ in found]), np.array([label for _, label in found])


def _divided(where: str, images: Any, labels: Any, options: Options) -> Parts:
    """One split divided by content, as files are; equal images are in the same part."""
    assert options.split is not None
    hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    first = {content: index for index, content in reversed(list(enumerate(hashes)))}
    names, rows = list(first), list(first.values())
    chosen = divided(names, labels[rows], options.split, options.split_seed)
    by_content = dict(zip(names, chosen.tolist(), strict=True))
    parts = np.array([by_content[content] for content in hashes])
    if not np.any(parts == TEST):
        raise QbenchError(f"{where}: data.split leaves no test image of {len(images):,} images.")
    pairs = {part: (images[parts == part], labels[parts == part]) for part in (TRAIN, TEST)}
    held = parts == VALIDATION
    return Parts(pairs[TRAIN], pairs[TEST], (images[held], labels[held]) if held.any() else None)
