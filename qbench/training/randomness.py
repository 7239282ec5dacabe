"""Derives the random numbers of layers from seed and step: dropout, noise, augmentation.

A Keras layer draws from its own generators (`keras.random.SeedGenerator`). The numbers of a
generator follow from its state, two whole numbers, and every draw changes the state. The states are
not weights: neither Keras nor qbench saves them. So every step sets them.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Keras takes a state modulo this number, so larger states would repeat smaller ones.
_STATES = tf.int32.max - 1


def generator_states(model: Any) -> list[Any]:
    """The states of all generators of a model's layers, (2,) whole numbers each, in order.

    The order is the order of the layers in the model; it is the same for all its views.
    """
    weights = {id(variable) for variable in model.weights}
    states = {id(v): v for v in model.variables if id(v) not in weights}
    return list(states.values())  # a generator that two layers share counts once


def set_states(states: list[Any], seed: Any, step: Any) -> None:
    """Set generator states to their values at the start of a step.

    A state follows from seed, step and the generator's place in the list. Its key differs from the
    key for the augmentation of images, because the first number of that key is not negative.

    Args:
        states: the states of the generators, see `generator_states`.
        seed: () int64, not negative.
        step: () int64.
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
