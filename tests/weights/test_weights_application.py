"""The networks of keras.applications; a tiny one stands in for most of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from weights_files import by_layer

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.engine import imagenet
from qbench.engine.execute import execute
from qbench.engine.inputs import inputs_of
from qbench.engine.resolve import jobs_to_do, resolve
from qbench.engine.single import single_job
from qbench.engine.workers import worker_for
from qbench.models import build_model
from qbench.models.keras_application import applications
from qbench.models.remarks import remarks
from qbench.planning.designs import Row
from qbench.planning.execution import Engine
from qbench.planning.plan import Plan
from qbench.planning.settings import Design, Settings
from qbench.storage.store import Store
from qbench.tasks.classification import Classification

SHAPE = (32, 32, 3)


def preprocess_input(x: Any) -> Any:
    """What the weights of `Tiny` are for; the applications have it in their modules too."""
    return x / 127.5 - 1.0


def tiny(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: str = "softmax",
    scales: bool = False,
    nested: bool = False,
    name: str = "tiny",
) -> Any:
    """A network with the arguments of an application."""
    assert not include_top
    assert input_shape is None
    if weights == "imagenet" and alpha == 3:
        raise Exception("URL fetch failure on https://keras.example: None -- no such host")
    x = layers.Rescaling(1 / 255, name="rescaling")(input_tensor) if scales else input_tensor
    conv = layers.Conv2D(int(4 * alpha), 3, name="conv")
    inside = [conv, layers.BatchNormalization(momentum=0.999)]
    x = keras.Sequential(inside, name="stem")(x) if nested else conv(x)
    if weights == "imagenet":
        conv.set_weights([np.full(one.shape, 0.5) for one in conv.get_weights()])
    pools = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    return keras.Model(input_tensor, pools[str(pooling)]()(x), name=name)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(keras.applications, "Tiny", tiny, raising=False)
    return


def _build(weights: str | None = None, **arguments: Any) -> Any:
    arguments = {"application": "Tiny", **arguments}
    ten = Classification(10)
    return build_model("keras_application", arguments, SHAPE, ten, weights=weights)


def test_it_is_flat_and_ends_in_logits() -> None:
    model = _build(alpha=2)
    assert model.name == "Tiny"
    assert [layer.name for layer in model.layers if layer.weights] == ["conv", "logits"]
    assert model.output.shape == (None, 10)
    assert by_layer(model)["conv"][0].shape == (3, 3, 3, 8)
    assert isinstance(_build(pooling="max").layers[-2], layers.GlobalMaxPooling2D)


def test_a_model_inside_an_application_is_flattened() -> None:
    keras.utils.clear_session()
    model = _build("imagenet", nested=True)
    names = [layer.name for layer in model.layers if layer.weights]
    assert names == ["stem.conv", "stem.batch_normalization", "logits"]
    assert (by_layer(model)["stem.conv"][0] == 0.5).all()


def _momentum(**arguments: Any) -> float:
    (norm,) = [one for one in _build(nested=True, **arguments).layers if hasattr(one, "momentum")]
    return float(norm.momentum)


def test_the_momentum_of_normalizations_can_be_chosen() -> None:
    assert _momentum() == 0.999
    assert _momentum(batch_norm_momentum=0.9) == 0.9
    with pytest.raises(QbenchError, match=r"model.batch_norm_momentum=1.5 is not allowed"):
        _momentum(batch_norm_momentum=1.5)


def test_imagenet_gives_weights_to_all_but_the_head() -> None:
    model = _build("imagenet")
    assert (by_layer(model)["conv"][0] == 0.5).all()
    assert np.unique(by_layer(model)["logits"][0]).size > 10
    assert not (by_layer(_build("none"))["conv"][0] == 0.5).any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"application": "Tyni"}, "model.application=Tyni is not allowed: expected ConvNeXtBase"),
        ({"alhpa": 1}, "model.alhpa is not a setting; did you mean model.alpha? Allowed: alpha,"),
        ({"pooling": None}, "model.pooling=null is not allowed: expected avg or max."),
        ({"classes": 3}, "model.classes: qbench gives the function this argument itself."),
        (
            {"include_top": True},
            "model.include_top: qbench gives this argument itself; in place of",
        ),
        ({"classifier_activation": None}, "model.classifier_activation: qbench gives this"),
        ({"alpha": "x"}, "model=keras_application cannot be built with {'application': 'Tiny', "),
    ],
)
def test_what_it_cannot_be_is_said(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(QbenchError) as error:
        _build(**arguments)
    assert str(error.value).startswith(says)


def test_without_a_network_the_download_is_refused_in_a_sentence() -> None:
    with pytest.raises(QbenchError) as error:
        _build("imagenet", alpha=3)
    assert str(error.value) == (
        "model.weights=imagenet: Keras has no such weights of Tiny here (Exception: URL fetch"
        " failure on https://keras.example: None -- no such host); they need a network once, three"
        " channels and an argument for which they exist."
    )


def test_the_new_head_of_imagenets_weights_is_trained() -> None:
    model = build_model(
        *("keras_application", {"application": "Tiny"}, SHAPE, Classification(10)),
        weights="imagenet",
        freeze=["*"],
    )
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["logits"]


def _said(weights: str | None = None, **arguments: Any) -> list[str]:
    model = _build(weights, **arguments)
    return remarks("keras_application", arguments, SHAPE, model, weights, ["vgg", "inception"])


def test_the_preprocessing_of_the_weights_is_named() -> None:
    assert _said() == []
    assert _said("imagenet") == [
        "model.weights=imagenet: every layer of Tiny except logits begins with its weights",
        "data.preprocessing=vgg: makes pixels from -123.7 to 151.1; the weights of Tiny were"
        " trained on pixels from -1 to 1; data.preprocessing=inception makes them so",
    ]


def test_pixels_that_are_scaled_twice_are_named() -> None:
    assert _said(scales=True) == [
        "data.preprocessing=inception: makes pixels from -1 to 1, and the layer rescaling of the"
        " network scales them again; it expects pixels from 0 to 255",
    ]


def test_a_preprocessing_with_numbers_of_the_training_images() -> None:
    """They are not known before the data are read; scaled pixels are scaled all the same."""
    model = _build("imagenet", scales=True)
    said = remarks("keras_application", {}, SHAPE, model, "imagenet", ["mean_std", "none"])
    assert [line.partition(":")[0] for line in said] == [
        *("model.weights=imagenet", "data.preprocessing=none", "data.preprocessing=mean_std")
    ]
    assert "the layer rescaling of the network scales them again" in said[2]


def test_a_real_application_is_built_as_keras_builds_it() -> None:
    assert {"MobileNetV2", "ResNet50", "EfficientNetB0", "NASNetMobile"} <= set(applications())
    model = _build(application="MobileNet", alpha=0.25)
    base = keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=None, input_shape=SHAPE, pooling="avg"
    )
    assert model.count_params() == base.count_params() + (256 + 1) * 10
    same = [layer.name for layer in base.layers[1:-1]]
    assert [layer.name for layer in model.layers[1:-2]] == same


CONFIG: dict[str, Any] = {
    "data": {"name": "digits"},
    "model": {"name": "keras_application", "application": "Tiny", "weights": "imagenet"},
    "quant": {"delay": 0.5},
    "train": {
        **{"steps": 4, "batch_size": 16, "learning_rate": 0.05},
        **{"optimizer": {"name": "sgd"}, "schedule": {"name": "constant"}},
    },
    "eval": {},
    "threads": 2,
}


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of Keras' cache from which the weights of `Tiny` come."""
    file = tmp_path / "models" / "tiny.npy"
    file.parent.mkdir()

    @wraps(tiny)
    def fetched(weights: str | None = None, **arguments: Any) -> Any:
        model = tiny(weights=None, **arguments)
        if weights == "imagenet":
            where = keras.utils.get_file(
                "tiny.npy", "https://keras.example", cache_subdir="models", cache_dir=str(tmp_path)
            )
            conv = model.get_layer("conv")
            conv.set_weights([np.full(w.shape, np.load(where)) for w in conv.get_weights()])
        return model

    monkeypatch.setattr(keras.applications, "Tiny", fetched)
    return file


