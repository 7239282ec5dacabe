"""Steps with the variables of a scheme: frozen weights keep their bits, step sizes are trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import own_models as own
import pytest
import training_examples as examples
from keras import layers
from toy_schemes import registered, to_power

from qbench.base.keras_private import slots_of
from qbench.config.experiment import Experiment
from qbench.data.batches import Batches
from qbench.data.preprocessing import network_input
from qbench.training.loop import train_phase

OPTIMIZERS = {
    "sgd": {"name": "sgd", "momentum": 0.9},
    "nesterov": {"name": "sgd", "momentum": 0.9, "nesterov": True},
    "adam": {"name": "adam"},
    "rmsprop": {"name": "rmsprop"},
}
SLOTS = {"sgd": 1, "adam": 2, "rmsprop": 2}
ALIKE = ("nesterov", "adam")


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


def _with_scheme(base: Experiment, scheme: dict[str, Any], **train: Any) -> Experiment:
    config = base.as_config()
    config["quant"]["scheme"] = scheme
    config["train"] |= train
    return Experiment.from_config(config)


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(optimizer, id=name, marks=pytest.mark.slow if name in ALIKE else ())
        for name, optimizer in OPTIMIZERS.items()
    ],
)
def test_frozen_weights_keep_their_bits_and_the_others_are_trained(optimizer: Any) -> None:
    scheme = {"name": "powers"}
    chosen = _with_scheme(
        examples.experiment({"train.weight_decay": 0.1}), scheme, optimizer=optimizer
    )
    network, losses = examples.fresh(chosen), []
    data = examples.digits()

    def trained(phase: str, *span: int) -> dict[str, tuple[Any, Any, Any]]:
        train_phase(network, chosen, data, phase, span, losses, lambda new, loss: None)
        kernels = network.applied(chosen.scheme).quantized_kernels()
        states = network.states(chosen.scheme)
        return {
            layer.name: (
                kernel.numpy(),
                states.of_kernel(layer, kernel).arrays()["frozen"],
                [slot.numpy() for slot in slots_of(network.optimizer, kernel)],
            )
            for layer, kernel, _ in kernels
        }

    trained("float", 0, 5)
    half, later = trained("half", 5, 6), trained("second", 6, 7)
    last = trained("third", 7, 10)
    for name, (value, frozen, slots) in half.items():
        assert 0.4 < frozen.mean() < 0.6
        np.testing.assert_array_equal(value[frozen], to_power(value[frozen]))
        assert (value[~frozen] != to_power(value[~frozen])).any()
        for after, still, kept in (later[name], last[name]):
            np.testing.assert_array_equal(after[frozen], value[frozen])
            for slot, old in zip(kept, slots, strict=True):  # momentum and the like
                np.testing.assert_array_equal(slot[frozen], old[frozen])
                assert old[frozen].any() and (slot[~frozen] != old[~frozen]).any()
            assert still[frozen].all() and still.sum() > frozen.sum()
        assert len(slots) == SLOTS[optimizer["name"]]
        moved, free = last[name][0], ~last[name][1]
        assert (moved[free] != value[free]).all()


def test_incremental_quantization_ends_in_powers_of_two_and_biases_train_on() -> None:
    """After the last portion no bit of a kernel moves, nor of its momentum."""
    scheme = {"name": "inq", "portions": [0.5, 1.0]}
    base = examples.experiment({"quant.activation_bits": "float", "quant.bits": 4})
    chosen = _with_scheme(base, scheme)
    network, data, losses = examples.fresh(chosen), examples.digits(), []

    def trained(phase: str, *span: int) -> tuple[list[Any], list[Any]]:
        train_phase(network, chosen, data, phase, span, losses, lambda new, loss: None)
        entered = network.applied(chosen.scheme).entered_kernels()
        slots = [slot for one in entered for slot in slots_of(network.optimizer, one.variable)]
        own = {id(one.variable) for one in entered}
        others = [one for one in network.model.trainable_variables if id(one) not in own]
        return [v.numpy() for v in (*(one.variable for one in entered), *slots)], [
            v.numpy() for v in others
        ]

    trained("float", 0, 5)
    half, _ = trained("inq_50", 5, 7)
    before, free = trained("inq_100", 7, 8)
    after, moved = trained("inq_100", 8, 10)
    assert any((a != b).any() for a, b in zip(half, before, strict=True))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all((a != b).any() for a, b in zip(free, moved, strict=True))
    for one in network.applied(chosen.scheme).entered_kernels():
        assert one.state.arrays()["frozen"].all()
        fractions, _ = np.frexp(np.abs(one.quantized))
        assert set(fractions.ravel().tolist()) <= {0.0, 0.5}  # 0 and powers of two
        assert len(np.unique(np.abs(one.quantized))) <= 1 + 2 ** (4 - 2)


def test_tensors_that_share_a_range_share_one_step_size() -> None:
    counts = []
    for tied in (False, True):
        values = {"quant.placement": ["conv", "activation", "add"], "quant.tie_inputs": tied}
        chosen = _with_scheme(examples.experiment(values), {"name": "learned"})
        applied = examples.fresh(chosen).applied(chosen.scheme)
        view = examples.fresh(chosen).view(chosen.quant.quantization, chosen.scheme)
        counts.append((len(applied.states.tensors), len(view.insertions)))
        assert len(applied.trained) == len(list(applied.states.variables()))
    (apart, inserted), (together, as_many) = counts
    assert inserted == as_many and 0 < together < apart


def _lsq(x: Any, step: Any, low: int, high: int) -> tuple[Any, Any, Any]:
    """x_hat, d x_hat / d x and d x_hat / d step of the learned quantizer, in numpy."""
    v = x / step
    inside = (v > low) & (v < high)
    codes = np.clip(np.rint(v), low, high)
    return codes * step, inside, np.where(inside, np.rint(v) - v, codes)


def _flat(shape: Any, classes: int) -> Any:
    import keras

    image = keras.Input(shape, name="image")
    x = layers.Flatten(name="flat")(image)
    return keras.Model(image, layers.Dense(classes, name="logits")(x))


def test_step_sizes_are_trained_by_their_gradients_with_their_own_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first step after entering, against a formula for one dense layer."""
    own.register(monkeypatch, _flat)
    base = own.experiment(
        {"quant.delay": 0.25, "quant.placement": ["deploy"], "train.weight_decay": 0.0},
    )
    cosine = {"name": "cosine", "end_fraction": 0.0}
    scheme = {"name": "learned", "multiplier": 0.02}
    chosen = _with_scheme(base, scheme, schedule=cosine).with_values({"quant.bits": 4})
    network, data = own.fresh(chosen), own.digits()

    def trained(phase: str, *span: int) -> None:
        train_phase(network, chosen, data, phase, span, [0.0] * span[0], lambda new, loss: None)

    trained("float", 0, 1)
    network.enter(chosen.scheme, ("quantized",), chosen.seed, 1)
    before = network.applied(chosen.scheme).saved()
    kernel, bias = (np.asarray(w, np.float64) for w in network.model.get_weights())
    trained("quantized", 1, 2)
    after = network.applied(chosen.scheme).saved()

    names = ["kernel:logits/kernel:step", "tensor:image:step", "tensor:logits:step"]
    assert sorted(before) == names
    s_kernel, s_image, s_logits = (float(before[name]) for name in names)
    indices = Batches(len(data.train_images), chosen.train.batch_size, chosen.seed).indices(1)
    image = network_input(data.train_images[np.asarray(indices)], "inception", None).numpy()
    flat = image.reshape(len(image), -1).astype(np.float64)
    x, _, to_image = _lsq(flat, s_image, -8, 7)
    w, _, to_kernel = _lsq(kernel, s_kernel, -7, 7)
    y, inside, to_logits = _lsq(x @ w + bias, s_logits, -8, 7)
    shifted = np.exp(y - y.max(axis=1, keepdims=True))
    ahead = shifted / shifted.sum(axis=1, keepdims=True)
    ahead[np.arange(len(y)), data.train_labels[np.asarray(indices)]] -= 1
    ahead /= len(y)
    back = ahead * inside
    gradients = [
        (x.T @ back * to_kernel).sum(),
        (back @ w.T * to_image).sum(),
        (ahead * to_logits).sum(),
    ]
    rate = 0.05 * 0.02 * 0.5 * (1 + math.cos(math.pi * 1 / 4))
    for name, gradient in zip(names, gradients, strict=True):
        moved = float(after[name]) - float(before[name])
        assert abs(gradient) > 1e-4
        np.testing.assert_allclose(moved, -rate * gradient, rtol=2e-3, atol=1e-8)
    assert int(network.applied(chosen.scheme).optimizer.iterations) == 1
