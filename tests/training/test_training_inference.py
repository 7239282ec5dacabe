"""The test set in batches, whose last one may hold fewer images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import training_examples as examples

from qbench.data.preprocessing import network_input
from qbench.quantize.scheme import scheme_of
from qbench.training.inference import run_test_set
from qbench.training.network import Network

LIMIT = 130


@pytest.fixture(scope="module")
def network() -> Network:
    """One network, trained for ten steps and then only read."""
    chosen = examples.experiment()
    trained = examples.fresh(chosen)
    examples.trained(trained, chosen)
    return trained


def _logits(network: Network, values: dict[str, Any]) -> Any:
    chosen = examples.experiment({"eval.limit": LIMIT} | values)
    logits, labels = run_test_set(network, chosen, examples.digits())
    np.testing.assert_array_equal(labels, examples.digits().test_labels[: chosen.eval.limit])
    return logits


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("float", {"quant.enabled": False}),
    ("measured ranges", {}),
    ("range given", {"quant.range_given": True}),
    ("fake_quant", {"quant.op": "fake_quant"}),
]
KIND = pytest.mark.parametrize("values", [k[1] for k in KINDS], ids=[k[0] for k in KINDS])


@KIND
@pytest.mark.parametrize("size", [40, 64, 129, 130, 1000])
def test_batches_are_those_cut_by_hand(network: Network, values: dict[str, Any], size: int) -> None:
    images = examples.digits().test_images[:LIMIT]
    forward = network.forward(scheme_of(examples.experiment(values).quant))
    expected = [np.asarray(forward(images[k : k + size])) for k in range(0, LIMIT, size)]
    assert len(expected[-1]) == (LIMIT % size or size if size < LIMIT else LIMIT)
    got = _logits(network, values | {"eval.batch_size": size})
    assert (got.shape, got.dtype) == ((LIMIT, 10), np.float32)
    np.testing.assert_array_equal(got, np.concatenate(expected))


def test_measured_ranges_depend_on_the_batch_size(network: Network) -> None:
    """Each batch is quantized by its own ranges, so the figures go with eval.batch_size."""
    one, two = (_logits(network, {"eval.batch_size": size}) for size in (40, 64))
    assert np.abs(one - two).max() > 1e-3


@pytest.mark.parametrize("values", [k[1] for k in KINDS if k[0] != "measured ranges"])
def test_other_ranges_do_not(network: Network, values: dict[str, Any]) -> None:
    """Up to the order of float32 sums, which may move a value to the next code."""
    one, two = (_logits(network, values | {"eval.batch_size": size}) for size in (40, 64))
    np.testing.assert_allclose(one, two, rtol=0, atol=0.02 * np.abs(one).max())


def test_the_last_batch_is_not_padded(network: Network) -> None:
    """Its logits are those of its images alone, whatever stood before them."""
    images = examples.digits().test_images[:LIMIT]
    forward = network.forward(scheme_of(examples.experiment().quant))
    got = _logits(network, {"eval.batch_size": 50})
    np.testing.assert_array_equal(got[100:], np.asarray(forward(images[100:])))
    assert len(got[100:]) == 30


@pytest.mark.parametrize("limit", [1, 7, 599, 600, None])
def test_the_limit_takes_the_first_images(network: Network, limit: int | None) -> None:
    values = {"eval.limit": limit, "eval.batch_size": 600, "quant.enabled": False}
    logits = _logits(network, values)
    assert len(logits) == min(limit or 599, 599)


def test_evaluation_changes_nothing(network: Network) -> None:
    before = network.weights_hash(), network.averages.averages.numpy().tobytes()
    first = _logits(network, {})
    np.testing.assert_array_equal(_logits(network, {}), first)
    assert (network.weights_hash(), network.averages.averages.numpy().tobytes()) == before


def test_quantization_matters(network: Network) -> None:
    plain = _logits(network, {"quant.enabled": False})
    assert np.abs(_logits(network, {"quant.bits": 3}) - plain).max() > 0.01
    np.testing.assert_allclose(
        _logits(network, {"quant.bits": 24}), plain, rtol=0, atol=1e-3 * np.abs(plain).max()
    )


def test_evaluation_does_not_augment() -> None:
    """Though random crops and mirrored images are what such a network is trained on."""
    found = []
    for augment in (False, True):
        chosen = examples.experiment({"data.augment": augment, "eval.limit": 20})
        found.append(run_test_set(examples.fresh(chosen), chosen, examples.digits())[0])
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_what_xla_trained_is_evaluated_by_xla(op: str) -> None:
    """Bit for bit as the view compiled by XLA gives it, which TensorFlow's own ops do not."""
    values = {"quant.op": op, "train.jit": "on", "eval.limit": 40, "quant.bits": 4}
    chosen = examples.experiment(values)
    network = examples.fresh(chosen)
    images = examples.digits().test_images[:40]
    network.measure_ranges(images)
    view, settings = network.view(scheme_of(chosen.quant)).model, chosen.data

    def inference(images: Any) -> Any:
        return view(network_input(images, settings.preprocessing, None), training=False)[0]

    compiled, plain = (
        tf.function(inference, jit_compile=jit)(images).numpy() for jit in (True, None)
    )
    got, _ = run_test_set(network, chosen, examples.digits())
    np.testing.assert_array_equal(got, compiled)
    assert not np.array_equal(got, plain)
