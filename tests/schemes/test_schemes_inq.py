"""Incremental quantization and its siblings as values: phases, partition, what is refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import own_models as own
import pytest
from toy_schemes import no_loss

from qbench.base.errors import QbenchError
from qbench.config.groups import Choice
from qbench.config.quant import Quant
from qbench.planning.factors import cells, has_setting, impossible
from qbench.planning.identity import identity
from qbench.quantize.powers import FROZEN, TOP, PowersQuantizer, to_powers
from qbench.quantize.signs import BinaryQuantizer, TernaryQuantizer
from qbench.schemes import SCHEMES
from qbench.schemes.entry import EnteredKernel, Entry
from qbench.schemes.phases import PhaseEnd

INQ = SCHEMES["inq"]


def scheme(bits: int = 4, **arguments: Any) -> Any:
    return INQ.made("inq", Quant(bits=bits, activation_bits="float"), arguments)


class Variable:
    """A variable of numpy."""

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)
        self.dtype = self.value.dtype

    def numpy(self) -> Any:
        return self.value.copy()

    def assign(self, value: Any) -> None:
        self.value = np.asarray(value)


def kernel(values: Any, name: str = "conv/kernel", bits: int = 4) -> EnteredKernel:
    values = np.asarray(values, np.float32)
    state = {TOP: Variable(np.int32(0)), FROZEN: Variable(np.zeros(values.shape, bool))}
    states: Any = SimpleNamespace(
        arrays=lambda: {key: one.numpy() for key, one in state.items()},
        set=lambda key, value: state[key].assign(np.asarray(value, state[key].dtype)),
    )
    return EnteredKernel(name, None, Variable(values), None, states, PowersQuantizer(bits))


def entered(chosen: Any, one: EnteredKernel, phase: str, seed: int = 0) -> tuple[Any, Any]:
    """The kernel's values and the frozen ones once a phase has begun."""
    chosen.enter(phase, Entry((one,), (), seed, 0, no_loss))
    return one.value, one.state.arrays()[FROZEN]


WEIGHTS = np.array([0.02, -0.9, 0.3, -0.05, 0.6, 0.11, -0.2, 0.0], np.float32)


def test_the_portions_divide_the_quantized_steps() -> None:
    ends = [PhaseEnd("inq_50", 5), PhaseEnd("inq_75", 7), PhaseEnd("inq_87.5", 8)]
    assert scheme().phases(4, 10) == (*ends, PhaseEnd("inq_100", 10))
    assert [one.end for one in scheme().phases(2400, 4000)] == [2800, 3200, 3600, 4000]
    assert scheme(portions=[0.29, 1]).phases(0, 5)[0] == PhaseEnd("inq_29", 2)
    close = scheme(portions=[0.3333333, 0.3333334, 1]).checked_phases(0, 6)
    assert [one.end for one in close] == [2, 4, 6]


def test_the_largest_weights_become_codes_first_and_stay() -> None:
    chosen, one = scheme(), kernel(WEIGHTS)
    value, frozen = entered(chosen, one, "inq_50")
    assert np.flatnonzero(frozen).tolist() == [1, 2, 4, 6]
    np.testing.assert_array_equal(value[frozen], to_powers(WEIGHTS[frozen], 0, 4))
    np.testing.assert_array_equal(value[~frozen], WEIGHTS[~frozen])
    moved = np.where(frozen, value, 0.7 * np.sign(WEIGHTS) + 0.01)
    one.set(moved)  # what training did; it is beyond the frozen ones now
    later, more = entered(chosen, one, "inq_75")
    assert more.sum() == 6 and more[frozen].all()
    np.testing.assert_array_equal(later[frozen], value[frozen])
    for phase in ("inq_87.5", "inq_100"):
        last, every = entered(chosen, one, phase)
    assert every.all()
    np.testing.assert_array_equal(last, to_powers(last, 0, 4))


def test_the_code_book_is_that_of_the_first_step() -> None:
    """Weights that outgrow the largest code later are cut at it."""
    chosen, one = scheme(), kernel([0.1, 0.2, 0.3, 0.4])
    entered(chosen, one, "inq_50")
    one.set(np.where(one.state.arrays()[FROZEN], one.value, 8.0))
    value, _ = entered(chosen, one, "inq_100")
    assert value.tolist() == [0.5, 0.5, 0.25, 0.5] and one.state.arrays()[TOP] == -1


