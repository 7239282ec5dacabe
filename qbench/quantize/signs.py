"""Kernels of signs with a scale: ternary and binary weights.

Gradients pass straight through: the kernel gets the gradient of its quantized values.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qbench.quantize.code_book import CodeBook
from qbench.quantize.interface import SIGN, CodeBookQuantizing
from qbench.quantize.kernels import channel_form

THRESHOLD = 0.7
"""The threshold of ternary weights as a multiple of mean |w| (Li et al. 2016, eq. 6)."""


@dataclass(frozen=True)
class SignsQuantizer(CodeBookQuantizing):
    """A sign, or 0, for each weight, times a scale.

    Attributes:
        per_channel: one scale for each output channel of a convolution; else, and for a dense
            layer, one for the kernel.
        bits: number of bits of a code.
    """

    levels: ClassVar[tuple[int, ...]]
    per_channel: bool = False
    op: str = ""
    bits: int = 1
    source: str = "mean of |w|"
    symmetric: bool = False
    multiplies_by: str = SIGN

    @property
    def bits_allowed(self) -> tuple[int, int]:
        """Its own bits only."""
        return self.bits, self.bits

    @abstractmethod
    def parts(self, columns: Any) -> tuple[Any, Any]:
        """The signs and the scales of a kernel.

        Args:
            columns: the weights (n, channels) float32; a scale belongs to a column.

        Returns:
            Signs (n, channels) float32 among `levels`, and scales (1, channels) float32.
        """

    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        """The quantized value."""
        import tensorflow as tf

        def quantized(x: Any) -> Any:
            signs, scales = self.parts(self._columns(layer, kernel, x))
            return self._back(layer, kernel, signs * scales)

        return tf.identity(tf.grad_pass_through(quantized)(value), name=name)

    def book(self, layer: Any, kernel: Any, value: Any) -> CodeBook | None:
        """The levels, with the scales of the kernel."""
        import tensorflow as tf

        _, scales = self.parts(self._columns(layer, kernel, tf.convert_to_tensor(value)))
        return CodeBook(np.array(self.levels, np.float32), np.asarray(scales).reshape(-1))

    def scales(self, layer: Any, kernel: Any) -> int:
        """One, or one for each output channel."""
        form = channel_form(layer, kernel) if self.per_channel else None
        return 1 if form is None else form.channels

    def _columns(self, layer: Any, kernel: Any, value: Any) -> Any:
        import tensorflow as tf

        form = channel_form(layer, kernel) if self.per_channel else None
        return tf.reshape(value, (-1, 1)) if form is None else form.columns(value)

    def _back(self, layer: Any, kernel: Any, columns: Any) -> Any:
        import tensorflow as tf

        form = channel_form(layer, kernel) if self.per_channel else None
        return tf.reshape(columns, kernel.shape) if form is None else form.back(columns)


@dataclass(frozen=True)
class TernaryQuantizer(SignsQuantizer):
    """-s, 0 or s: 0 up to the threshold of 0.7 mean |w|; s is the mean |w| above it."""

    levels = (-1, 0, 1)
    op: str = "twn"
    bits: int = 2

    def parts(self, columns: Any) -> tuple[Any, Any]:
        """See `SignsQuantizer.parts`; the scale of a column of zeros is 0."""
        import tensorflow as tf

        size = tf.abs(columns)
        kept = tf.cast(size > THRESHOLD * tf.reduce_mean(size, 0, keepdims=True), columns.dtype)
        count = tf.reduce_sum(kept, 0, keepdims=True)
        scales = tf.reduce_sum(size * kept, 0, keepdims=True) / tf.maximum(count, 1.0)
        return tf.sign(columns) * kept, scales


@dataclass(frozen=True)
class BinaryQuantizer(SignsQuantizer):
    """-s or s, where s is mean |w|; 0 counts as positive (Rastegari et al. 2016, section 3.1)."""

    levels = (-1, 1)
    op: str = "bwn"
    bits: int = 1

    def parts(self, columns: Any) -> tuple[Any, Any]:
        """See `SignsQuantizer.parts`."""
        import tensorflow as tf

        ones = tf.ones_like(columns)
        scales = tf.reduce_mean(tf.abs(columns), 0, keepdims=True)
        return tf.where(columns < 0, -ones, ones), scales
