"""Trains a small network with a scheme, and checks each phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qbench.config.experiment import Experiment
from qbench.data.batches import Batches
from qbench.data.dataset import Dataset
from qbench.models import MODELS
from qbench.schemes import Scheme
from qbench.schemes.phases import FLOAT, Span, beginning, spans, tail
from qbench.storage import layout
from qbench.storage.state import State
from qbench.storage.weights import weights_file
from qbench.tasks.classification import Classification
from qbench.testing import networks
from qbench.testing.assertions import calling, see
from qbench.testing.scheme_variants import Variant, variants
from qbench.training.network import Network

_MODEL = "checked_network"
_FLOAT_STEPS = 2
_STEPS_OF_A_PHASE = 4


def check_steps(scheme: Mapping[str, Any], quant: Mapping[str, Any], phases: Sequence[str]) -> None:
    """Train a small network in every phase of a scheme, and check what changes.

    Args:
        scheme: the name and the arguments of the scheme.
        quant: other settings of `quant`.
        phases: the names of its phases.

    Raises:
        AssertionError: the scheme breaks its contract.
    """
    steps = _FLOAT_STEPS + _STEPS_OF_A_PHASE * len(phases)
    with MODELS.lent(_MODEL, networks.small):
        chosen = networks.experiment(_MODEL, {}, steps, _FLOAT_STEPS, scheme, quant)
        trained = _Trained(chosen)
        for span in spans(chosen.phases):
            trained.check_phase(span)
        trained.check_end()


def _same(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    return name in one and name in other and np.array_equal(one[name], other[name])


class _Trained:
    """A network in training with the scheme of an experiment."""

    def __init__(self, chosen: Experiment) -> None:
        task = Classification(4)
        pixels = networks.images(networks.SHAPE)
        self.chosen = chosen
        self.data: Dataset = networks.dataset(pixels, np.arange(len(pixels)) % 4, task)
        self.network = Network(chosen, self.data)
        self.network.initialise(0)
        scheme = chosen.scheme
        assert scheme is not None
        self.scheme: Scheme = scheme
        self.variants = variants(chosen)
        self.began: Scheme | None = None  # the scheme once its first phase has begun
        self.moved: set[str] = set()

    @property
    def described(self) -> dict[str, Any]:
        """Whether training steps change the scheme's variables, by the names of `saved`."""
        applied = self.network.applied(self.scheme)
        changing = {id(variable) for variable in (*applied.trained, *applied.measured)}
        return {name: id(variable) in changing for name, variable in applied.states.variables()}

    def check_phase(self, span: Span) -> None:
        """Begin a phase, train its steps, and check both."""
        if span.first == span.end:
            return
        self.enter(beginning(self.chosen.phases, span.name, span.first), span.first)
        for number in range(span.first, span.end):
            last = number == span.end - 1 and span.name != FLOAT
            before = self.state() if last else None
            self.step(self.network, span.name, number)
            if before is not None:
                self.check_continued(before, span.name, number)

    def state(self) -> State:
        state: State = self.network.state([], self.began)
        return state

    def enter(self, phases: Sequence[str], step: int) -> None:
        """Begin phases, twice from the same state."""
        if not phases:
            return
        before = self.state()
        found = []
        for seed in (0, 1):
            self.network.set_state(before, self.began)
            self.disturb(seed)
            keras.utils.set_random_seed(seed)
            with calling(f"enter at the phase {phases[-1]}"):
                self.network.enter(self.scheme, phases, self.chosen.seed, step)
            found.append(self.network.state([], self.scheme))
        first, second = found
        where = f"the phase {' and '.join(phases)}"
        for name, array in first.arrays.items():
            see(np.isfinite(array).all(), f"{where} sets {name} to values that are not finite.")
            see(
                np.array_equal(array, second.arrays[name]),
                f"{where} sets other values of {name} when it begins again in the same state.",
            )
        for variant in self.variants:
            if self.scheme.names.index(phases[-1]) < variant.counts_from:
                self.check_variant(variant, phases, step, before)
                self.network.set_state(first, self.scheme)
        self.began = self.scheme

    def check_variant(
        self, variant: Variant, phases: Sequence[str], step: int, before: State
    ) -> None:
        """Check that an argument which counts from a later phase on does not change phases."""
        network, other, phase = self.network, variant.scheme, phases[-1]
        found = network.state([], self.scheme).arrays
        masks = [mask for _, mask in self.masks(phase)]
        network.applied(other)
        network.set_state(before, self.began and other)
        network.enter(other, phases, self.chosen.seed, step)
        again = network.state([], other).arrays
        changed = [name for name in found.keys() | again.keys() if not _same(found, again, name)]
        if not changed and self.scheme.in_phase(phase) != other.in_phase(phase):
            changed = ["the quantization"]
        others = [mask for _, mask in self.masks(phase, other)]
        if not changed and not all(map(np.array_equal, masks, others)):
            changed = ["the masks"]
        see(
            not changed and self.scheme.rate == other.rate,
            f"first_phase says that {variant.argument} counts from the phase"
            f" {self.scheme.names[variant.counts_from]} on, but it changes"
            f" {', '.join(sorted(changed)) or 'the rate'} in the phase {phase}.",
        )

    def disturb(self, value: int) -> None:
        """Set the scheme's variables to a value before its first phase: they mean nothing yet."""
        if self.began is None:
            for _, variable in self.network.applied(self.scheme).states.variables():
                variable.assign(np.full(variable.shape, value, variable.dtype))

    def step(self, network: Network, phase: str, number: int) -> None:
        """One training step; check the variables before and after."""
        applied = network.applied(self.scheme)
        masks = self.masks(phase) if phase != FLOAT and network is self.network else []
        kernels = [(kernel, mask, kernel.numpy()) for kernel, mask in masks]
        saved = applied.saved()
        indices = Batches(networks.COUNT, self.chosen.train.batch_size, 0).indices(number)
        run = network.step_in(self.scheme, phase)
        loss = run(indices, tf.constant(0, tf.int64), tf.constant(number, tf.int64))
        see(np.isfinite(loss), f"the loss in the phase {phase} is not finite.")
        for kernel, mask, before in kernels:
            kept = np.array_equal(kernel.numpy()[~mask], before[~mask])
            see(kept, f"the phase {phase} changes frozen values of {kernel.path}.")
        if phase == FLOAT:
            return
        for (kernel, mask), (_, again) in zip(masks, self.masks(phase), strict=False):
            see(
                np.array_equal(mask, again),
                f"trains freezes other values of {kernel.path} after a step of the phase {phase}.",
            )
        self.compare(phase, saved, applied.saved())

    def compare(self, phase: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Compare the scheme's variables before and after a step."""
        trained = self.described
        for name, array in after.items():
            same = np.array_equal(array, before[name])
            see(same or trained[name], f"a step of the phase {phase} changes {name}.")
            see(np.isfinite(array).all(), f"a step of the phase {phase} makes {name} not finite.")
            if not same:
                self.moved.add(name)

    def masks(self, phase: str, scheme: Scheme | None = None) -> list[tuple[Any, Any]]:
        """Each kernel that is trained in part, with the mask of its trained values."""
        scheme = scheme or self.scheme
        applied, found = self.network.applied(scheme), []
        for layer, kernel, _ in applied.quantized_kernels():
            state = applied.states.of_kernel(layer, kernel)
            with calling(f"trains({phase!r})"):
                mask, again = (
                    scheme.trains(phase, state.tensors()) if state.variables else None
                    for _ in range(2)
                )
            if mask is None:
                continue
            array = np.asarray(mask)
            repeats = np.array_equal(array, np.asarray(again))
            see(repeats, f"trains freezes other values of {kernel.path} when it is asked again.")
            see(
                array.dtype == bool and array.shape == tuple(kernel.shape),
                f"trains gives {array.dtype} of shape {array.shape} for {kernel.path}; expected"
                f" bool of shape {tuple(kernel.shape)}.",
            )
            found.append((kernel, array))
        return found

    def check_continued(self, before: State, phase: str, number: int) -> None:
        """Check that another network continues from a saved state with the same bits."""
        other = Network(self.chosen, self.data)
        other.initialise(1)
        scheme = self.made_again()
        other.set_state(before, scheme)
        self.step(other, phase, number)
        again = other.state([], scheme).arrays
        for name, array in self.state().arrays.items():
            see(
                np.array_equal(array, again[name]),
                f"a run that continues in the phase {phase} gets other values of {name}; keep in"
                " variables of the scheme everything that its steps need.",
            )

    def made_again(self) -> Scheme | None:
        """The scheme as another process would make it, without what this one has kept in it."""
        return replace(self.chosen.quant).chosen_scheme

    def check_end(self) -> None:
        """Begin the phases after the last step, and check what is saved and evaluated."""
        self.enter(tail(self.chosen.phases), self.chosen.train.number_of_steps)
        still = [name for name, trained in self.described.items() if trained]
        still = [] if self.scheme.rate == 0 else sorted(set(still) - self.moved)
        see(
            not still,
            f"no step changes {', '.join(still)}; no gradient and no measurement reaches them.",
        )
        outputs = self.outputs(self.network)
        see(np.isfinite(outputs).all(), "the outputs of the finished network are not finite.")
        with TemporaryDirectory() as folder:
            path = Path(folder) / layout.WEIGHTS
            path.write_bytes(weights_file(self.network.model))
            other = Network(self.chosen, self.data)
            other.initialise(1)
            values = self.network.applied(self.scheme).saved()
            other.restore(path, self.network.ranges(), self.made_again(), values)
        same = np.array_equal(outputs, self.outputs(other))
        see(same, "a finished network that is loaded gives other outputs.")

    def outputs(self, network: Network) -> Any:
        """The outputs of the finished network for all images."""
        forward = network.forward(self.scheme.quantization, self.made_again())
        return np.asarray(forward(self.data.test_images))
