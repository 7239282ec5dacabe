"""A network that cannot be trained: the same sentence from every verb, and nothing is trained."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cli_examples as examples
import keras
import pytest
import unusual_networks as unusual
from keras import layers

from qbench.cli.main import main
from qbench.models import MODELS
from qbench.training import loop


def _sixteen_pixels(shape: Any, classes: int) -> Any:
    """Needs images of 16 pixels or more; those of the digits have 8."""
    image = keras.Input(shape)
    x = image
    for _ in range(3):
        x = layers.Conv2D(4, 6)(x)
    return keras.Model(image, unusual.head(x, classes))


VERBS = {
    "train": ["train"],
    "sweep": ["sweep", "design.factors=[quant.bits]"],
    "graph": ["graph"],
    "verify": ["verify-sharing", "design.factors=[quant.bits]"],
}
WRONG = {
    "softmax": (unusual.softmax_at_the_end, "model=resnet_v1: it ends in a softmax (dense)"),
    "outputs": (unusual.two_outputs, "model=resnet_v1: it has 2 outputs"),
    "too_small": (_sixteen_pixels, "model=resnet_v1 cannot be built with {'blocks': 1"),
}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that puts a builder in the place of resnet_v1; nothing can be trained."""

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("trained")

    def put(builder: Any) -> None:
        monkeypatch.setattr(loop, "train_phase", never)
        monkeypatch.setitem(
            MODELS._items, "resnet_v1", lambda shape, classes, **_: builder(shape, classes)
        )

    return put


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
@pytest.mark.parametrize(("builder", "says"), WRONG.values(), ids=WRONG.keys())
def test_every_verb_says_the_same(
    verb: list[str],
    builder: Any,
    says: str,
    network: Any,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    network(builder)
    assert main([*verb, *tiny]) == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "qbench: " in text]
    assert line.startswith(f"qbench: {says}")


@pytest.mark.parametrize("levels", ["20,8", "8,20"])
def test_a_wrong_network_among_others_stops_a_sweep(
    levels: str, network: Any, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    network(_sixteen_pixels)
    factors = [f"data.resolution={levels}", "design.factors=[data.resolution]"]
    for verb in ("sweep", "verify-sharing"):
        assert main([verb, *tiny, *factors]) == 2
        assert "on images of (8, 8, 1)" in capsys.readouterr().err


def test_a_network_is_checked_at_the_resolution_that_it_is_trained_at(
    network: Any, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Built on the data's own 8 pixels it would be refused."""
    network(_sixteen_pixels)
    with pytest.raises(AssertionError, match="trained"):
        main(["verify-sharing", *tiny, "design.factors=[quant.bits]", "data.resolution=16"])
    assert "cannot be built" not in capsys.readouterr().err


def test_a_sequential_network_goes_through_every_verb(
    monkeypatch: pytest.MonkeyPatch,
    tiny: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def builder(shape: Any, classes: int, **_: Any) -> Any:
        return keras.Sequential(unusual.sequential(shape, classes).layers)  # without its Input

    monkeypatch.setitem(MODELS._items, "resnet_v1", builder)
    settings = [*tiny, "quant=deploy", "train.learning_rate=0.001", f"out={tmp_path / 'out'}"]
    assert main(["sweep", *settings, "quant.bits=8,4", "design.factors=[quant.bits]"]) == 0
    run = str(examples.run_folder(tmp_path / "out", "default"))
    for verb, printed in (
        (["graph", *settings], "1 Conv2D, 1 MatMul, 1 Relu"),
        (["train", *settings], run),
        (["evaluate", run], "same as recorded"),
        (["convert", run], "model_int8.tflite"),
        (["trace", run, "images=10"], "steps of each tensor's grid"),
        (["latency", run, "threads=1", "runs=1", "kernels=builtin"], "int8/float"),
    ):
        assert main(verb) == 0
        assert printed in capsys.readouterr().out
    own = unusual.sequential((8, 8, 1), 10)
    own.load_weights(f"{run}/model.weights.h5")
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in own.get_weights()))
    assert examples.weights(tmp_path / "out")["default"] == digest.hexdigest()
