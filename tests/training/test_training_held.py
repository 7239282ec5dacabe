"""Constraints, and what is not trainable, in every phase and with every optimizer."""

from __future__ import annotations

import keras
import numpy as np
import own_models as own
import pytest
from held_networks import FROZEN, constrained, constrained_by_own

OPTIMIZERS = {
    "sgd": {"name": "sgd", "momentum": 0.0},
    "momentum": {"name": "sgd", "momentum": 0.9},
    "nesterov": {"name": "sgd", "momentum": 0.9, "nesterov": True},
    "adam": {"name": "adam"},
    "rmsprop": {"name": "rmsprop", "epsilon": 1.0e-3},
}


def _update(chosen):
    """The optimizer of an experiment as Keras has it; RMSProp by TensorFlow 1's formula."""
    name, settings = chosen.train.optimizer.name, chosen.train.optimizer.arguments
    if name != "rmsprop":
        kind = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[name]
        optimizer = kind(chosen.train.learning_rate, **settings)
        return lambda gradients, variables: optimizer.apply(gradients, variables)
    squares, moments = {}, {}

    def update(gradients, variables):
        for k, (gradient, variable) in enumerate(zip(gradients, variables, strict=True)):
            squares[k] = 0.9 * squares.get(k, 1.0) + 0.1 * gradient**2
            step = chosen.train.learning_rate * gradient / (squares[k] + settings["epsilon"]) ** 0.5
            moments[k] = 0.9 * moments.get(k, 0.0) + step
            variable.assign_sub(moments[k])
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))

    return update


@pytest.mark.parametrize(
    ("build", "optimizer"),
    [*((constrained, optimizer) for optimizer in OPTIMIZERS), (constrained_by_own, "momentum")],
)
def test_constraints_hold_after_every_step_as_in_a_plain_loop(build, optimizer, monkeypatch):
    own.register(monkeypatch, build)
    rate = 0.003 if optimizer == "adam" else 0.05
    values = {"train.learning_rate": rate, "quant.bits": 30, "quant.delay": 0.5}
    chosen = own.experiment(values, OPTIMIZERS[optimizer])
    network = own.fresh(chosen)
    model = own.plain(network, build)
    free = [variable.numpy() for variable in model.trainable_variables]
    own.plain_loop(model, chosen, _update(chosen))
    own.trained(network, chosen)
    assert own.furthest(own.trainable(network.model), own.trainable(model)) < 1e-5
    for variable, start in zip(network.model.trainable_variables, free, strict=True):
        assert np.abs(variable.numpy() - start).max() > 0, variable.path
        if variable.constraint is not None:
            np.testing.assert_allclose(variable.constraint(variable), variable, atol=1e-6)


@pytest.mark.parametrize("phase", own.PHASES)
@pytest.mark.parametrize("build", FROZEN.values(), ids=FROZEN)
def test_what_is_not_trainable_keeps_its_bits(build, phase, monkeypatch):
    """With weight decay; a frozen normalization keeps its statistics and uses them."""
    own.register(monkeypatch, build)
    chosen = own.experiment(own.PHASES[phase])
    network = own.fresh(chosen)
    generator = np.random.default_rng(3)
    for weight in network.model.weights:  # so that statistics and gammas are not as they start
        weight.assign(weight.numpy() + generator.uniform(0.1, 0.5, weight.shape))
    model = own.plain(network, build)
    before = {weight.path: weight.numpy() for weight in network.model.weights}
    own.plain_loop(model, chosen, own.sgd(chosen), training="frozen" not in phase)
    own.trained(network, chosen)
    assert own.furthest(own.trainable(network.model), own.trainable(model)) < 1e-5
    moving = {variable.path for variable in network.model.trainable_variables}
    for layer in network.model.layers:
        if hasattr(layer, "moving_mean") and layer.trainable and "frozen" not in phase:
            moving |= {layer.moving_mean.path, layer.moving_variance.path}
    for weight in network.model.weights:
        same = np.array_equal(weight.numpy(), before[weight.path])
        assert same == (weight.path not in moving), weight.path
