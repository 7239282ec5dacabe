"""The inputs of a network and of its file, from images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.config.experiment import Experiment
from qbench.data.preprocessing import Preparation
from qbench.quantize.entry import rescaled
from qbench.quantize.tensors import graph_of

BATCH = 100

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """A batch of images in three forms, each (B, H, W, C).

    Attributes:
        network: what the network reads.
        graph: what the graph of the file reads, float32.
        file: what the file reads: the same, or the codes of raw pixels, uint8 or int8.
    """

    network: Values
    graph: Values
    file: NDArray[Any]


@dataclass(frozen=True)
class Feed:
    """Makes the inputs of a network and of its file.

    Attributes:
        prepare: turns images into the input of the network.
        lead: the layers at the beginning of the network that are not in the file.
        pixels: `uint8` or `int8` if the file takes raw pixels, else None.
    """

    prepare: Preparation
    lead: Sequence[Any] = ()
    pixels: str | None = None

    def batches(self, images: Any, size: int = BATCH) -> Iterator[Inputs]:
        """The inputs of (N, H, W, C) uint8 images, in batches."""
        for start in range(0, len(images), size):
            yield self.inputs(images[start : start + size])

    def inputs(self, images: Any) -> Inputs:
        """The inputs of (N, H, W, C) uint8 images."""
        images = np.asarray(images)
        network = np.asarray(self.prepare(images, self.pixels is not None))
        graph = np.asarray(rescaled(self.lead, network)) if self.lead else network
        if self.pixels is None:
            return Inputs(network, graph, graph)
        raw = np.asarray(self.prepare.pixels(images))
        return Inputs(network, graph, raw if self.pixels == "uint8" else signed(raw))


def feed_of(network: Any, experiment: Experiment, kind: str) -> Feed:
    """The feed of a run's file.

    Args:
        network: the trained `qbench.training.network.Network`.
        experiment: the experiment that trained it.
        kind: the name of the file's kind. Only an int8 file begins behind the layers that rescale
            the image, and takes raw pixels if the experiment says so.
    """
    if kind != "int8":
        return Feed(network.prepare)
    pixels = experiment.deploy.input if experiment.pixels else None
    return Feed(network.prepare, graph_of(network.model).lead, pixels)


def signed(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Pixels 0 .. 255 as -128 .. 127."""
    return (pixels.astype(np.int16) - 128).astype(np.int8)
