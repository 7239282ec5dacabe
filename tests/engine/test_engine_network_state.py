"""A stored state holds everything: a fresh network goes on from it as if nothing had happened."""

import numpy as np
import pytest
from engine_examples import CONFIG, digits, nothing

from qbench.config.experiment import Experiment
from qbench.storage.state import pack, unpack
from qbench.training.loop import train_phase
from qbench.training.network import Network

OPTIMIZERS = {
    "sgd": {"train.optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
    "adam": {"train.optimizer": {"name": "adam"}, "train.learning_rate": 0.001},
    "rmsprop": {
        "train.optimizer": {"name": "rmsprop"},
        "train.schedule": {"name": "exponential", "every": 3, "factor": 0.5},
    },
}


def _experiment(optimizer):
    config = {**CONFIG, "train": dict(CONFIG["train"]), "quant": dict(CONFIG["quant"])}
    for key, value in OPTIMIZERS[optimizer].items():
        config["train"][key.partition(".")[2]] = value
    config["quant"]["range_given"] = True
    return Experiment.from_config(config)


def _train(network, chosen, phase, span, losses):
    train_phase(network, chosen, digits(), phase, span, losses, nothing)


def _same(one, other):
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], strict=True, err_msg=name)
    np.testing.assert_array_equal(one.losses, other.losses, strict=True)


@pytest.mark.parametrize(
    "optimizer",
    [pytest.param(name, marks=() if name == "adam" else pytest.mark.slow) for name in OPTIMIZERS],
)
def test_a_fresh_network_goes_on_as_if_there_had_been_no_break(optimizer):
    chosen = _experiment(optimizer)
    network, losses = Network(chosen, digits()), []
    network.initialise(0)
    _train(network, chosen, "float", (0, 3), losses)
    in_float = pack(network.state(losses))
    _train(network, chosen, "float", (3, 5), losses)
    _train(network, chosen, "quantized", (5, 8), losses)
    in_quantized = pack(network.state(losses))
    _train(network, chosen, "quantized", (8, 10), losses)
    end = network.state(losses)

    fresh = Network(chosen, digits())
    fresh.initialise(7)  # whatever it holds is replaced
    _same(fresh.state([]), _with_same_shapes(fresh, end))
    plans = [(in_quantized, [("quantized", (8, 10))])]
    if optimizer == "sgd":
        plans.append((in_float, [("float", (3, 5)), ("quantized", (5, 10))]))
    for content, plan in plans:
        state = unpack(content)
        fresh.set_state(state)
        again = [float(loss) for loss in state.losses]
        for phase, span in plan:
            _train(fresh, chosen, phase, span, again)
        _same(fresh.state(again), end)
        assert fresh.weights_hash() == network.weights_hash()
        assert fresh.ranges() == network.ranges()


def _with_same_shapes(network, end):
    """The network's own state, after a check that `end` has arrays of the same kind."""
    own = network.state([])
    kinds = [{k: (a.shape, a.dtype) for k, a in s.arrays.items()} for s in (own, end)]
    assert kinds[0] == kinds[1]
    return own


def test_the_state_covers_every_variable_of_the_network():
    chosen = _experiment("adam")
    network = Network(chosen, digits())
    network.initialise(0)
    counted = sum(
        len(variables)
        for variables in (
            network.model.trainable_variables,
            network.model.non_trainable_variables,
            network.optimizer.variables,
            network.averages.variables,
        )
    )
    state = network.state([])
    assert len(state.arrays) == counted
    assert len([v for v in network.optimizer.variables if "iteration" in v.path]) == 1
