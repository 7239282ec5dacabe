"""Random layers: what they draw follows from seed, step and place, whoever trains."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import own_models as own
import pytest
import tensorflow as tf
from keras import layers
from random_networks import RANDOM, augmented, dropouts, own_generators

from qbench.quantize.scheme import scheme_of
from qbench.storage.state import pack, unpack
from qbench.training.loop import train_phase
from qbench.training.randomness import generator_states, set_states

EACH = pytest.mark.parametrize("build", RANDOM.values(), ids=RANDOM)
# These have the largest graphs. Their generators are Keras' own, as those of dropout.
LARGE = ("attention", "augmented")
QUICK = pytest.mark.parametrize(
    "build",
    [
        pytest.param(build, id=name, marks=pytest.mark.slow if name in LARGE else ())
        for name, build in RANDOM.items()
    ],
)


def states_at(seed, step, count):
    """The states of `count` generators at a step, as plain numbers."""
    own.digits()
    states = [keras.random.SeedGenerator(9).state for _ in range(count)]
    set_states(states, tf.constant(seed, tf.int64), tf.constant(step, tf.int64))
    return [tuple(state.numpy().tolist()) for state in states]


def test_states_differ_by_seed_step_and_place_alone():
    every = [
        state
        for seed in (0, 1, 2**31 - 1)
        for step in (0, 1, 999)
        for state in states_at(seed, step, 4)
    ]
    assert len(set(every)) == 3 * 3 * 4
    assert all(0 <= word < 2**31 - 2 for state in every for word in state)
    assert states_at(1, 999, 4) == states_at(1, 999, 4)
    assert states_at(1, 999, 2) == states_at(1, 999, 4)[:2]  # others behind it do not count


def test_states_are_not_the_numbers_of_the_augmentation():
    """Which draws from the key (seed, step)."""
    key = tf.constant([5, 3], tf.int64)
    drawn = tf.random.stateless_uniform((4, 2), key, 0, 2**31 - 2, tf.int64, alg="philox")
    assert not set(drawn.numpy().ravel()) & {word for s in states_at(5, 3, 4) for word in s}


@EACH
def test_every_generator_of_a_network_is_found_once(build):
    own.digits()
    model = build((8, 8, 1), 10)
    found = generator_states(model)
    drawing = {id(v) for v in model.non_trainable_variables if "seed_generator" in v.path}
    assert [id(state) for state in found] == list(dict.fromkeys(id(state) for state in found))
    assert {id(state) for state in found} == drawing
    assert len(found) > 0
    assert not {id(state) for state in found} & {id(weight) for weight in model.weights}


@pytest.mark.parametrize("phase", ["float", "quantized"])
@pytest.mark.parametrize(
    "build", [dropouts, own_generators, pytest.param(augmented, marks=pytest.mark.slow)]
)
def test_training_is_that_of_a_plain_loop_with_these_states(build, phase, monkeypatch):
    own.register(monkeypatch, build)
    chosen = own.experiment(own.PHASES[phase])
    network = own.fresh(chosen)
    ends = []
    for shift in (0, 1):
        model = own.plain(network, build)
        states = generator_states(model)

        def set_all(number, states=states, shift=shift):
            seed, step = tf.constant(0, tf.int64), tf.constant(number + shift, tf.int64)
            set_states(states, seed, step)

        own.plain_loop(model, chosen, own.sgd(chosen), set_all)
        ends.append(own.trainable(model))
    own.trained(network, chosen)
    got = own.trainable(network.model)
    assert own.furthest(got, ends[0]) < 1e-5
    assert own.furthest(got, ends[1]) > 1e-3  # the states of the next step are others


@QUICK
def test_pieces_give_the_bits_of_the_whole(build, monkeypatch):
    """With a new network after each cut, and with one that has trained something else before."""
    own.register(monkeypatch, build)
    chosen = own.experiment()
    network = own.fresh(chosen)
    history = own.trained(network, chosen)
    whole = network.weights_hash()
    own.trained(network, chosen.with_values({"seed": 1}))
    assert network.weights_hash() != whole
    network.initialise(chosen.seed)
    assert own.trained(network, chosen) == history
    assert network.weights_hash() == whole

    losses: list[float] = []
    network.initialise(chosen.seed)
    for first, end in pairwise((0, 1, 2, 3, 4)):
        phase = "float" if end <= 2 else "quantized"
        train_phase(network, chosen, own.digits(), phase, (first, end), losses, lambda *_: None)
        state = unpack(pack(network.state(losses)))
        if end == 3:
            network = own.fresh(chosen.with_values({"seed": 9}))
        network.set_state(state)
    assert network.weights_hash() == whole


@QUICK
def test_evaluation_draws_nothing(build, monkeypatch):
    own.register(monkeypatch, build)
    chosen = own.experiment(own.PHASES["quantized"])
    network, images = own.fresh(chosen), own.digits().test_images[:20]
    forward = network.forward(scheme_of(chosen.quant))
    once = forward(images).numpy()
    for state in generator_states(network.model):
        state.assign([1, 2])
    np.testing.assert_array_equal(forward(images), once)
    np.testing.assert_array_equal(own.fresh(chosen).forward(scheme_of(chosen.quant))(images), once)


def test_masks_differ_from_step_to_step_and_from_layer_to_layer():
    own.digits()
    image = keras.Input((200,))
    model = keras.Model(image, [layers.Dropout(0.5)(image), layers.Dropout(0.5)(image)])
    masks = []
    for step in (0, 1):
        set_states(generator_states(model), tf.constant(0, tf.int64), tf.constant(step, tf.int64))
        masks += [np.asarray(y) > 0 for y in model(np.ones((1, 200), np.float32), training=True)]
    for k, one in enumerate(masks):
        assert 60 < one.sum() < 140
        for other in masks[:k]:
            assert 60 < (one != other).sum() < 140
