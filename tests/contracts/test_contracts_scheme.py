"""The contract of schemes: qbench's and two from outside keep it, and each break is found."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from toy_schemes import TOYS, Learned, Powers

from qbench.models import MODELS
from qbench.quantize.states import StateVariable
from qbench.schemes import SCHEMES, Scheme, SchemeKind
from qbench.schemes.phases import PhaseEnd
from qbench.testing import check_scheme

UNIFORM, POWERS, LEARNED = SCHEMES["uniform"], TOYS["powers"], TOYS["learned"]
GOOD: dict[str, tuple[SchemeKind, Any, dict[str, Any]]] = {
    "uniform": (UNIFORM, None, {}),
    "uniform deploy": (UNIFORM, {"op": "fake_quant", "fold_batch_norm": True}, {}),
    "contrib": (
        SCHEMES["contrib"],
        {"op": "fake_quant", "weight_range": "narrow", "fold_batch_norm": True},
        {},
    ),
    "qsq dense": (
        SCHEMES["qsq"],
        {"freeze_batch_norm": True, "activation_bits": "float"},
        {"retrain": "dense", "length": "depth"},
    ),
    "qsq all of quantized activations": (
        SCHEMES["qsq"],
        {"activation_bits": 8, "first_last": "8"},
        {"retrain": "all", "phi": 1, "scale": "equation_9"},
    ),
    "qsq by the loss": (
        SCHEMES["qsq"],
        {"activation_bits": "float"},
        {"retrain": "all", "gamma": 0.25, "search": "loss"},
    ),
    "few digits": (
        SCHEMES["few_digits"],
        {"delay": 1.0, "activation_bits": "float"},
        {"digits": 1},
    ),
    "inq": (SCHEMES["inq"], {"bits": 4, "activation_bits": "float"}, {}),
    "inq of quantized activations": (
        SCHEMES["inq"],
        {"bits": 3, "activation_bits": 8, "first_last": "8"},
        {"portions": [0.5, 1], "partition": "random", "max_weight": 2.0},
    ),
    "twn": (SCHEMES["twn"], {"activation_bits": "float"}, {}),
    "bwn": (SCHEMES["bwn"], {"activation_bits": "float", "granularity": "channel"}, {}),
    "powers": (POWERS, None, {"second": 0.6}),
    "phases without steps": (POWERS, None, {"finish": True}),
    "learned": (LEARNED, {"bits": 4}, {"multiplier": 0.5}),
}


@pytest.mark.parametrize(("kind", "quant", "arguments"), GOOD.values(), ids=GOOD.keys())
def test_a_scheme_keeps_it(kind: SchemeKind, quant: Any, arguments: dict[str, Any]) -> None:
    before = SCHEMES.names(), MODELS.names()
    check_scheme(kind, quant, **arguments)
    assert (SCHEMES.names(), MODELS.names()) == before


def changed(base: type[Scheme], kind: SchemeKind, **parts: Any) -> SchemeKind:
    """A kind whose schemes have other members."""
    made: Any = type("Changed", (base,), parts)

    def build(quant: Any, **arguments: Any) -> Any:
        return made(**vars(kind.build(quant, **arguments)))

    return replace(kind, build=build)


def powers(**parts: Any) -> SchemeKind:
    return changed(Powers, POWERS, **parts)


def learned(**parts: Any) -> SchemeKind:
    return changed(Learned, LEARNED, **parts)


@dataclass(frozen=True)
class Listed(Powers):
    """It holds a list, which has no hash."""

    held: list[int] = field(default_factory=list)


COUNT = itertools.count()


def _counted(self: Any, phase: str, entry: Any) -> None:
    Powers.enter(self, phase, entry)
    entry.kernels[0].set(entry.kernels[0].value * (1 + 0.1 * next(COUNT)))


def _random(self: Any, phase: str, entry: Any) -> None:
    for kernel in entry.kernels:
        kernel.state.set("frozen", np.random.random(kernel.value.shape) > 0.5)


def _of_last_run(self: Any, phase: str, entry: Any) -> None:
    """It reads variables of the kernel before it sets them, and another run may have set them."""
    Powers.enter(self, phase, entry)
    object.__setattr__(self, "limit", float(entry.kernels[0].value.max()))


def _hidden_mask(self: Any, phase: str, state: Mapping[str, Any]) -> Any:
    return tf.logical_not(state["frozen"]) if hasattr(self, "limit") else None


def _by_chance(self: Any, phase: str, state: Mapping[str, Any]) -> Any:
    frozen = state["frozen"]
    return tf.constant(np.random.random(frozen.shape) > 0.5)


def _infinite(self: Any, phase: str, entry: Any) -> None:
    entry.tensors[0].state.set("step", np.inf)


def _more(self: Any, layer: Any, kernel: Any) -> Sequence[StateVariable]:
    return (*Learned.kernel_state(self, layer, kernel), StateVariable("beside", trained=True))


def _as_many(self: Any, layer: Any, kernel: Any) -> Sequence[StateVariable]:
    more = [StateVariable("more")] if self.third > 0.8 else []
    return (*Powers.kernel_state(self, layer, kernel), *more)


def _ends(*ends: Callable[[int, int], PhaseEnd]) -> Any:
    return lambda self, start, end: tuple(one(start, end) for one in ends)


def last(name: str) -> Callable[[int, int], PhaseEnd]:
    return lambda start, end: PhaseEnd(name, end)


def _fails(*_: Any) -> Any:
    raise KeyError("nothing")


BROKEN: dict[str, tuple[Any, str]] = {
    "no kind": (Powers, "is of type type; expected a SchemeKind"),
    "no scheme": (replace(UNIFORM, build=lambda quant: quant), "build gives Quant; expected a Sch"),
    "build": (replace(UNIFORM, build=_fails), "build failed: .*nothing"),
    "refused": (
        replace(UNIFORM, refuses=lambda quant: "It is off."),
        "refuses these set.*It is off",
    ),
    "unequal": (
        powers(__eq__=lambda one, other: one is other, __hash__=object.__hash__),
        "two schemes with equal arguments differ",
    ),
    "list": (changed(Listed, POWERS), "the scheme has no hash"),
    "hash": (powers(__hash__=lambda self: id(self)), "two equal schemes have different hashes"),
    "anything": (powers(__eq__=lambda *_: True, __hash__=lambda self: 1), "equals any object"),
    "no bits": (powers(weight_bits=0), "weight_bits is 0; expected a positive number"),
    "bits as text": (powers(weight_bits="8"), "weight_bits is '8'; expected"),
    "rate": (learned(rate=-1.0), r"rate is -1\.0; expected a number of 0 or more"),
    "averages": (powers(reads_averages=None), "reads_averages is None; expected a truth"),
    "no sentence": (powers(in_file=lambda self: "no"), "in_file gives 'no'; expected None or one"),
    "two of a name": (powers(phases=_ends(last("a"), last("a"))), "its phases are a, a"),
    "float": (powers(phases=_ends(last("float"))), "its phases are float"),
    "no phases": (powers(phases=_ends()), "end at"),
    "short": (
        powers(phases=_ends(lambda start, end: PhaseEnd("a", start))),
        r"its phases of 0 to 1 end at \[0\]",
    ),
    "back": (
        powers(phases=_ends(last("a"), lambda start, end: PhaseEnd("b", start), last("c"))),
        r"its phases of 0 to 1 end at \[1, 0, 1\]",
    ),
    "other names": (
        powers(phases=_ends(lambda start, end: PhaseEnd(f"from {start}", end))),
        "its phases are from 5",
    ),
    "fractions": (
        powers(phases=_ends(lambda s, e: PhaseEnd("a", (s + e) / 2), last("b"))),
        "expected whole numbers in order",
    ),
    "in phase": (powers(in_phase=lambda self, phase: phase), "gives str; expected a Quantization"),
    "lacks": (replace(UNIFORM, lacks=frozenset({"quant.op"})), r"lacks has \['quant\.op'\]"),
    "first phase": (
        replace(POWERS, first_phase={"third": "last"}),
        "first_phase has third: last; expected an argument and one of the phases half, second",
    ),
    "argument of an earlier phase": (
        replace(POWERS, first_phase={"second": "third"}),
        r"second counts from the phase third on, but it changes model\.0, .* in the phase second",
    ),
    "masks of an argument": (
        powers(trains=lambda self, phase, state: tf.fill(state["frozen"].shape, self.second > 0.7)),
        "second counts from the phase second on, but it changes the masks in the phase half",
    ),
    "rate of an argument": (
        powers(rate=property(lambda self: self.third)),
        "third counts from the phase third on, but it changes the rate in the phase half",
    ),
    "variables of an argument": (
        powers(kernel_state=_as_many),
        r"third counts from the phase third on, but it changes scheme.*more in the phase half",
    ),
    "enter fails": (powers(enter=_fails), "enter at the phase half failed: .*nothing"),
    "enter counts": (powers(enter=_counted), r"phase half sets other values of model\.0"),
    "enter draws": (powers(enter=_random), "half sets other values of scheme.*frozen"),
    "infinite": (learned(enter=_infinite), "sets .*step to values that are not finite"),
    "mask of numbers": (
        powers(trains=lambda self, phase, state: tf.cast(state["frozen"], "float32")),
        "trains gives float32 of shape",
    ),
    "mask of a shape": (
        powers(trains=lambda self, phase, state: state["frozen"][0]),
        r"expected bool of shape \(3, 3, 1, 4\)",
    ),
    "mask by chance": (
        powers(trains=_by_chance),
        "trains freezes other values of .* when it is asked again",
    ),
    "hidden": (
        powers(enter=_of_last_run, trains=_hidden_mask),
        "a run that continues in the phase half gets other values of",
    ),
    "no gradient": (learned(kernel_state=_more), "no step changes .*beside.*; no gradient"),
}


@pytest.mark.parametrize(("kind", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_each_break_is_found(kind: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_scheme(kind)


def test_arguments_that_it_does_not_have_are_found() -> None:
    with pytest.raises(AssertionError, match="is not a setting of checked_scheme"):
        check_scheme(POWERS, share=0.5)
