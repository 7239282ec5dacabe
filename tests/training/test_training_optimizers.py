"""Optimizers and schedules against their formulas in double precision."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import training_examples as examples

from qbench.base import device
from qbench.optimizers.fused import FusedSGD, TensorFlow1RMSprop
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES, build_optimizer

GRADIENTS = [np.array([0.5, -2.0, 0.0]), np.array([1.5, 0.25, -3.0]), np.array([-1.0, 4.0, 0.125])]


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _applied(optimizer: Any, gradients: list[Any]) -> list[Any]:
    """The weights after each step, starting at 1."""
    variable = keras.Variable(np.ones(3, np.float32))
    optimizer.build([variable])
    found = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
        found.append(np.array(variable))
    return found


@pytest.mark.parametrize("epsilon", [1.0, 1e-3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_is_that_of_tensorflow_1(epsilon: float, momentum: float) -> None:
    """The mean square starts at 1 and epsilon stands inside the root."""
    weights, square, moment = np.ones(3), np.ones(3), np.zeros(3)
    expected = []
    for gradient in GRADIENTS:
        square = 0.9 * square + 0.1 * gradient**2
        moment = momentum * moment + 0.01 * gradient / np.sqrt(square + epsilon)
        weights = weights - moment
        expected.append(weights)
    optimizer = TensorFlow1RMSprop(0.01, rho=0.9, momentum=momentum, epsilon=epsilon)
    for got, wanted in zip(_applied(optimizer, GRADIENTS), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-7)


def test_first_step_of_rmsprop_by_hand() -> None:
    """Gradient 2: ms = 0.9 + 0.1 * 4 = 1.3; the step is 0.1 * 2 / sqrt(2.3)."""
    optimizer = TensorFlow1RMSprop(0.1, rho=0.9, momentum=0.9, epsilon=1.0)
    (weights,) = _applied(optimizer, [np.array([2.0, 2.0, 2.0])])
    np.testing.assert_allclose(weights, 1 - 0.2 / np.sqrt(2.3), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.5, False), (0.9, False), (0.5, True), (0.9, True)]
)
def test_the_fused_sgd_is_that_of_keras_bit_for_bit(momentum: float, nesterov: bool) -> None:
    generator = np.random.default_rng(0)
    start = generator.normal(size=10_007).astype(np.float32)
    gradients = generator.normal(size=(5, len(start))).astype(np.float32)
    ends = []
    for kind in (FusedSGD, keras.optimizers.SGD):
        schedule = keras.optimizers.schedules.CosineDecay(0.1, 5)
        optimizer = kind(schedule, momentum=momentum, nesterov=nesterov)
        variable = keras.Variable(start)
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        ends.append([np.array(variable), *(np.array(v) for v in optimizer.variables)])
    for mine, theirs in zip(*ends, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def _train(optimizer: dict[str, Any], schedule: dict[str, Any], steps: int = 100) -> Any:
    from qbench.config.experiment import Experiment

    config = examples.experiment().as_config()
    config["train"] |= {
        "optimizer": optimizer,
        "schedule": schedule,
        "steps": steps,
        "learning_rate": 0.1,
    }
    return Experiment.from_config(config).train


def _cosine(step: int, end: float = 0.0) -> float:
    return 0.1 * (end + (1 - end) * (1 + np.cos(np.pi * step / 100)) / 2)


RATES: list[tuple[str, dict[str, Any], dict[int, float]]] = [
    ("constant", {"name": "constant"}, {0: 0.1, 50: 0.1, 99: 0.1}),
    ("cosine", {"name": "cosine"}, {k: _cosine(k) for k in (0, 1, 25, 50, 99, 100)}),
    ("cosine to a tenth", {"name": "cosine", "end_fraction": 0.1}, {50: 0.055, 100: 0.01}),
    (
        "stairs",
        {"name": "exponential", "factor": 0.5, "every": 10},
        {0: 0.1, 9: 0.1, 10: 0.05, 19: 0.05, 20: 0.025, 99: 0.1 * 0.5**9},
    ),
]


@pytest.mark.parametrize(
    ("schedule", "rates"), [case[1:] for case in RATES], ids=[case[0] for case in RATES]
)
def test_schedules_at_given_steps(schedule: dict[str, Any], rates: dict[int, float]) -> None:
    optimizer = build_optimizer(_train({"name": "sgd"}, schedule))
    optimizer.build([])
    for step, rate in rates.items():
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(rate, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_a_schedule_says_whether_it_needs_the_number_of_steps(name: str) -> None:
    rates = []
    for steps in (100, 1000):
        optimizer = build_optimizer(_train({"name": "sgd"}, {"name": name}, steps))
        optimizer.build([])
        optimizer.iterations.assign(50)
        rates.append(float(optimizer.learning_rate))
    assert SCHEDULES[name].needs_steps == (rates[0] != rates[1])


@pytest.mark.parametrize(
    ("schedule", "rates"), [case[1:] for case in RATES], ids=[case[0] for case in RATES]
)
def test_a_step_is_taken_at_the_rate_of_its_number(
    schedule: dict[str, Any], rates: dict[int, float]
) -> None:
    """Plain descent along a gradient of 1, so that each step is as long as its rate."""
    optimizer = build_optimizer(_train({"name": "sgd", "momentum": 0.0}, schedule))
    weights = np.array(_applied(optimizer, [np.ones(3)] * 100))[:, 0]
    steps = -np.diff(weights, prepend=1.0)
    for step, rate in rates.items():
        if step < 100:
            assert steps[step] == pytest.approx(rate, abs=2e-6)


def _sgd(gradients: list[Any], nesterov: bool) -> Any:
    weights, moment = np.ones(3), np.zeros(3)
    for gradient in gradients:
        moment = 0.8 * moment - 0.1 * gradient
        weights = weights + (0.8 * moment - 0.1 * gradient if nesterov else moment)
    return weights


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum(nesterov: bool) -> None:
    choice = {"name": "sgd", "momentum": 0.8, "nesterov": nesterov}
    optimizer = build_optimizer(_train(choice, {"name": "constant"}))
    got = _applied(optimizer, GRADIENTS)[-1]
    np.testing.assert_allclose(got, _sgd(GRADIENTS, nesterov), rtol=0, atol=1e-6)


def test_adam() -> None:
    first, second, weights = np.zeros(3), np.zeros(3), np.ones(3)
    for step, gradient in enumerate(GRADIENTS, 1):
        first = 0.8 * first + 0.2 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        rate = 0.1 * np.sqrt(1 - 0.99**step) / (1 - 0.8**step)
        weights = weights - rate * first / (np.sqrt(second) + 1e-7)
    choice = {"name": "adam", "beta_1": 0.8, "beta_2": 0.99}
    optimizer = build_optimizer(_train(choice, {"name": "constant"}))
    np.testing.assert_allclose(_applied(optimizer, GRADIENTS)[-1], weights, rtol=0, atol=1e-5)


def test_rmsprop_is_built_with_its_arguments() -> None:
    choice = {"name": "rmsprop", "rho": 0.7, "momentum": 0.2, "epsilon": 0.5}
    optimizer = build_optimizer(_train(choice, {"name": "constant"}))
    assert isinstance(optimizer, TensorFlow1RMSprop)
    assert (optimizer.rho, optimizer.momentum, optimizer.epsilon) == (0.7, 0.2, 0.5)


@pytest.mark.parametrize(
    ("table", "name", "defaults"),
    [
        (OPTIMIZERS, "sgd", {"momentum": 0.9, "nesterov": False}),
        (OPTIMIZERS, "rmsprop", {"rho": 0.9, "momentum": 0.9, "epsilon": 1.0}),
        (SCHEDULES, "constant", {}),
        (SCHEDULES, "cosine", {"end_fraction": 0.0}),
    ],
    ids=["sgd", "rmsprop", "constant", "cosine"],
)
def test_arguments_that_are_left_out(table: Any, name: str, defaults: dict[str, Any]) -> None:
    assert table[name].arguments({}) == defaults
