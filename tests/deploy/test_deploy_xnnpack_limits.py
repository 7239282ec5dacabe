"""What XNNPACK refuses of integer files is said with the layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import own_models as own
import pytest
from keras import layers

from qbench.deploy.convert import export

SETTINGS = {
    "quant.placement": ["deploy"],
    "quant.op": "fake_quant",
    "quant.weight_range": "symmetric_narrow",
    "quant.granularity": "channel",
    "quant.delay": 0.0,
    "eval.limit": 8,
}


def _network(shape: Any, classes: int) -> Any:
    image = keras.Input(shape)
    x = layers.Conv2D(4, 3, name="stem")(image)
    x = layers.Conv2D(4, 1, name="inner")(x)
    x = layers.Conv2D(4, 3, name="last")(x)
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


def _kernels(monkeypatch: Any, finer: float, empty: bool = False) -> dict[str, Any]:
    """What the paths report of a file whose inner output grid is so many times finer.

    With `empty`, what it reads is always 0, and the grid is finer than with a scale of 2**-8.
    """
    own.register(monkeypatch, _network)
    chosen = own.experiment(SETTINGS)
    network = own.fresh(chosen)
    network.measure_ranges(own.digits().train_images[:20])
    ends = network.averages.averages.numpy()
    names = list(network.averages.tensors)
    stem, inner = names.index("stem"), names.index("inner")
    kernel = next(one for one in network.model.weights if one.path == "inner/kernel")
    ends[stem] = [0.0, 0.0] if empty else [-1.275, 1.275]  # a scale of 0.01
    step = 2**-8 if empty else 0.01
    scales = np.abs(kernel.numpy()).max(axis=(0, 1, 2)) / 127
    ends[inner] = np.asarray([-127.5, 127.5]) * step * scales.max() / finer
    network.averages.averages.assign(ends)
    report: dict[str, Any] = export(network, chosen, own.digits()).report
    return dict(report["kernels"])


def test_xnnpack_takes_outputs_up_to_its_limit(monkeypatch: Any) -> None:
    assert not any("error" in path for path in _kernels(monkeypatch, 250.0).values())


def test_xnnpack_takes_a_small_bias_behind_what_is_always_0(monkeypatch: Any) -> None:
    """Behind channels that have died, an output is as small as its biases."""
    found = _kernels(monkeypatch, 1000.0, empty=True)  # 1,000 times finer than for 2**-8
    assert not any("error" in path for path in found.values())


def test_beyond_its_limit_the_layer_is_named(monkeypatch: Any) -> None:
    found = _kernels(monkeypatch, 260.0)
    assert found["xnnpack"]["error"].startswith(
        "XNNPACK needs an output grid at most 256 times finer than that of the products; the output"
        " of inner hardly changes (failed to create XNNPACK runtime"
    )
    assert "error" not in found["builtin"] and "error" not in found["reference"]


@pytest.mark.parametrize("finer", [1.0, 0.01])
def test_other_files_have_no_such_sentence(monkeypatch: Any, finer: float) -> None:
    assert "error" not in _kernels(monkeypatch, finer)["xnnpack"]
