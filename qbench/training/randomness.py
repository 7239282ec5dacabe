"""Random numbers of layers that follow from seed and step: dropout, noise, augmentation.

A Keras layer draws from the generators (`keras.random.SeedGenerator`) that it owns. What a
generator gives follows from its state, two whole numbers, and every draw moves the state on. The
states are no weights: neither Keras nor qbench saves them. So every step sets them anew.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Keras takes a state modulo this number, so that larger ones would come twice.
_STATES = tf.int32.max - 1


def generator_states(model: Any) -> list[Any]:
    """The states of all generators of a model's layers, (2,) whole numbers each, in its order.

    The order is that of the layers in the model, whichever of its views they are called in.
    """
    weights = {id(variable) for variable in model.weights}
    states = {id(v): v for v in model.variables if id(v) not in weights}
    return list(states.values())  # a generator that two layers share comes once


def set_states(states: list[Any], seed: Any, step: Any) -> None:
    """Set generator states to what they are at the start of a step.

    Args:
        states: of the generators, see `generator_states`.
        seed: () int64, not negative.
        step: () int64.

    A state follows from seed, step and the generator's place in the list. The key is another than
    that of the augmentation of images, whose first number is not negative.
    """
    if not states:
        return
    draws = tf.random.stateless_uniform(
        (len(states), 2),
        tf.stack([-1 - seed, step]),
        minval=0,
        maxval=_STATES,
        dtype=tf.int64,
        alg="philox",
    )
    for state, draw in zip(states, tf.unstack(draws), strict=True):
        state.assign(tf.cast(draw, state.dtype))
