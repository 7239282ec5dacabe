"""Losses that layers add, against a plain loop: once each, in every phase."""

from __future__ import annotations

import own_models as own
import pytest
from penalized_networks import PENALIZED
from unusual_networks import regularized

# Keras says of `masked` that its convolution reads every pixel all the same.
pytestmark = pytest.mark.filterwarnings("ignore:.*was passed an input with a mask:UserWarning")


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(phase, marks=() if phase in ("quantized", "folded") else pytest.mark.slow)
        for phase in own.PHASES
    ],
)
@pytest.mark.parametrize("build", PENALIZED.values(), ids=PENALIZED)
def test_added_losses_are_trained_as_in_a_plain_loop(build, phase, monkeypatch):
    own.register(monkeypatch, build)
    chosen = own.experiment(own.PHASES[phase])
    network = own.fresh(chosen)
    model, without = own.plain(network, build), own.plain(network, build)
    training = "frozen" not in phase
    own.plain_loop(model, chosen, own.sgd(chosen), training=training)
    own.trained(network, chosen)
    got = own.trainable(network.model)
    assert own.furthest(got, own.trainable(model)) < 1e-5
    if phase == "float":  # and they are not what they are without the losses
        own.plain_loop(without, chosen, own.sgd(chosen), penalties=False)
        assert own.furthest(got, own.trainable(without)) > 1e-3


def test_the_loss_that_is_reported_is_the_cross_entropy(monkeypatch):
    """At the first step it is the same whatever is added; afterwards the weights differ."""
    histories = []
    for l2 in (0.0, 0.5):
        own.register(monkeypatch, lambda shape, classes, l2=l2: regularized(shape, classes, l2))
        chosen = own.experiment({"train.steps": 2})
        histories.append([row["loss"] for row in own.trained(own.fresh(chosen), chosen)])
    assert histories[0][0] == histories[1][0]
    assert histories[0][1] != histories[1][1]
