"""Scalable codes of a kernel in a training step, with the bits of `qbench.codes.scalable`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qbench.codes.dram_energy import FULL_BITS
from qbench.codes.levels import bits_of
from qbench.codes.scales import EQUATION_9
from qbench.codes.thresholds import FEWEST
from qbench.codes.vectors import CHANNELS, Cut, cut_of
from qbench.quantize.interface import SHIFT, KernelQuantizing
from qbench.schemes.kernel_forms import KernelForm, kernel_form

GAMMA, DELTA = "gamma", "delta"
NAME = "qsq"


@dataclass(frozen=True)
class ScalableKernel(KernelQuantizing):
    """Codes kernels anew in every call, or passes on those that are codes already.

    Attributes:
        phi: the largest code.
        length: number of values of a vector; None for the whole depth.
        along: the direction of the vectors.
        scale: how scales are computed.
        fixed: `all`, `features` (every kernel but those of dense layers) or `none`: which kernels
            the scheme has set to values of codes.
        thresholds: gamma and delta of one kernel, () float32 each; None without a state.
    """

    phi: int
    length: int | None
    along: str
    scale: str
    fixed: str
    thresholds: tuple[Any, Any] | None = field(default=None, compare=False)

    op: str = NAME
    source: str = "a scale for each vector"
    symmetric: bool = False
    multiplies_by: str = SHIFT

    @property
    def bits(self) -> int:
        """Number of bits of a code."""
        return bits_of(self.phi)

    def with_bits(self, bits: int) -> ScalableKernel:
        """The same quantizer: phi says how many bits there are."""
        return self

    def with_state(self, state: Mapping[str, Any]) -> ScalableKernel:
        """The quantizer with the thresholds of one kernel."""
        return replace(self, thresholds=(state[GAMMA], state[DELTA])) if state else self

    def is_fixed(self, layer: Any) -> bool:
        """Whether the kernels of a layer are values of codes already."""
        return self.fixed == "all" or (self.fixed == "features" and not is_dense(layer))

    def cut(self, layer: Any, kernel: Any) -> tuple[KernelForm, Cut]:
        """The form of a kernel, and how this form is cut into vectors."""
        form = kernel_form(layer, kernel)
        return form, cut_of(form.shape, self.length, self.along)

    def scales(self, layer: Any, kernel: Any) -> int:
        """One for each vector."""
        return self.cut(layer, kernel)[1].count

    def side_bits(self, layer: Any, kernel: Any) -> int:
        """The bits of the scales."""
        return self.scales(layer, kernel) * FULL_BITS

    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        """The value of codes and scales; gradients pass straight through."""
        import tensorflow as tf

        if self.is_fixed(layer):
            return tf.identity(value, name=name)
        assert self.thresholds is not None
        form, cut = self.cut(layer, kernel)
        gamma, delta = self.thresholds

        @tf.custom_gradient
        def through(x: Any) -> Any:
            y = _coded(_vectors(x, form, cut), cut, self.phi, self.scale, gamma, delta)
            return _kernel(y, form, cut), lambda gradient: gradient

        return tf.identity(through(value), name=name)


def is_dense(layer: Any) -> bool:
    """Whether it is a dense layer."""
    import keras

    return isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense)


def _vectors(value: Any, form: KernelForm, cut: Cut) -> Any:
    """See `Cut.vectors`; `value` has the shape of the kernel."""
    import tensorflow as tf

    x = tf.linalg.matrix_transpose(value) if form.swapped else tf.reshape(value, form.shape)
    x = tf.linalg.matrix_transpose(x) if cut.along == CHANNELS else x
    missing = cut.in_run * cut.length - cut.run
    runs = tf.pad(tf.reshape(x, (-1, cut.run)), ((0, 0), (0, missing)))
    return tf.reshape(runs, (-1, cut.length))


def _kernel(vectors: Any, form: KernelForm, cut: Cut) -> Any:
    """See `Cut.kernel`; the result has the shape of the kernel."""
    import tensorflow as tf

    runs = tf.reshape(vectors, (-1, cut.in_run * cut.length))[:, : cut.run]
    *places, channels, filters = form.shape
    if cut.along == CHANNELS:
        x = tf.linalg.matrix_transpose(tf.reshape(runs, (*places, filters, channels)))
    else:
        x = tf.reshape(runs, form.shape)
    return tf.linalg.matrix_transpose(x) if form.swapped else tf.reshape(x, form.kernel)


def _coded(vectors: Any, cut: Cut, phi: int, scale: str, gamma: Any, delta: Any) -> Any:
    """The values of codes, (count, length) float32; see `qbench.codes.scalable.coded`."""
    import tensorflow as tf

    size = tf.abs(vectors)
    sides = (tf.nn.relu(vectors), tf.nn.relu(-vectors))
    sigma = tf.where(vectors > 0, *(_sigma(side)[:, None] for side in sides))
    code = tf.cast((size >= gamma * sigma) & (size > 0), tf.float32)
    if phi > 1:
        code += tf.cast(size > sigma, tf.float32)
    if phi > 2:
        code += 2 * tf.cast(size > delta * sigma, tf.float32)
    wide = tf.cast(size, tf.float64)
    if scale == EQUATION_9:
        scales = tf.reduce_sum(wide, 1) / tf.constant(phi * cut.filled, tf.float64)
    else:
        codes = tf.cast(code, tf.float64)
        squares = tf.reduce_sum(codes * codes, 1)
        scales = tf.reduce_sum(wide * codes, 1) / tf.maximum(squares, 1)
    signed = tf.where(vectors < 0, -code, code)
    return tf.cast(scales, tf.float32)[:, None] * signed


def _sigma(side: Any) -> Any:
    """The sigma of the values of one sign, (count,) float32; see `thresholds.sigmas`."""
    import tensorflow as tf

    squares = tf.reduce_sum(tf.square(tf.cast(side, tf.float64)), 1)
    number = tf.cast(tf.math.count_nonzero(side, 1), tf.float64)
    own = tf.sqrt(squares / tf.maximum(number, 1))
    layer = tf.sqrt(tf.reduce_sum(squares) / tf.maximum(tf.reduce_sum(number), 1))
    return tf.cast(tf.where(number >= FEWEST, own, layer), tf.float32)
