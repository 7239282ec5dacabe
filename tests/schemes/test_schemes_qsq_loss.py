"""Thresholds of quality-scalable codes that are chosen by the loss on validation images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.codes.threshold_search import DELTAS, GAMMAS
from qbench.config.quant import Quant
from qbench.engine.run_record import data_facts, header
from qbench.models import MODELS
from qbench.schemes import SCHEMES
from qbench.schemes.scalable_kernel import DELTA, GAMMA
from qbench.tasks.classification import Classification
from qbench.testing import networks
from qbench.training.network import Network

KERNELS = ("conv/kernel", "head/kernel")


class _Chosen:
    """The small network when its codes have begun."""

    def __init__(self, **arguments: Any) -> None:
        scheme = {"name": "qsq", "length": 4, **arguments}
        retrain = scheme.setdefault("retrain", "all")
        quant = {"activation_bits": "float", "delay": 1.0 if retrain == "nothing" else 0.5}
        pixels = networks.images(networks.SHAPE)
        data = networks.dataset(pixels, np.arange(len(pixels)) % 4, Classification(4))
        others = pixels[::-1] // 2, (np.arange(len(pixels)) + 1) % 3
        self.images, self.targets = others
        with MODELS.lent("scalable_network", networks.small):
            chosen = networks.experiment("scalable_network", {}, 6, 2, scheme, quant)
            self.network = Network(chosen, replace(data, validation=others))
            self.scheme: Any = chosen.scheme
            self.network.initialise(3)
        self.before = self._values()
        self.network.enter(self.scheme, ("quantized",), 0, 2)
        self.after = self._values()
        self.thresholds = self._thresholds()

    def _values(self) -> list[Any]:
        return [one.numpy() for one in self.network.model.trainable_variables]

    def _states(self) -> list[Any]:
        kernels = self.network.applied(self.scheme).entered_kernels()
        assert tuple(one.name for one in kernels) == KERNELS
        return [one.state for one in kernels]

    def _thresholds(self) -> list[tuple[float, float]]:
        """gamma and delta of each kernel, as values of the grid."""
        found = [one.arrays() for one in self._states()]
        return [(round(float(one[GAMMA]), 2), round(float(one[DELTA]), 1)) for one in found]

    def loss(self, pairs: list[tuple[float, float]]) -> float:
        """The loss with these thresholds, computed without the code that searches."""
        for state, (gamma, delta) in zip(self._states(), pairs, strict=True):
            state.set(GAMMA, gamma)
            state.set(DELTA, delta)
        logits = self.network.forward(self.scheme.quantization, self.scheme)(self.images)
        wide = np.asarray(logits, np.float64)
        right = wide[np.arange(len(wide)), self.targets]
        return float(np.mean(np.log(np.exp(wide).sum(axis=1)) - right))


@pytest.fixture(scope="module")
def by_loss() -> _Chosen:
    return _Chosen(search="loss")


@pytest.fixture(scope="module")
def by_distance() -> _Chosen:
    return _Chosen()


def test_each_kernel_has_the_pair_with_the_least_loss_when_it_is_its_turn(
    by_loss: _Chosen, by_distance: _Chosen
) -> None:
    grid = [(gamma, delta) for gamma in GAMMAS for delta in DELTAS]
    start, found = by_distance.thresholds, by_loss.thresholds
    assert found != start
    first = {pair: by_loss.loss([pair, start[1]]) for pair in grid}
    second = {pair: by_loss.loss([found[0], pair]) for pair in grid}
    assert first[found[0]] == pytest.approx(min(first.values()), abs=1e-6)
    assert second[found[1]] == pytest.approx(min(second.values()), abs=1e-6)
    assert second[found[1]] < by_loss.loss(start) - 1e-4


def test_weights_that_are_trained_keep_their_values(by_loss: _Chosen) -> None:
    for before, after in zip(by_loss.before, by_loss.after, strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_values_of_codes_are_those_of_the_chosen_thresholds(by_loss: _Chosen) -> None:
    fixed = _Chosen(search="loss", retrain="nothing")
    pairs = by_loss.thresholds
    assert fixed.thresholds == pairs
    loss = fixed.loss(pairs)  # kernels are values of codes: thresholds change nothing any more
    assert loss == fixed.loss([(0.95, 2.8)] * 2) == pytest.approx(by_loss.loss(pairs), abs=1e-6)


def test_a_given_threshold_is_kept() -> None:
    found = _Chosen(search="loss", delta=1.6).thresholds
    assert [delta for _, delta in found] == [1.6, 1.6]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"search": "loss", "gamma": 0.25, "delta": 1.5},
            "quant.scheme.search=loss: quant.scheme.gamma and delta leave nothing to search",
        ),
        (
            {"search": "loss", "gamma": 0.25, "phi": 2},
            "quant.scheme.search=loss: quant.scheme.gamma leaves nothing to search",
        ),
    ],
)
def test_a_search_without_meaning_is_refused(arguments: Any, sentence: str) -> None:
    said = SCHEMES["qsq"].impossible("qsq", Quant(delay=1.0), arguments)
    assert said is not None and said.startswith(sentence) and said.endswith(".")


def test_ranges_that_no_step_has_measured_give_no_loss() -> None:
    """All ranges of activations are 0 then, and every pair of thresholds has the same loss."""
    arguments = {"search": "loss", "retrain": "all"}

    def said(**quant: Any) -> str | None:
        return SCHEMES["qsq"].impossible("qsq", Quant(**quant), arguments)

    refused = said(delay=0.0, activation_bits=8)
    assert refused is not None and refused.startswith("quant.delay=0: quant.scheme.search=loss")
    assert said(delay=0.0, activation_bits="float") is None
    assert said(delay=0.1, activation_bits=8) is None


def test_the_default_of_the_search_leaves_an_identity_as_it_was() -> None:
    kind = SCHEMES["qsq"]
    assert "search" not in kind.counted({"search": "distance"})
    assert kind.counted({"search": "loss"})["search"] == "loss"


def test_data_without_validation_images_are_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "study=digits",
        "quant/scheme=qsq",
        "quant.delay=1",
        "quant.scheme.search=loss",
        "threads=2",
    ]
    assert main(["train", *words, f"out={tmp_path / 'runs'}"]) == 2
    said = capsys.readouterr().err
    assert said == (
        "qbench: quant.scheme.name=qsq: it chooses by the loss on validation images, and digits has"
        " none; set data.validation, such as data.validation=0.1.\n"
    )
    assert not list((tmp_path / "runs").glob("runs/*"))


def test_a_part_of_the_training_images_will_do() -> None:
    scheme = {"name": "qsq", "search": "loss"}
    chosen = networks.experiment("resnet8", {}, 6, 6, scheme, {"activation_bits": "float"})
    data = networks.dataset(
        networks.images((8, 8, 1)), np.arange(networks.COUNT) % 4, Classification(4)
    )
    plain = replace(data, validation=None)
    with pytest.raises(QbenchError, match=r"^quant\.scheme\.name=qsq: it chooses by the loss"):
        data_facts(chosen, plain)
    parts = replace(chosen, data=replace(chosen.data, validation=0.25))
    assert data_facts(parts, plain)["validation_images"] == 8
    assert data_facts(chosen, data)["validation_images"] == networks.COUNT


def test_a_record_says_how_many_images_the_scheme_read() -> None:
    def found(search: str, images: int) -> dict[str, Any]:
        scheme = {"name": "qsq", "search": search}
        chosen = networks.experiment("resnet8", {}, 6, 6, scheme, {"activation_bits": "float"})
        data = {"validation_images": images}
        read: dict[str, Any] = header(chosen, "run", data, {"kind": "cpu"})["validation"]
        return read

    assert found("loss", 5000)["read_by_scheme"] == 1000
    assert found("loss", 300)["read_by_scheme"] == 300
    assert "read_by_scheme" not in found("distance", 300)
