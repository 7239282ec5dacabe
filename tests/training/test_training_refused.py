"""Networks whose training could not be repeated are named before anything trains."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import own_models as own
import pytest
from held_networks import frozen_base
from keras import layers
from random_networks import RANDOM
from shipped_networks import SHIPPED
from unrepeatable_networks import ALLOWED, REFUSED, network
from unusual_networks import regularized

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.models import build_model
from qbench.tasks.classification import Classification
from qbench.training import repeatable
from qbench.training.builds import check_builds
from qbench.training.network import Network
from qbench.training.repeatable import check_repeatable


def check(build):
    own.digits()
    check_repeatable("own", build((8, 8, 3), 10), lambda: build((8, 8, 3), 10))


@pytest.mark.parametrize(("build", "says"), REFUSED.values(), ids=REFUSED)
def test_what_no_seed_brings_back_is_refused(build, says):
    with pytest.raises(QbenchError) as error:
        check(build)
    message = str(error.value)
    assert message.startswith("model=own: the layer own (")
    assert says in message
    assert "\n" not in message and message.count("; ") == 1 and message.endswith(".")


@pytest.mark.parametrize("build", ALLOWED.values(), ids=ALLOWED)
def test_what_follows_from_a_seed_is_allowed(build):
    check(build)


@pytest.mark.parametrize("build", RANDOM.values(), ids=RANDOM)
def test_random_networks_are_allowed(build):
    check(build)


ARGUMENTS = {
    "AlphaDropout": (0.3,),
    "Dropout": (0.3,),
    "GaussianDropout": (0.3,),
    "GaussianNoise": (0.3,),
    "RandomBrightness": (0.2,),
    "RandomColorDegeneration": (0.1,),
    "RandomContrast": (0.2,),
    "RandomCrop": (2, 2),
    "RandomHue": (0.1,),
    "RandomPosterization": (4,),
    "RandomRotation": (0.1,),
    "RandomSaturation": (0.1,),
    "RandomSharpness": (0.1,),
    "RandomTranslation": (0.1, 0.1),
    "RandomZoom": (0.1,),
    "SpatialDropout2D": (0.3,),
}


def _drawing():
    """Keras' own layers for images that have a generator, by name."""
    names = [name for name in dir(layers) if name.startswith("Random") or name in ARGUMENTS]
    return {
        name: getattr(layers, name)
        for name in [*names, "CutMix", "MixUp", "RandAugment"]
        if inspect.isclass(getattr(layers, name))
    }


@pytest.mark.parametrize("name", _drawing())
def test_layers_of_keras_draw_from_their_own_generators_alone(name):
    """All but AugMix, which is among the refused."""

    def build(shape, classes):
        image = keras.Input(shape)
        x = _drawing()[name](*ARGUMENTS.get(name, ()))(image)
        return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))

    check(build)


# Dropout is Keras' own and repeatable, but it is looked at.
@pytest.mark.parametrize("name", sorted({*SHIPPED} - {"convnet", "vgg16", "vgg_small"}))
def test_the_networks_that_come_along_are_not_even_looked_at(name, monkeypatch):
    own.digits()
    monkeypatch.setattr(repeatable, "_traced", None)

    def build():
        raise AssertionError("built anew")

    check_repeatable(name, build_model(name, {}, (32, 32, 3), Classification(10)), build)


def test_nothing_to_train():
    def frozen(shape, classes):
        model = regularized(shape, classes)
        model.trainable = False
        return model

    with pytest.raises(QbenchError, match="model=own: none of its 12 variables is trainable"):
        check(frozen)
    check(frozen_base)


def test_another_network_each_time(monkeypatch):
    import numpy as np

    def build(shape, classes):
        return network(lambda: layers.Dense(np.random.randint(2, 1000)))(shape, classes)

    own.register(monkeypatch, build)
    chosen = own.experiment()
    built = Network(chosen, own.digits())
    with pytest.raises(QbenchError, match="model=own: its builder makes another network"):
        built.initialise(1)


@pytest.mark.parametrize("verb", ["train", "sweep", "verify-sharing"])
def test_every_verb_that_trains_says_so_first(verb, tiny, tmp_path, monkeypatch, capfd):
    own.register(monkeypatch, REFUSED["tf.random"][0], f"refused-{verb}")
    out = [] if verb == "verify-sharing" else [f"out={tmp_path}"]
    assert main([verb, *tiny, f"model.name=refused-{verb}", *out]) == 2
    said = capfd.readouterr().err
    assert f"model=refused-{verb}: the layer own (Own) draws random numbers" in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists()


def _entropy(**settings):
    """A network whose layers get numbers that no seed brings back."""

    def builder():
        drawn = {name: value() for name, value in settings.items()}
        image = keras.Input((8, 8, 1))
        x = keras.layers.Conv2D(
            drawn.get("width", 4),
            3,
            kernel_initializer=drawn.get("initializer", "glorot_uniform"),
            kernel_regularizer=keras.regularizers.L2(drawn.get("decay", 0.1)),
        )(image)
        x = keras.layers.LeakyReLU(drawn.get("slope", 0.1))(x)
        return keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))

    return builder


def _random_values(shape, dtype=None):
    return np.random.default_rng().normal(size=shape).astype("float32")


ENTROPY = {
    "an initializer": ({"initializer": lambda: _random_values}, "starts from other values"),
    "a regularizer's factor": ({"decay": np.random.default_rng().uniform}, "makes another network"),
    "a slope": ({"slope": np.random.default_rng().uniform}, "makes another network"),
    "a width": ({"width": lambda: np.random.randint(2, 10_000)}, "makes another network"),
}


@pytest.mark.parametrize(("settings", "says"), ENTROPY.values(), ids=ENTROPY.keys())
def test_numbers_in_keras_own_layers_that_no_seed_repeats_are_refused(settings, says):
    build = _entropy(**settings)
    with pytest.raises(QbenchError, match=says):
        check_builds("own", build(), build)


def _with_head(head):
    image = keras.Input((8, 8, 1))
    return keras.Model(image, head(layers.Flatten()(layers.Conv2D(2, 3)(image))))


@pytest.mark.parametrize("what", ["a model", "a layer"])
def test_a_builder_that_gives_the_same_variables_again_is_refused(what):
    """A run would begin with the weights that the run before it has trained."""
    kept, head = _entropy()(), layers.Dense(3, name="head")
    build, path = {
        "a model": (lambda: kept, kept.weights[0].path),
        "a layer": (lambda: _with_head(head), "head/kernel"),
    }[what]
    with pytest.raises(QbenchError, match=f"model=own: its function uses {path} of the network"):
        check_builds("own", build(), build)


def test_a_builder_that_repeats_is_taken():
    build = _entropy()
    check_builds("own", build(), build)
