"""The interface of a fake-quantization op for training, conversion and packing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from qbench.base.registry import Registry
from qbench.quantize.ops.grid import OpGrid


def _never(*_: Any) -> bool:
    return False


def _nothing(_: Any) -> None:
    return None


class Chosen(Protocol):
    """The settings of `quant` that an op may ask; see `qbench.quantize.settings.QuantSettings`."""

    @property
    def bits_of_weights(self) -> int:
        """The bits of a kernel's values."""

    @property
    def bits_of_activations(self) -> int:
        """The bits of a tensor's values."""

    @property
    def signed(self) -> bool:
        """Whether codes are signed."""

    @property
    def range_given(self) -> bool:
        """Whether ranges are moving averages."""

    @property
    def weight_range(self) -> str:
        """How the range of a kernel is chosen."""

    @property
    def granularity(self) -> str:
        """Whether a kernel has one range or one for each channel."""


@dataclass(frozen=True, kw_only=True)
class Op:
    """A fake-quantization op and its settings.

    Attributes:
        label: the op's name in tables, as in the paper.
        apply: `(x, low, high, *, bits, signed, rounding, range_given, narrow=False,
            per_channel=False, name=None) -> x_hat`, with its gradient. x is float32 of any shape,
            the ends are scalar float32, and x_hat has the shape of x. With `per_channel` x is (n,
            channels) and the ends are (channels,). `narrow` leaves out the lowest code. Without
            `range_given` the op ignores the ends.
        grid: `(low, high, *, bits, signed, range_given, narrow) -> OpGrid`: the grid of the values
            of `apply`, for finite ends; for whole tensors, or channel by channel if each channel
            has a range. None if the values lie on no grid of equal steps. Then the op can only be
            used for training: no integer file and no packed form is made.
        min_bits: smallest number of bits.
        max_bits: (signed, unsigned) largest number of bits.
        settings: the keys under `quant` that the op has; it always has bits.
        roundings: the allowed values of `quant.rounding`; empty if the op has no such setting.
        own_range: whether the op measures its input if no range is given. With `per_channel` such
            an op always measures each column and never gets a range.
        takes_own_range: (bits, signed) -> whether the op computes the same bits if it is given
            exactly the range of its input. Then a range that is already measured is not measured
            again.
        apply_fixed: like `apply`, for inference with fixed ends: it gives the values that the op
            gives when it measures the range. None: `apply` with a given range gives them.
        in_units: whether apply(c x, -c, c, narrow=True) is c apply(x, -1, 1, narrow=True) for every
            c > 0, up to rounding in float32, and its gradient is 1 within the range. Then each
            channel of a symmetric kernel is divided by its largest magnitude before it is
            quantized. It need not hold for other ranges: without `narrow`, the zero point of
            fake_quant for -c .. c is a tie between two codes, and its rounding depends on c.
        refuses: a function of `quant`. It returns a sentence about what the op cannot do in this
            configuration, or None.
        infinities: a function of `quant`. It returns a sentence about the finite values for which
            the op gives infinities in this configuration, and about what to set instead; or None.
        lacks: by setting, for error messages: the reason why the op does not have it.
        graph_ops: TensorFlow's op types, to find the op in a traced graph; each has the attribute
            `num_bits`, and there is one for each quantized value. Empty for an op that is made of
            several TensorFlow ops.
    """

    label: str
    apply: Callable[..., Any]
    grid: Callable[..., OpGrid] | None
    min_bits: int
    max_bits: tuple[int, int]
    settings: frozenset[str] = frozenset()
    roundings: tuple[str, ...] = ()
    own_range: bool = False
    takes_own_range: Callable[[int, bool], bool] = _never
    apply_fixed: Callable[..., Any] | None = None
    in_units: bool = False
    refuses: Callable[[Chosen], str | None] = _nothing
    infinities: Callable[[Chosen], str | None] = _nothing
    lacks: Mapping[str, str] = field(default_factory=dict)
    graph_ops: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """The op has the setting `rounding` if and only if it has roundings."""
        if ("rounding" in self.settings) != bool(self.roundings):
            raise ValueError(f"{self.label}: the setting rounding and its choices belong together")

    def measures_ranges(self, quant: Chosen) -> bool:
        """Whether, in this configuration, it measures its input itself."""
        return self.own_range and not ("range_given" in self.settings and quant.range_given)

    def bits_allowed(self, signed: bool) -> tuple[int, int]:
        """Smallest and largest number of bits, both included."""
        return self.min_bits, self.max_bits[0 if signed else 1]


OPS: Registry[Op] = Registry("quant.op", Op)


def roundings() -> tuple[str, ...]:
    """The roundings that at least one op allows."""
    return tuple(dict.fromkeys(name for op in OPS.names() for name in OPS[op].roundings))
