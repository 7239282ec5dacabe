"""What a fake-quantization op is: all that training, conversion and packing ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qbench.base.registry import Registry
from qbench.quantize.ops.grid import OpGrid

if TYPE_CHECKING:
    from qbench.quantize.settings import Quant


def _never(*_: Any) -> bool:
    return False


def _nothing(_: Any) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Op:
    """A fake-quantization op and what can be set about it.

    Attributes:
        label: the op's name in tables, as in the paper.
        apply: `(x, low, high, *, bits, signed, rounding, range_given, narrow=False,
            per_channel=False, name=None) -> x_hat`, with its gradient. x has any shape, float32,
            the ends are scalar float32 and x_hat has x's shape. With `per_channel` x is
            (n, channels) and the ends are (channels,). `narrow` leaves out the lowest code. Without
            `range_given` the ends mean nothing.
        grid: `(low, high, *, bits, signed, range_given, narrow) -> OpGrid` on which the values of
            `apply` lie, given finite ends; of whole tensors, channel by channel where each has a
            range. None where they lie on no grid of equal steps: then training is all that the op
            is for, and no integer file and no packed form is made.
        min_bits: smallest number of bits.
        max_bits: (signed, unsigned) largest number of bits.
        settings: keys under `quant` that the op has; it always has bits.
        roundings: what `quant.rounding` may be; empty where the op has no such setting.
        own_range: measures its input itself when no range is given, and with `per_channel` each
            column, where it is never given one.
        takes_own_range: (bits, signed) -> whether, given exactly that range, it computes the same
            bit for bit, so that a range measured already need not be measured again.
        apply_fixed: as `apply`, in inference: what the op computes where it measures the range, but
            over given ends. None: what it computes given that range.
        in_units: whether apply(c x, c low, c high) is c apply(x, low, high) for every c > 0, and
            the gradient is 1 within the range; channels are then quantized in units of their own.
        refuses: what the op cannot do of a configuration, in a sentence; None where it can do all.
        infinities: which values the op makes infinities of in a configuration, in a sentence that
            ends in what to set instead; None where it makes none of finite values.
        lacks: for messages, why a setting is missing.
        graph_ops: TensorFlow's op types, by which a traced graph is searched; each has the
            attribute `num_bits`, and one stands for every quantized value. Empty for an op that is
            made of several.
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
    refuses: Callable[[Quant], str | None] = _nothing
    infinities: Callable[[Quant], str | None] = _nothing
    lacks: Mapping[str, str] = field(default_factory=dict)
    graph_ops: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A rounding can be chosen exactly where there are some to choose from."""
        if ("rounding" in self.settings) != bool(self.roundings):
            raise ValueError(f"{self.label}: the setting rounding and its choices belong together")

    def measures_ranges(self, quant: Quant) -> bool:
        """Whether, in this configuration, it measures its input itself."""
        return self.own_range and not ("range_given" in self.settings and quant.range_given)

    def bits_allowed(self, signed: bool) -> tuple[int, int]:
        """Smallest and largest number of bits, both included."""
        return self.min_bits, self.max_bits[0 if signed else 1]


OPS: Registry[Op] = Registry("quant.op")


def roundings() -> tuple[str, ...]:
    """What `quant.rounding` may be for one op or another."""
    return tuple(dict.fromkeys(name for op in OPS.names() for name in OPS[op].roundings))
