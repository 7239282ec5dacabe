"""What a scheme says of its variables and masks, checked against the kernels they are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import training_examples as examples
from toy_schemes import no_loss

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.quantize.states import StateVariable
from qbench.schemes import Scheme
from qbench.training.scheme_state import SchemeState


@pytest.fixture(scope="module", autouse=True)
def _started() -> None:
    device.start(2)


@dataclass(frozen=True)
class Masked(Scheme):
    """Gives any mask, from variables with these names."""

    mask: Any = None
    names: tuple[str, ...] = ("kept",)

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        return [StateVariable(name, tuple(kernel.shape), 1, "bool") for name in self.names]

    def trains(self, phase: str, state: Any) -> Any:
        return self.mask(state["kept"])


@dataclass(frozen=True)
class Stepped(Scheme):
    """A trained variable for each kernel."""

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        return [StateVariable("step", initial=1.0, trained=True)]


def _model() -> Any:
    image = keras.Input((4,), name="image")
    return keras.Model(image, keras.layers.Dense(3, name="logits")(image))


def _state(**fields: Any) -> SchemeState:
    chosen = examples.experiment()
    return SchemeState(Masked(_quantization(), **fields), _model(), chosen.train)


def _quantization() -> Any:
    return examples.experiment().quant.quantization


MASKS = {
    "numbers": (lambda kept: tf.cast(kept, tf.float32), r"float32 of shape \(4, 3\)"),
    "channels": (lambda kept: kept[0], r"bool of shape \(3,\)"),
    "one": (lambda kept: True, r"bool of shape \(\)"),
}


@pytest.mark.parametrize("case", MASKS)
def test_a_mask_is_bool_and_has_the_shape_of_its_kernel(case: str) -> None:
    mask, given = MASKS[case]
    said = rf"^logits/kernel: the scheme's `trains` gives {given}; expected bool of shape \(4, 3\)"
    with pytest.raises(QbenchError, match=said):
        _state(mask=mask).masks("quantized")
    (pair,) = _state(mask=lambda kept: kept).masks("quantized")
    assert pair[0].path == "logits/kernel" and bool(tf.reduce_all(pair[1]))


def test_the_variables_of_a_kernel_have_names_of_their_own() -> None:
    with pytest.raises(QbenchError, match=r"^logits/kernel: the scheme has several variables of"):
        _state(names=("kept", "kept"))


@pytest.mark.parametrize("name", ["constant", "cosine"])
def test_adam_corrects_the_bias_of_slots_that_begin_with_the_phase(name: str) -> None:
    """Its first update is the learning rate of the step, whatever the gradient."""
    config = examples.experiment().as_config()
    config["train"] |= {"steps": 1000, "optimizer": {"name": "adam"}, "schedule": {"name": name}}
    chosen, model = Experiment.from_config(config), _model()
    state = SchemeState(Stepped(_quantization()), model, chosen.train)
    averages = RangeAverages(rewrite(model, None).tensors, 0.9)
    (step,) = state.trained
    for first in (600, 900):  # entered again, it begins again
        state.enter(("quantized",), averages, 0, first, no_loss)
        state.optimizer.apply([tf.constant(-3.0)], [step])
        rate = chosen.train.learning_rate
        rate *= 1 if name == "constant" else (1 + np.cos(np.pi * first / 1000)) / 2
        assert float(step) == pytest.approx(1 + rate, abs=rate * 1e-3)
