"""Scalable codes of some layers alone: what they count, what is refused, whose id stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from toy_schemes import no_loss

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.config.groups import Choice
from qbench.config.quant import Quant
from qbench.deploy.kernel_facts import kernel_facts
from qbench.deploy.scalable_codes import codes_of_network
from qbench.engine.asking import Listener
from qbench.engine.layer_check import check_layers, reading_layers
from qbench.engine.requests import carry_out
from qbench.models import MODELS
from qbench.planning.identity import identity, phases
from qbench.quantize.ranges import RangeAverages
from qbench.schemes import SCHEMES
from qbench.testing import networks
from qbench.training.scheme_state import SchemeState

TRAIN: Any = None


def _model() -> Any:
    image = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 3, name="conv1")(image)
    x = layers.Conv2D(4, 3, name="conv2")(x)
    return keras.Model(image, layers.Dense(3, name="head")(layers.Flatten(name="flatten")(x)))


def _quant(arguments: dict[str, Any], **values: Any) -> Quant:
    scheme = Choice(name="qsq", arguments={"length": 4, **arguments})
    return Quant(activation_bits="float", delay=1.0, scheme=scheme, **values)


def _entered(arguments: dict[str, Any], **values: Any) -> tuple[Any, dict[str, Any], SchemeState]:
    """A network whose phases have begun, its kernels before, and the scheme's part."""
    model, scheme = _model(), _quant(arguments, **values).chosen_scheme
    before = {weight.path: weight.numpy() for weight in model.weights}
    state = SchemeState(scheme, model, TRAIN)
    assert scheme is not None
    state.enter(scheme.names, RangeAverages(("image",), 0.9), 0, 0, no_loss)
    return model, before, state


@pytest.mark.parametrize(
    ("given", "coded"),
    [(["conv2"], {"conv2"}), (["conv?", "conv1"], {"conv1", "conv2"}), (["head"], {"head"})],
)
def test_only_the_kernels_of_these_layers_become_codes(given: Any, coded: set[str]) -> None:
    model, before, state = _entered({"layers": given})
    changed = {
        weight.path.split("/")[0]
        for weight in model.weights
        if not np.array_equal(weight.numpy(), before[weight.path])
    }
    assert changed == coded == {path.split("/")[0] for path in codes_of_network(state)}
    sizes = {"conv1": 72, "conv2": 144, "head": 48}
    vectors = {"conv1": 18, "conv2": 36, "head": 12}  # conv1 has two channels: across filters
    scales = sum(vectors[name] for name in coded)
    floats = sum(size for name, size in sizes.items() if name not in coded)
    facts = kernel_facts(model, state.entered_kernels())
    assert facts["coded"] == 264 - floats
    assert facts["read_bits"] == 3 * (264 - floats) + 32 * scales + 32 * floats
    # The theoretical size counts all values with 3 bits, so the rest is beside the codes.
    assert state.side_bits() == 32 * scales + 29 * floats


def test_all_layers_are_coded_by_default() -> None:
    _, _, state = _entered({})
    assert len(codes_of_network(state)) == 3 and state.side_bits() == 32 * (18 + 36 + 12)


@pytest.mark.parametrize(
    ("given", "values", "expected"),
    [
        (["conv3"], {}, r"conv3 matches no layer with a quantized kernel; there are conv1, conv2,"),
        (["conv1", "d*"], {}, r"d\* matches no layer"),
        (["flatten"], {}, "flatten matches no layer"),
        (["head"], {"first_last": "float"}, "head matches no .* there are conv2"),
    ],
)
def test_names_of_no_layer_are_refused(given: Any, values: Any, expected: str) -> None:
    with pytest.raises(QbenchError, match=rf"^quant\.scheme\.layers={expected}"):
        _entered({"layers": given}, **values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [([], r"=\[\] is not allowed: .*conv1"), (3, "=3 is not allowed: .*a list of names")],
)
def test_layers_that_are_no_names_are_refused(value: Any, expected: str) -> None:
    with pytest.raises(QbenchError, match=rf"^quant\.scheme\.layers{expected}"):
        SCHEMES["qsq"].check("quant.scheme", "qsq", {"layers": value})


@pytest.fixture
def lent() -> Iterator[None]:
    with MODELS.lent("layers_network", networks.small):
        yield


def _experiment(**arguments: Any) -> Experiment:
    scheme = {"name": "qsq", **arguments}
    return networks.experiment("layers_network", {}, 4, 4, scheme, {"activation_bits": "float"})


def test_networks_are_checked_before_training(lent: None) -> None:
    wrong, right = _experiment(layers=["dense"]), _experiment(layers=["conv"], length=2)
    assert reading_layers([right, right, wrong]) == [right, wrong]
    said: list[str] = []
    check_layers([right, _experiment(length=4)], said.append)
    assert said == ["too few channels for a vector, so vectors run across filters: conv"]
    with pytest.raises(QbenchError, match=r"layers=dense matches no .* there are conv, head\."):
        check_layers([right, wrong], said.append)
    # As the request of a sweep.
    failure = carry_out("layers", Listener(say=said.append), experiments=[wrong.as_config()])
    assert failure is not None and failure.message.startswith("quant.scheme.layers=dense matches")


def test_a_network_without_dense_layers_to_train_is_refused() -> None:
    scheme = _quant({"retrain": "dense"}, freeze_batch_norm=True).chosen_scheme
    model = _model()
    assert scheme is not None
    assert scheme.check(model) == [
        "too few channels for a vector, so vectors run across filters: conv1"
    ]
    model.get_layer("head").trainable = False
    with pytest.raises(QbenchError, match=r"retrain=dense: the network .* has no dense"):
        scheme.check(model)


def test_ids_without_names_of_layers_stay_as_they_were(lent: None) -> None:
    """The argument is newer than records of the scheme."""
    plain, named = _experiment(), _experiment(layers=["*"])
    assert identity(plain) == identity(named)
    assert "layers" not in identity(plain)["quant"]["scheme"]
    some = _experiment(layers=["conv"])
    assert identity(some)["quant"]["scheme"]["layers"] == ("conv",)
    contents = [[phase.content for phase in phases(one, "")] for one in (plain, named, some)]
    assert contents[0] == contents[1]
    trained = [_trained(one) for one in ([], ["*"], ["conv"])]
    assert trained[0] == trained[1] != trained[2]


def _trained(names: list[str]) -> list[str]:
    scheme = {"name": "qsq", "retrain": "all", **({"layers": names} if names else {})}
    quant = {"activation_bits": "float"}
    chosen = networks.experiment("layers_network", {}, 4, 2, scheme, quant)
    return [phase.content for phase in phases(chosen, "")]