def test_the_maximum_may_be_set() -> None:
    """With the 4.0 of Chen et al. a code of 4 bits is 1/2 or more: small weights are lost."""
    chosen, one = scheme(max_weight=4.0, portions=[1.0]), kernel(WEIGHTS)
    value, _ = entered(chosen, one, "inq_100")
    assert value.tolist() == [0, -1, 0.5, 0, 0.5, 0, 0, 0] and one.state.arrays()[TOP] == 2


def test_a_random_partition_follows_from_seed_and_kernel() -> None:
    chosen = scheme(partition="random")
    values = np.random.default_rng(1).normal(size=(3, 3, 2, 4))
    found = [
        entered(chosen, kernel(values, name), "inq_50", seed)[1]
        for name, seed in (("a/kernel", 0), ("a/kernel", 0), ("a/kernel", 1), ("b/kernel", 0))
    ]
    assert all(one.sum() == 36 for one in found)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2]) and not np.array_equal(found[0], found[3])
    largest = entered(scheme(), kernel(values), "inq_50")[1]
    assert not np.array_equal(found[0], largest)


def test_a_kernel_with_uniform_codes_is_left_alone() -> None:
    one = kernel(WEIGHTS)
    object.__setattr__(one, "quantizer", Quant().quantization.kernel)
    value, frozen = entered(scheme(), one, "inq_50")
    np.testing.assert_array_equal(value, WEIGHTS)
    assert not frozen.any()


def experiment(name: str, **values: Any) -> Any:
    """The tiny experiment with a scheme for weights and float activations."""
    given = {"activation_bits": "float", **{key.partition(".")[2]: v for key, v in values.items()}}
    return replace(own.experiment({}), quant=Quant(**given, scheme=Choice(name=name)))


REFUSED: list[tuple[str, dict[str, Any], tuple[str, ...], str]] = [
    ("inq", {"quant.bits": 1}, (), "quant.bits=1: quant/scheme=inq takes 2 to 9 bits."),
    ("inq", {"quant.bits": 10}, (), "quant.bits=10: quant/scheme=inq takes 2 to 9 bits."),
    ("inq", {"quant.weight_bits": 1}, (), "quant.weight_bits=1: quant/scheme=inq takes 2 to 9"),
    ("inq", {"quant.bits": 4, "quant.fold_batch_norm": True}, (), "quant.fold_batch_norm=true"),
    ("twn", {"quant.placement": ["activation"]}, (), "quant.placement=[activation]: "),
    (
        "twn",
        {"quant.weight_bits": 4},
        ("quant.weight_bits",),
        "quant.weight_bits=4: the scheme t",
    ),
    ("uniform", {"quant.placement": ["activation", "add"]}, (), "quant.activation_bits=float: "),
    ("uniform", {"quant.tie_inputs": True}, ("quant.tie_inputs",), "quant.tie_inputs=true: the sc"),
    ("bwn", {"quant.bits": 4}, ("quant.bits",), "quant.bits=4: the scheme bwn has no such setting"),
    ("bwn", {}, ("quant.op",), "quant.op=qdq_v2: the scheme bwn has no such setting."),
    ("inq", {"quant.bits": 4}, ("quant.granularity",), "quant.granularity=tensor: the scheme inq"),
    (
        "bwn",
        {"quant.activation_bits": 1, "quant.op": "fake_quant"},
        (),
        "quant.activation_bits=1: fake_quant takes 2 to 16 bits.",
    ),
]


@pytest.mark.parametrize(("name", "values", "explicit", "says"), REFUSED)
def test_what_a_scheme_cannot_do_is_one_sentence(
    name: str, values: dict[str, Any], explicit: tuple[str, ...], says: str
) -> None:
    found = impossible(experiment(name, **values), explicit)
    assert found is not None and found.startswith(says)


@pytest.mark.parametrize(
    ("name", "values", "explicit"),
    [
        ("inq", {"quant.bits": 9}, ("quant.bits",)),
        ("twn", {"quant.granularity": "channel"}, ("quant.granularity",)),
        ("twn", {"quant.fold_batch_norm": True}, ()),
        ("bwn", {"quant.activation_bits": 8}, ("quant.op", "quant.activation_bits")),
        ("inq", {"quant.bits": 4, "quant.first_last": "8"}, ("quant.weight_range",)),
        ("inq", {"quant.bits": 4, "quant.first_last": "float"}, ("quant.first_last",)),
    ],
)
def test_what_it_can_do(name: str, values: dict[str, Any], explicit: tuple[str, ...]) -> None:
    assert impossible(experiment(name, **values), explicit) is None