def _jobs(file: Path, folder: Path, value: float, **model: Any) -> list[Any]:
    """The job of a run, and that of a sweep of one run, with a file of this value in the cache."""
    np.save(file, np.float32(value))
    imagenet._FOUND.clear()
    chosen = Experiment.from_config({**CONFIG, "model": {**CONFIG["model"], **model}})
    design = Design(name="ofat", baseline=False, factors=None)
    settings = Settings(
        study="tiny", base=chosen, seeds=(0,), design=design, out=None, engine=Engine()
    )
    plan = Plan(settings, {}, (Row("row", {}, chosen, None),))
    resolved = resolve(
        plan, "CPU", inputs_of(plan, imagenet.of_worker(lambda: worker_for(chosen, False)))
    )
    ((swept,),) = jobs_to_do(resolved, folder, Store(folder, print))
    return [single_job(chosen, folder, "CPU"), swept]


def test_the_content_of_imagenets_weights_is_in_the_id(cached: Path, tmp_path: Path) -> None:
    first, swept = _jobs(cached, tmp_path, 0.5)
    assert first.id == swept.id
    assert [one.id for one in first.segments] == [one.id for one in swept.segments]
    assert first.code == swept.code
    assert list(first.code) == ["model.weights=imagenet"]
    again, _ = _jobs(cached, tmp_path, 0.5)
    other, other_swept = _jobs(cached, tmp_path, 0.25)
    new, _ = _jobs(cached, tmp_path, 0.25, weights="none")
    assert again.id == first.id
    assert other.id == other_swept.id
    assert len({first.id, other.id, new.id}) == 3
    assert first.segments[0].id != other.segments[0].id
    assert new.code == {}
    with pytest.raises(QbenchError, match=r"imagenet: the file is not that planned with"):
        execute(first, lambda new, loss: None, print)
