"""The check itself: made once, it leaves weights alone and sees what a builder did to Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import unusual_networks as unusual

from qbench.base.errors import QbenchError
from qbench.tasks.classification import Classification

TEN = Classification(10)
SETTINGS = [
    (keras.config.set_image_data_format, "channels_first", "channels_last"),
    (keras.config.set_floatx, "float16", "float32"),
    (keras.config.set_epsilon, 1e-4, 1e-7),
    (keras.config.set_dtype_policy, "mixed_float16", "float32"),
]


@pytest.mark.parametrize(("change", "value", "back"), SETTINGS, ids=[s[1] for s in SETTINGS])
def test_settings_of_keras_that_a_network_changes_are_named(change, value, back, build):
    def builder(shape, classes):
        change(value)
        return unusual.dropout(shape, classes)

    try:
        with pytest.raises(
            QbenchError, match=rf"is {value}; qbench \w+ (in )?{back}|takes channels"
        ):
            build(builder)
    finally:
        change(back)


def test_a_strategy_that_distributes_a_network_is_refused(build):
    strategy = tf.distribute.MirroredStrategy(["/CPU:0"])

    def builder(shape, classes):
        with strategy.scope():
            return unusual.dropout(shape, classes)

    said = r"strategy of tf\.distribute; .* leave the strategy out"
    with pytest.raises(QbenchError, match=said):
        build(builder)
    with strategy.scope(), pytest.raises(QbenchError, match=said):
        build(unusual.dropout)


def test_a_network_is_checked_once_for_each_shape_and_argument(build, monkeypatch):
    from qbench.models import registry

    seen = []
    monkeypatch.setattr(registry, "check_network", lambda model, *where: seen.append(where))

    def builder(shape, classes, width=4):
        return unusual.sequential(shape, classes)

    for arguments, side in (({}, 8), ({}, 8), ({"width": 8}, 8), ({}, 16), ({"width": 8}, 8)):
        build(builder, arguments, (side, side, 1))
    assert seen == [((8, 8, 1), TEN), ((8, 8, 1), TEN), ((16, 16, 1), TEN)]


def test_the_check_leaves_the_weights_as_they_were(build):
    """It runs a network with a layer that it does not know under other weights."""
    keras.utils.set_random_seed(5)
    expected = unusual.own_layer((8, 8, 1), 10).get_weights()
    keras.utils.set_random_seed(5)
    found = build(unusual.own_layer).get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))