@pytest.mark.parametrize(
    ("argument", "value", "says"),
    [
        ("portions", [0.5, 0.75], "a list of rising shares above 0 that ends at 1"),
        ("portions", [0.5, 0.4, 1], "a list of rising shares above 0 that ends at 1"),
        ("portions", [0, 1], "a list of rising shares above 0 that ends at 1"),
        ("portions", [0.5, 0.5, 1], "a list of rising shares above 0 that ends at 1"),
        ("portions", [], "a list of rising shares above 0 that ends at 1"),
        ("portions", 1, "a list of rising shares above 0 that ends at 1"),
        ("partition", "smallest", "expected magnitude or random"),
        ("max_weight", 0, "a number above 0"),
        ("max_weight", -1, "a number from 0 to 1e[+]38"),
        ("max_weight", 1e39, "a number from 0 to 1e[+]38"),
    ],
)
def test_bad_arguments_are_refused_with_those_that_are_allowed(
    argument: str, value: Any, says: str
) -> None:
    with pytest.raises(QbenchError, match=rf"scheme\.{argument}=.* is not allowed: .*{says}"):
        INQ.check("quant.scheme", "inq", {argument: value})


def test_the_first_and_the_last_kernel_are_as_in_every_scheme() -> None:
    found = {
        ends: experiment("twn", **{"quant.first_last": ends}).quantization
        for ends in ("same", "8", "float")
    }
    assert found["same"].edge_kernel == found["same"].kernel == TernaryQuantizer()
    assert found["float"].edge_kernel is None
    assert found["8"].edge_kernel.bits == 8
    assert found["8"].edge_kernel == Quant(first_last="8").quantization.edge_kernel
    assert all(one.activation is None and one.edge is None for one in found.values())


def test_cells_and_sizes_say_the_bits_of_the_scheme() -> None:
    rows = {
        name: experiment(name, **{"quant.bits": 5}) for name in ("uniform", "inq", "twn", "bwn")
    }
    shown = {name: cells(one)["bits"] for name, one in rows.items()}
    assert shown == {"uniform": "w5/float", "inq": "w5/float", "twn": "w2/float", "bwn": "w1/float"}
    assert [one.scheme.weight_bits for one in rows.values()] == [5, 5, 2, 1]
    assert cells(rows["inq"])["op"] == cells(rows["twn"])["signedness"] == ""
    assert cells(rows["uniform"])["op"] == "QDQv2"
    more = experiment("bwn", **{"quant.activation_bits": 6, "quant.granularity": "channel"})
    assert cells(more)["bits"] == "w1/a6" and cells(more)["op"] == "QDQv2"
    assert more.quantization.kernel == BinaryQuantizer(per_channel=True)


def test_settings_of_ops_count_only_where_an_op_quantizes() -> None:
    one, other = (
        experiment("inq", **{"quant.bits": 4, "quant.op": op}) for op in ("qdq_v2", "fake_quant")
    )
    assert identity(one) == identity(other)
    assert not has_setting(one, "quant.op") and not one.scheme.reads_averages
    eight = {"quant.bits": 4, "quant.activation_bits": 8}
    one, other = (experiment("inq", **eight, **{"quant.op": op}) for op in ("qdq_v2", "fake_quant"))
    assert identity(one) != identity(other) and one.scheme.reads_averages


def test_float_activations_are_no_other_number_of_bits() -> None:
    one, other = (experiment("uniform", **{"quant.activation_bits": n}) for n in ("float", 32))
    assert identity(one) != identity(other)
    assert one.quantization.activation is None and other.quantization.activation.bits == 32


@pytest.mark.parametrize("name", ["inq", "twn", "bwn"])
def test_files_beside_quantized_activations_are_refused(name: str) -> None:
    values = {"quant.bits": 4} if name == "inq" else {}
    assert experiment(name, **values).scheme.in_file() is None
    said = experiment(name, **values, **{"quant.activation_bits": 8}).scheme.in_file()
    assert said.startswith("quant.activation_bits=8: ") and "float32 file" in said
