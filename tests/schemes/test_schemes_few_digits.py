"""Kernels of few non-zero digits: their values, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from toy_schemes import no_loss

from qbench.base.errors import QbenchError
from qbench.codes.signed_digits import non_zero_digits
from qbench.config.quant import Quant
from qbench.quantize.states import QuantizerState
from qbench.schemes import SCHEMES
from qbench.schemes.entry import EnteredKernel, Entry

KIND = SCHEMES["few_digits"]


def entered(values: Any, **arguments: Any) -> tuple[Any, int]:
    """The kernel and its fraction after a scheme with these arguments has begun."""
    kernel = keras.Variable(np.asarray(values, np.float32))
    state = QuantizerState({"fraction": keras.Variable(0, dtype="int32")})
    owner: Any = SimpleNamespace()
    scheme = KIND.made("few_digits", Quant(delay=1.0, activation_bits="float"), arguments)
    one = EnteredKernel("a", owner, kernel, None, state, scheme.quantization.kernel)
    scheme.enter("quantized", Entry((one,), (), 0, 0, no_loss))
    return kernel.numpy(), int(state.arrays()["fraction"])


def test_kernels_by_hand() -> None:
    # 7/32 is 8/32 - 1/32, 11/32 is 16/32 - 4/32 - 1/32, 23/32 is 32/32 - 8/32 - 1/32.
    values = np.array([[7, -11, 23, 0]]) / 32
    assert (entered(values, digits=1)[0] * 32).tolist() == [[8, -16, 32, 0]]
    assert (entered(values, digits=2)[0] * 32).tolist() == [[7, -12, 24, 0]]
    found, fraction = entered(values, digits=3)
    np.testing.assert_array_equal(found, values)
    assert fraction == 15


def test_kernels_of_many_values() -> None:
    values = np.random.default_rng(0).normal(size=(3, 3, 8, 8)).astype(np.float32)
    errors = []
    for digits in (1, 2, 3, 4):
        found, fraction = entered(values, digits=digits, bits=12)
        integers = np.ldexp(found.astype(np.float64), fraction)
        np.testing.assert_array_equal(integers, np.rint(integers))
        assert np.abs(integers).max() <= 2**11
        assert non_zero_digits(integers.astype(np.int64)).max() == digits
        errors.append(np.square(found - values).sum())
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(
    ("quant", "sentence"),
    [
        ({"delay": 0.5}, "quant.delay=0.5: few_digits trains no quantized step; set quant.delay=1"),
        (
            {"fold_batch_norm": True},
            "quant.fold_batch_norm=true: few_digits reads the kernels themselves; set it to false",
        ),
    ],
)
def test_settings_without_meaning_are_refused(quant: Any, sentence: str) -> None:
    assert KIND.impossible("few_digits", Quant(**quant), {}) == f"{sentence}."


def test_arguments_that_are_not_allowed() -> None:
    for argument, value in (("digits", 0), ("bits", 1)):
        with pytest.raises(QbenchError, match=rf"^quant\.scheme\.{argument}={value} is not allow"):
            KIND.check("quant.scheme", "few_digits", {argument: value})
