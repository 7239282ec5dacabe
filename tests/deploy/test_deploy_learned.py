"""Step sizes that training has moved where no file can follow: refused, in files and packed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from deploy_examples import DEPLOY, measured, network, quant
from toy_schemes import registered

from qbench.base.errors import QbenchError
from qbench.config.groups import Choice
from qbench.deploy.agreement import check_codes
from qbench.deploy.export import export_model
from qbench.deploy.packing import contents
from qbench.quantize.analysis import analyse
from qbench.quantize.states import QuantizerState, States, kernel_name
from qbench.quantize.traits import kernels

NOT_CONVERTED = [-0.1, 0.0, np.nan, np.inf]


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def learned() -> Any:
    """(model, averages, settings, states) of an untrained network; every step is 0.1."""
    chosen, model = quant(**DEPLOY, scheme=Choice(name="learned")), network()
    plan = analyse(model, chosen.quantization)
    layers = [call.op for call in plan.calls if call.op.name in plan.kernels]
    owners = dict.fromkeys(plan.range_owner(one.root) for one in plan.quantized_tensors)
    states = States(
        {kernel_name(layer, kernels(layer)[0]): _step() for layer in layers},
        {owner: _step() for owner in owners},
    )
    return model, measured(model), chosen, states


def _step() -> QuantizerState:
    return QuantizerState({"step": keras.Variable(0.1, dtype="float32")})


@pytest.mark.parametrize("make", [export_model, contents], ids=["file", "packed"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [("tensors", value) for value in NOT_CONVERTED]
    + [("kernels", value) for value in NOT_CONVERTED if value],
)
def test_a_step_that_is_not_above_zero_is_refused(
    learned: Any, make: Any, kind: str, value: float
) -> None:
    model, averages, chosen, states = learned
    make(model, averages, chosen, states=states)
    name, state = next(iter(getattr(states, kind).items()))
    state.set("step", value)
    try:
        with pytest.raises(QbenchError, match=r"the step of its grid is .*; files and") as raised:
            make(model, averages, chosen, states=states)
    finally:
        state.set("step", 0.1)
    assert str(raised.value).startswith(name.replace("/", " "))


def test_a_code_that_is_not_a_number_is_on_no_grid() -> None:
    assert list(check_codes("op", np.array([1.0, -2.1]))) == [1, -2]
    with pytest.raises(QbenchError, match="a value lies nan steps"):
        check_codes("op", np.array([1.0, np.nan]))
