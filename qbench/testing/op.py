"""Checks that an op keeps its contract, for several numbers of bits, signs and ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.deploy.agreement import check_grid, check_within
from qbench.quantize.ops import OPS, Op
from qbench.quantize.quantizer import MOVING, OWN, Quantizer
from qbench.quantize.settings import QuantSettings
from qbench.schemes.uniform import build, impossible_bits
from qbench.testing.assertions import calling, is_sentence, see
from qbench.testing.networks import start

Values = NDArray[Any]

_NAME = "checked_op"
# Up to 16 bits, because float32 cannot hold the codes of more bits exactly.
_BITS = (2, 3, 4, 8, 16)
_RANGES = ((-1.0, 1.0), (-0.3, 1.7), (0.0, 6.0), (-2e-3, 1e-3), (-4e4, 1e4))
# The number of values from below a range to above it. 0 is added to them.
_TRIED = 997
# Rounding errors of float32, as a share of the larger end of a range.
_ERROR = 2e-6
# The share of values that two computations must round to the same side; ties are a few.
_MOST = 0.9


def check_op(op: Op) -> None:
    """Check that an op keeps the contract of `qbench.quantize.ops.op.Op`.

    Args:
        op: the op.

    Raises:
        AssertionError: the op breaks the contract; the message says what was found and what is
            expected.
    """
    see(isinstance(op, Op), f"the op is of type {type(op).__name__}; expected an Op.")
    with calling("the description of the op"):
        _check_words(op)
    start()
    with OPS.lent(_NAME, op):
        with calling("bits_allowed"):
            _check_bits(op)
        for case in _cases(op):
            with calling(f"{op.label} with {case}"):
                _check_case(op, case)


@dataclass(frozen=True)
class _Case:
    """One configuration of an op and one range."""

    bits: int
    signed: bool
    rounding: str
    low: float
    high: float

    def __str__(self) -> str:
        sign = "signed" if self.signed else "unsigned"
        return f"{self.bits} {sign} bits over {self.low:g} to {self.high:g}"

    @property
    def size(self) -> float:
        """The larger magnitude of both ends."""
        return max(-self.low, self.high)

    def quantizer(self, source: str = MOVING) -> Quantizer:
        """The op in this configuration."""
        return Quantizer(_NAME, self.bits, self.signed, self.rounding, source)

    def values(self) -> Values:
        """Values from below the range to above it, (n,) float32; the last one is 0."""
        width = self.high - self.low
        spread = np.linspace(self.low - width / 4, self.high + width / 4, _TRIED)
        return np.append(spread, 0.0).astype(np.float32)


def _cases(op: Op) -> Iterator[_Case]:
    """The configurations that the op allows, over several ranges."""
    for signed in (True, False) if "signed" in op.settings else (True,):
        low, high = op.bits_allowed(signed)
        for bits in sorted({low, *_BITS}):
            for rounding in op.roundings or ("half_to_even",):
                ends = _RANGES if low <= bits <= min(high, _BITS[-1]) else ()
                yield from (_Case(bits, signed, rounding, *pair) for pair in ends)


def _check_words(op: Op) -> None:
    label = op.label
    word = isinstance(label, str) and label.strip() and label.isprintable()
    see(word, f"label is {label!r}; expected a word.")
    known = {one.name for one in fields(QuantSettings)}
    for key in (*op.settings, *op.lacks):
        see(key in known, f"{key} is not a setting of quant; expected one of {sorted(known)}.")
    both = sorted(set(op.settings) & set(op.lacks))
    see(not both, f"lacks gives a reason for {both}, and settings has it.")
    see("range_given" not in op.settings or op.own_range, "range_given needs own_range=True.")
    for name, sentence in (("refuses", op.refuses), ("infinities", op.infinities)):
        said = sentence(QuantSettings())
        holds = said is None or is_sentence(said)
        see(holds, f"{name} gives {said!r}; expected None or one sentence.")


def _check_bits(op: Op) -> None:
    """Check the allowed numbers of bits, and that a configuration with others is refused."""
    most = 62
    for signed in (True, False):
        low, high = op.bits_allowed(signed)
        see(
            isinstance(low, int) and isinstance(high, int) and 1 <= low <= high <= most,
            f"bits_allowed({signed}) gives {low!r} and {high!r}; expected whole numbers from 1 to"
            f" {most}, the smaller one first.",
        )
        for bits in {low - 1, high + 1} - {0, most + 1}:
            quant = QuantSettings(op=_NAME, bits=bits, signed=signed)
            refused = impossible_bits(quant, build(quant).quantization)
            see(refused, f"{bits} bits are taken; bits_allowed gives {low} to {high}.")


def _check_case(op: Op, case: _Case) -> None:
    """Check everything that holds for one configuration and range."""
    if _has_no_step(op, case):
        return
    x = case.values()
    found = _applied(case, x)
    _check_form(case, x, found)
    if op.grid is not None:
        check_grid(case.quantizer(), case.low, case.high)
    see(
        abs(found[-1]) <= _ERROR * case.size,
        f"{case}: 0 becomes {found[-1]:.6g}; expected 0.",
    )
    _check_again(case, found)
    _check_gradient(case, x)
    if case.bits > 1 and case.signed:
        _check_narrow(op, case, x)
    if op.in_units and case.bits > 1 and case.signed:
        _check_units(case, x)
    if op.own_range and case.bits > 1:
        _check_own_range(op, case, x)
    _check_columns(op, case)


def _has_no_step(op: Op, case: _Case) -> bool:
    """Whether the op says that the range gives no scale; then it may give infinities."""
    return op.grid is not None and not case.quantizer().grid(case.low, case.high).scale > 0


def _applied(case: _Case, x: Values, **options: Any) -> Values:
    """The values of the op with a given range."""
    import tensorflow as tf

    ends = np.float32(case.low), np.float32(case.high)
    return np.asarray(case.quantizer()(tf.constant(x), *ends, **options))


def _share(found: Values, wanted: Values, size: float) -> float:
    """The share of equal values, up to rounding errors of float32."""
    return float(np.mean(np.abs(found - wanted) <= _ERROR * size))


def _check_form(case: _Case, x: Values, found: Values) -> None:
    see(
        found.shape == x.shape and found.dtype == np.float32,
        f"{case}: x_hat is {found.dtype} of shape {found.shape}; expected float32 of shape"
        f" {x.shape}.",
    )
    see(np.isfinite(found).all(), f"{case}: x_hat is not finite.")
    rounds = 4 * 2**case.bits > _TRIED or 2 * len(np.unique(found)) < _TRIED
    see(rounds, f"{case}: x_hat has {len(np.unique(found))} different values; it rounds nothing.")
    same = np.array_equal(found, _applied(case, x))
    see(same, f"{case}: x_hat differs when it is computed again from the same x.")
    kernel = _applied(case, x[:996].reshape(2, 6, 83))
    same = np.array_equal(kernel.reshape(-1), found[:996])
    see(same, f"{case}: x_hat depends on the shape of x.")


def _check_again(case: _Case, found: Values) -> None:
    """Check that quantized values stay what they are."""
    again = _applied(case, found)
    wrong = np.flatnonzero(~(np.abs(again - found) <= _ERROR * case.size))
    at = int(wrong[0]) if wrong.size else 0
    see(
        not wrong.size,
        f"{case}: x_hat={found[at]:.6g} becomes {again[at]:.6g} when it is quantized again;"
        " expected the same value.",
    )


def _gradient(case: _Case, x: Values, low: float, high: float, **options: Any) -> Values | None:
    """The gradient of the sum of x_hat, computed in a graph as training steps compute it."""
    import tensorflow as tf

    def gradient(given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            x_hat = case.quantizer()(given, tf.constant(low), tf.constant(high), **options)
        return tape.gradient(x_hat, given)

    traced = tf.function(gradient, autograph=False)
    found = traced.get_concrete_function(tf.TensorSpec(x.shape, tf.float32))(tf.constant(x))
    return None if found is None else np.asarray(found)


def _check_gradient(case: _Case, x: Values) -> None:
    values = _gradient(case, x, case.low, case.high)
    see(values is not None, f"{case}: x_hat has no gradient with respect to x.")
    assert values is not None
    see(np.isfinite(values).all(), f"{case}: the gradient is not finite.")
    inside = (x > 0.9 * case.low) & (x < 0.9 * case.high)
    see(values[inside].any(), f"{case}: the gradient is zero everywhere within the range.")
    see(values[inside].sum() > 0, f"{case}: the gradient within the range is negative on average.")


def _check_columns(op: Op, case: _Case) -> None:
    """Check that `per_channel` quantizes each column as if it were alone."""
    import tensorflow as tf

    factors = np.asarray([1.0, 0.5, 3.0], np.float32)
    x = case.values()[:, np.newaxis] * factors
    low, high = np.float32(case.low) * factors, np.float32(case.high) * factors
    quantizer = case.quantizer(OWN if op.own_range else MOVING)
    found = np.asarray(quantizer(tf.constant(x), low, high, per_channel=True))
    see(found.shape == x.shape, f"{case}: per_channel gives the shape {found.shape}.")
    for k, factor in enumerate(factors):
        alone = np.asarray(quantizer(tf.constant(x[:, k]), low[k], high[k]))
        close = _share(found[:, k], alone, case.size * factor) > _MOST
        see(close, f"{case}: per_channel gives other values than each column alone.")


def _check_narrow(op: Op, case: _Case, x: Values) -> None:
    """Check the grid without the lowest code over a symmetric range."""
    if op.grid is None:
        return
    import tensorflow as tf

    end = np.float32(case.size)
    quantizer = case.quantizer()
    grid = quantizer.grid(-float(end), float(end), narrow=True)
    whole = quantizer.grid(-float(end), float(end))
    see(
        grid.count == whole.count - 1,
        f"{case}: the grid has {grid.count} codes with narrow, {whole.count} without; expected one"
        " less.",
    )
    found = np.asarray(quantizer(tf.constant(x), -end, end, narrow=True), np.float64)
    check_within(_NAME, grid, found / grid.scale)


def _check_units(case: _Case, x: Values) -> None:
    """Check that the values grow with their symmetric range."""
    import tensorflow as tf

    unit, end = tf.constant(x / np.float32(case.size)), np.float32(case.size)
    quantizer = case.quantizer()
    small = np.asarray(quantizer(unit, np.float32(-1), np.float32(1), narrow=True))
    large = np.asarray(quantizer(unit * end, -end, end, narrow=True))
    close = _share(small * end, large, case.size) > _MOST
    see(close, f"{case}: its values do not grow with the range, and in_units is True.")
    inside = x[np.abs(x) < 0.9 * end]
    gradient = _gradient(case, inside, -float(end), float(end), narrow=True)
    ones = gradient is not None and np.allclose(gradient, 1)
    see(ones, f"{case}: the gradient is not 1 within the range, and in_units is True.")


def _check_own_range(op: Op, case: _Case, x: Values) -> None:
    """Check an op that measures its input."""
    import tensorflow as tf

    given, own = tf.constant(x), case.quantizer(OWN)
    found = np.asarray(own(given, np.float32(0), np.float32(0)))
    again = np.asarray(own(given, *np.asarray([-case.size, case.size], np.float32)))
    see(np.array_equal(found, again), f"{case}: without range_given it does not ignore the ends.")
    see(np.isfinite(found).all(), f"{case}: x_hat is not finite when the op measures the range.")
    ends = x.min(), x.max()
    if own.takes_own_range:
        same = np.array_equal(found, np.asarray(own.given(given, *ends)))
        see(same, f"{case}: the range of x as a given range changes bits; see takes_own_range.")
    fixed = np.asarray(own.with_fixed_range()(given, *ends))
    see(
        _share(fixed, found, max(-ends[0], ends[1])) > _MOST,
        f"{case}: with a fixed range it gives other values than when it measures it; see"
        " apply_fixed.",
    )
