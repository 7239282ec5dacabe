"""A scheme applied to one network: its variables, their optimizer, its views and compiled steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.patterns import EVERY
from qbench.config.train import Train
from qbench.optimizers.optimizers import build_optimizer
from qbench.quantize.analysis import analyse
from qbench.quantize.folding import affine
from qbench.quantize.insertion_plan import InsertionPlan
from qbench.quantize.kernels import channel_form
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.settings import FLOAT_BITS
from qbench.quantize.states import NO_STATES, QuantizerState, States, StateVariable, kernel_name
from qbench.quantize.traits import is_convolution, kernels
from qbench.quantize.view import View
from qbench.schemes.entry import EnteredKernel, EnteredTensor, Entry
from qbench.schemes.scheme import Scheme


@dataclass(eq=False)
class Compiled:
    """The views over one set of variables, and their compiled functions."""

    views: dict[QuantizationScheme | None, View] = field(default_factory=dict)
    steps: dict[Any, Any] = field(default_factory=dict)
    forwards: dict[QuantizationScheme | None, Any] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)


class SchemeState:
    """The variables that a scheme keeps for one network.

    Attributes:
        scheme: the scheme; None for float steps, and for views that are made without a scheme.
        states: the variables of kernels and tensors.
        trained: the variables that training steps change by their gradients.
        measured: the variables that training steps set.
        optimizer: the optimizer of `trained`, built; None if there are none.
        compiled: the views and compiled functions over these variables.
    """

    def __init__(self, scheme: Scheme | None, model: Any, train: Train) -> None:
        """Makes the variables with their initial values.

        Args:
            scheme: the scheme.
            model: the float model.
            train: the settings of the optimizer and its schedule.
        """
        self.scheme = scheme
        self._model = model
        self._plans = _plans(scheme, model)
        self._described: list[tuple[Any, StateVariable]] = []
        self.states = self._made() if scheme else NO_STATES
        self.trained = [variable for variable, one in self._described if one.trained]
        self.measured = [variable for variable, one in self._described if one.measured]
        self.optimizer: Any = None
        self._optimizer_start: list[Any] = []
        self._start = keras.Variable(0, dtype="int64", trainable=False, name="start")
        if scheme and self.trained:
            rate = train.learning_rate * scheme.rate
            self.optimizer = build_optimizer(replace(train, learning_rate=rate), self._start)
            self.optimizer.build(self.trained)
            self._optimizer_start = [variable.numpy() for variable in self.optimizer.variables]
        self.compiled = Compiled()

    @property
    def is_empty(self) -> bool:
        """Whether the scheme keeps no variables."""
        return not self._described

    def _made(self) -> States:
        scheme = self.scheme
        assert scheme is not None
        described = {
            kernel_name(layer, kernel): scheme.kernel_state(layer, kernel)
            for layer, kernel, _ in self.quantized_kernels()
        }
        owners = dict.fromkeys(
            plan.range_owner(one.root) for plan in self._plans for one in plan.quantized_tensors
        )
        return States(
            self._variables_of(described.items()),
            self._variables_of((owner, scheme.tensor_state(owner)) for owner in owners),
        )

    def _variables_of(
        self, described: Iterable[tuple[str, Sequence[StateVariable]]]
    ) -> dict[str, QuantizerState]:
        found = {}
        for owner, every in described:
            if len({one.name for one in every}) < len(every):
                raise QbenchError(f"{owner}: the scheme has several variables of one name for it.")
            made = {one.name: self._variable(owner, one) for one in every}
            if made:
                found[owner] = QuantizerState(made)
        return found

    def _variable(self, owner: str, one: StateVariable) -> Any:
        variable = keras.Variable(
            np.full(one.shape, one.initial, one.dtype),
            dtype=one.dtype,
            trainable=one.trained,
            name=f"{owner}.{one.name}".replace("/", "."),
        )
        self._described.append((variable, one))
        return variable

    def quantized_kernels(self) -> Iterator[tuple[Any, Any, InsertionPlan]]:
        """Every quantized kernel once: its layer, the variable, and a plan that quantizes it."""
        seen = set()
        for plan in self._plans:
            for layer in (call.op for call in plan.calls if call.op.name in plan.kernels):
                if layer.name not in seen:
                    seen.add(layer.name)
                    yield from ((layer, kernel, plan) for kernel in kernels(layer))

    def named(self) -> dict[str, Any]:
        """All variables that the next step depends on, by name."""
        found = {f"scheme.{name}": variable for name, variable in self.states.variables()}
        slots = [*self.optimizer.variables, self._start] if self.optimizer else []
        return found | {f"scheme_optimizer.{k}": slot for k, slot in enumerate(slots)}

    def saved(self) -> dict[str, NDArray[Any]]:
        """The values that evaluation and files need, by name."""
        return {name: variable.numpy() for name, variable in self.states.variables()}

    def restore(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Set the values that `saved` returned; ValueError if they belong to another network."""
        variables = dict(self.states.variables())
        if set(values) != set(variables):
            raise ValueError("the names of the variables differ")
        for name, variable in variables.items():
            variable.assign(values[name])

    def enter(
        self,
        phases: Sequence[str],
        averages: RangeAverages,
        seed: int,
        step: int,
        loss: Callable[[], float],
    ) -> None:
        """Begin phases of the scheme, one after the other, before the next step.

        Args:
            phases: the phases. If the first phase of the scheme is among them, all variables first
                get their initial values.
            averages: the moving averages.
            seed: the seed of the run.
            step: the number of steps done.
            loss: see `Entry`.
        """
        if not phases:
            return
        assert self.scheme is not None
        if phases[0] == self.scheme.names[0]:
            self._reset(step)
        entry = Entry(self.entered_kernels(), self._entered_tensors(averages), seed, step, loss)
        for phase in phases:
            self.scheme.enter(phase, entry)

    def _reset(self, step: int) -> None:
        """Set all variables to their initial values; schedules go on at this step."""
        for variable, one in self._described:
            variable.assign(np.full(one.shape, one.initial, one.dtype))
        if self.optimizer:
            pairs = zip(self.optimizer.variables, self._optimizer_start, strict=True)
            for variable, value in pairs:
                variable.assign(value)
            self._start.assign(step)

    def entered_kernels(self) -> tuple[EnteredKernel, ...]:
        """The quantized kernels with their variables."""
        return tuple(
            EnteredKernel(
                kernel_name(layer, kernel),
                layer,
                kernel,
                _factor(layer, kernel, plan.folds.get(layer.name)),
                self.states.of_kernel(layer, kernel),
                plan.kernels[layer.name][1],
            )
            for layer, kernel, plan in self.quantized_kernels()
        )

    def _entered_tensors(self, averages: RangeAverages) -> tuple[EnteredTensor, ...]:
        ends = dict(zip(averages.tensors, averages.averages.numpy().tolist(), strict=True))
        found: dict[str, EnteredTensor] = {}
        for plan in self._plans:
            for one in plan.quantized_tensors:
                owner = plan.range_owner(one.root)
                rows = [ends[name] for name in plan.shared_ranges.get(one.root, (one.root,))]
                low, high = min(row[0] for row in rows), max(row[1] for row in rows)
                state = self.states.of_tensor(owner)
                found.setdefault(owner, EnteredTensor(owner, low, high, state))
        return tuple(found.values())

    def masks(self, phase: str) -> list[tuple[Any, Any]]:
        """Pairs of a weight and a bool tensor: which of its values the steps of a phase train.

        Weights that are trained as a whole are left out.

        Raises:
            QbenchError: a mask is not bool, or has another shape than its kernel.
        """
        if self.scheme is None or self.is_empty:
            return []
        found = [
            (weight, tf.zeros(weight.shape, tf.bool))
            for layer in self._model.layers
            if self.scheme.holds(phase, layer)
            for weight in layer.trainable_variables
        ]
        held = {id(weight) for weight, _ in found}
        for layer, kernel, _ in self.quantized_kernels():
            state = self.states.of_kernel(layer, kernel)
            mask = self.scheme.trains(phase, state.tensors()) if state.variables else None
            if mask is not None and kernel.trainable and id(kernel) not in held:
                found.append((kernel, _checked_mask(kernel, tf.convert_to_tensor(mask))))
        return found

    def side_bits(self) -> int:
        """Bits beside the codes of all kernels, for the theoretical size.

        Kernels that the scheme leaves float by their names have more bits than codes.
        """
        beside = sum(
            plan.kernels[layer.name][1].side_bits(layer, kernel)
            for layer, kernel, plan in self.quantized_kernels()
        )
        return beside + self._bits_of_other_layers()

    def _bits_of_other_layers(self) -> int:
        if self.scheme is None or self.scheme.quantization.layers == EVERY:
            return 0
        coded = {layer.name for layer, _, _ in self.quantized_kernels()}
        layers = (layer for layer in self._model.layers if is_convolution(layer))
        others = [kernel for one in layers if one.name not in coded for kernel in kernels(one)]
        size: int = sum(math.prod(kernel.shape) for kernel in others)
        return size * (FLOAT_BITS - self.scheme.weight_bits)


def _checked_mask(kernel: Any, mask: Any) -> Any:
    """A mask of a kernel, if it is bool and has the kernel's shape."""
    if mask.dtype != tf.bool or tuple(mask.shape) != tuple(kernel.shape):
        raise QbenchError(
            f"{kernel.path}: the scheme's `trains` gives {mask.dtype.name} of shape {mask.shape};"
            f" expected bool of shape {tuple(kernel.shape)}."
        )
    return mask


def _plans(scheme: Scheme | None, model: Any) -> tuple[InsertionPlan, ...]:
    """The plan of the finished network, and every other plan that a phase of the scheme has."""
    if scheme is None:
        return ()
    every = (scheme.quantization, *(scheme.quantization_in(phase) for phase in scheme.names))
    return tuple(analyse(model, one) for one in dict.fromkeys(every))


def _factor(layer: Any, kernel: Any, norm: Any | None) -> Any:
    """The factor by which a normalization is folded into a kernel, (channels,), or None."""
    if norm is None:
        return None
    form = channel_form(layer, kernel)
    return affine(layer, norm, kernel.shape[-1] if form is None else form.channels).factor
