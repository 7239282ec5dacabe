"""The contract of ops: qbench's own and some from outside keep it, and each break is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import tensorflow as tf
from own_ops import FEWER, LOGARITHMIC, POWERS, ROUNDS_DOWN, SHIFTED, UNCUT

from qbench.quantize.ops import OPS, Op
from qbench.testing import check_op

QDQ, FAKE = OPS["qdq_v2"], OPS["fake_quant"]
GOOD = (QDQ, FAKE, POWERS, LOGARITHMIC)


@pytest.mark.parametrize("op", GOOD, ids=lambda op: op.label)
def test_an_op_keeps_it(op: Op) -> None:
    before = OPS.names()
    check_op(op)
    assert OPS.names() == before


def changed(change: Any, op: Op = LOGARITHMIC, **others: Any) -> Op:
    """An op whose values go through another function."""
    return replace(
        op, apply=lambda *args, **settings: change(op.apply, *args, **settings), **others
    )


def _alone(x: Any) -> Any:
    """x without its gradient."""
    return tf.stop_gradient(x)


def _whole_range(apply: Any, x: Any, low: Any, high: Any, **settings: Any) -> Any:
    return apply(x, tf.reduce_min(low), tf.reduce_max(high), **settings)


def _unit_steps(apply: Any, x: Any, *_: Any, **settings: Any) -> Any:
    return tf.grad_pass_through(tf.round)(x)


def _given(apply: Any, *args: Any, range_given: bool, **settings: Any) -> Any:
    return apply(*args, range_given=True, **settings)


def _by_shape(apply: Any, x: Any, *args: Any, **settings: Any) -> Any:
    return apply(x, *args, **settings) * (1.0 if x.shape.rank == 1 else 2.0)


BROKEN: dict[str, tuple[Any, str]] = {
    "no op": (LOGARITHMIC.apply, "is of type function; expected an Op"),
    "label": (replace(POWERS, label=" "), "label is ' '; expected a word"),
    "settings": (replace(POWERS, settings=frozenset({"sign"})), "sign is not a setting of quant"),
    "lacks": (replace(QDQ, lacks={"signed": "no"}), r"lacks gives a reason for \['signed'\]"),
    "given": (replace(QDQ, own_range=False), "range_given needs own_range=True"),
    "sentence": (replace(QDQ, infinities=lambda q: "some"), "gives 'some'; expected None or one"),
    "no bits": (replace(POWERS, min_bits=0), "gives 0 and 40; expected whole numbers from 1"),
    "many bits": (replace(POWERS, max_bits=(63, 63)), "gives 2 and 63; expected whole numbers"),
    "bits in disorder": (replace(POWERS, max_bits=(1, 40)), r"bits_allowed\(True\) gives 2 and 1"),
    "another grid": (SHIFTED, r"lies 0\.33 steps from"),
    "beyond the codes": (replace(UNCUT, grid=FAKE.grid), "that its codes end at 0 and 3"),
    "narrow": (FEWER, "the grid has 3 codes with narrow, 3 without; expected one less"),
    "narrow values": (UNCUT, r"lies 0\.33 steps from"),
    "again": (replace(ROUNDS_DOWN, in_units=False), "when it is quantized again"),
    "zero": (changed(lambda f, *a, **s: f(*a, **s) + 0.1), "0 becomes 0.1; expected 0"),
    "float64": (changed(lambda f, *a, **s: tf.cast(f(*a, **s), "float64")), "x_hat is float64"),
    "shape": (changed(lambda f, *a, **s: f(*a, **s)[1:]), r"of shape \(997,\); expected float32"),
    "other shapes": (changed(_by_shape), "x_hat depends on the shape of x"),
    "infinite": (changed(lambda f, *a, **s: f(*a, **s) / 0.0), "x_hat is not finite"),
    "random": (
        changed(lambda f, *a, **s: f(*a, **s) * tf.random.uniform(())),
        "differs when it is computed again",
    ),
    "two lines": (replace(POWERS, label="a\nb"), r"label is 'a\\nb'; expected a word"),
    "one limit": (replace(POWERS, max_bits=8), "bits_allowed failed: TypeError"),
    "nothing": (
        changed(lambda f, x, *a, **s: tf.identity(x), FAKE, grid=None, in_units=False),
        "x_hat has 997 different values; it rounds nothing",
    ),
    "uphill": (
        changed(lambda f, *a, **s: 2 * _alone(f(*a, **s)) - f(*a, **s), FAKE, in_units=False),
        "the gradient within the range is negative on average",
    ),
    "no gradient": (changed(lambda f, *a, **s: _alone(f(*a, **s))), "has no gradient"),
    "zero gradient": (
        changed(lambda f, x, *a, **s: _alone(f(x, *a, **s)) + 0 * x),
        "gradient is zero everywhere",
    ),
    "infinite gradient": (
        changed(lambda f, x, *a, **s: f(x, *a, **s) + 1e-30 * tf.sqrt(tf.abs(x))),
        "the gradient is not finite",
    ),
    "it fails": (
        changed(lambda f, *a, **s: f(*a), POWERS),
        r"with 2 signed bits over .* failed: .*'bits'",
    ),
    "channels": (changed(_whole_range, POWERS), "other values than each column alone"),
    "units": (changed(_unit_steps, in_units=True), "do not grow with the range"),
    "unit gradient": (
        changed(lambda f, x, *a, **s: 2 * f(x, *a, **s) - _alone(f(x, *a, **s)), FAKE),
        "not 1 within the range, and in_units is True",
    ),
    "own range": (
        changed(_given, QDQ, min_bits=2),
        "without range_given it does not ignore the ends",
    ),
    "takes own range": (replace(QDQ, takes_own_range=lambda *_: True), "see takes_own_range"),
    "fixed": (replace(QDQ, apply_fixed=None), "see apply_fixed"),
}


@pytest.mark.parametrize(("op", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_each_break_is_found(op: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_op(op)
