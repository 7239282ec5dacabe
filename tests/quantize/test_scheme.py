"""What a scheme makes of a configuration, and of itself for files."""

from __future__ import annotations

import pytest

from qbench.config.quant import Quant
from qbench.quantize.kernels import KernelQuantizer
from qbench.quantize.quantizer import CURRENT, FIXED, MOVING, OWN, Quantizer
from qbench.quantize.scheme import QuantizationScheme, scheme_of


def scheme(**quant: object) -> QuantizationScheme:
    made = scheme_of(Quant(**quant))
    assert made is not None
    return made


def one(bits: int, source: str, op: str = "qdq_v2") -> Quantizer:
    return Quantizer(op, bits, True, "half_to_even", source)


def test_what_is_not_enabled_has_no_scheme():
    assert scheme_of(Quant(enabled=False)) is None


@pytest.mark.parametrize(
    ("op", "given", "kernel", "activation"),
    [
        ("qdq_v2", False, OWN, OWN),
        ("qdq_v2", True, CURRENT, MOVING),
        ("fake_quant", False, CURRENT, MOVING),
        ("fake_quant", True, CURRENT, MOVING),
    ],
)
def test_where_ranges_come_from(op, given, kernel, activation):
    made = scheme(op=op, range_given=given, weight_bits=3, activation_bits=5)
    assert made.kernel == made.edge_kernel == KernelQuantizer(one(3, kernel, op))
    assert made.activation == made.edge == one(5, activation, op)


def test_the_first_and_the_last_kernel_and_what_lies_before_and_behind():
    eight = scheme(bits=4, first_last="8")
    assert eight.edge_kernel == KernelQuantizer(one(8, OWN)) and eight.edge == one(8, OWN)
    assert eight.kernel == KernelQuantizer(one(4, OWN)) and eight.activation == one(4, OWN)
    left = scheme(bits=4, first_last="float")
    assert left.edge_kernel is left.edge is None
    assert left.kernel and left.activation


@pytest.mark.parametrize("name", ["fold", "freeze", "share_ranges"])
def test_each_switch_switches_one_thing(name):
    settings = {
        "fold": "fold_batch_norm",
        "freeze": "freeze_batch_norm",
        "share_ranges": "tie_inputs",
    }
    made = scheme(**{settings[name]: True})
    assert [switch for switch in settings if getattr(made, switch)] == [name]


def test_how_kernels_are_quantized():
    narrow = scheme(weight_range="narrow").kernel
    assert (narrow.narrow, narrow.symmetric, narrow.per_channel) == (True, False, False)
    symmetric = scheme(weight_range="symmetric_narrow", granularity="channel").kernel
    assert (symmetric.narrow, symmetric.symmetric, symmetric.per_channel) == (False, True, True)


def test_each_quantizer_once():
    kernel, tensor = KernelQuantizer(one(8, OWN)), one(8, OWN)
    assert scheme(bits=8, first_last="8").quantizers == (kernel, tensor)
    mixed = scheme(weight_bits=2, activation_bits=3, first_last="8", range_given=True)
    kernels = KernelQuantizer(one(2, CURRENT)), KernelQuantizer(one(8, CURRENT))
    expected = (*kernels, one(3, MOVING), one(8, MOVING))
    assert mixed.quantizers == expected
    assert scheme(weight_bits=2, bits=3, first_last="float").without_activations().quantizers == (
        KernelQuantizer(one(2, OWN)),
    )


def test_ranges_are_fixed_where_there_is_a_quantizer():
    fixed = scheme(bits=4, first_last="8").with_fixed_ranges()
    assert (fixed.activation, fixed.edge) == (one(4, FIXED), one(8, FIXED))
    assert fixed.kernel == KernelQuantizer(one(4, OWN))
    left = scheme(bits=4, first_last="float").with_fixed_ranges()
    assert (left.activation, left.edge) == (one(4, FIXED), None)
    bare = scheme(bits=4).without_activations()
    assert bare.activation is bare.edge is None and bare.with_fixed_ranges() == bare
