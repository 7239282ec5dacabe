"""Features of training images, made once by layers that the steps of a phase do not change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from qbench.config.experiment import Experiment
from qbench.data.dataset import Dataset
from qbench.data.rows import on_disk
from qbench.quantize.analysis import analyse
from qbench.quantize.calls import is_stock
from qbench.quantize.insertion_plan import Fused, HeldInInference, InsertionPlan
from qbench.quantize.rewrite import part_of
from qbench.quantize.states import States
from qbench.quantize.tensors import IMAGE, Call, Graph, graph_of, keras_tensors
from qbench.quantize.traits import is_convolution
from qbench.schemes import Scheme
from qbench.training.randomness import generator_states
from qbench.training.scheme_state import SchemeState

MOST_BYTES = 2**31
"""The most bytes of features; larger ones are computed in every step."""


@dataclass(frozen=True)
class Division:
    """The calls of a network, divided where its held layers end.

    Attributes:
        held: the numbers of the calls that give the same for an image in every step.
        trained: the numbers of the others.
        shapes: by name, the shape of each tensor for one image that the first part makes and the
            second part reads.
    """

    held: tuple[int, ...]
    trained: tuple[int, ...]
    shapes: Mapping[str, tuple[int, ...]]


class HeldFeatures:
    """The features of all training images, for the steps of one phase of a scheme.

    In a step it stands for a view, with features in place of images.

    Attributes:
        losses: those that layers add: none.
        values: the features of every image, one variable (N, ...) float32 for each tensor.
    """

    losses = ()

    def __init__(
        self, model: Any, scheme: Scheme, phase: str, states: States, division: Division, count: int
    ) -> None:
        """Zeros in place of features; `refresh` computes them.

        Args:
            model: the float model.
            scheme: the scheme of the phase.
            phase: the phase.
            states: the variables of the scheme.
            division: where the network is divided.
            count: the number of training images.
        """
        quantization = scheme.quantization_in(phase)
        make = (model, quantization, states)
        names, shapes = list(division.shapes), division.shapes.values()
        self._head = part_of(*make, division.held, [IMAGE], names)
        self._tail = part_of(*make, division.trained, names, [])
        self.values = [tf.Variable(tf.zeros((count, *one)), trainable=False) for one in shapes]
        self._compute: Any = None

    def __call__(self, features: list[Any], training: bool) -> tuple[Any, None]:
        """The output of the network, and no measured ranges."""
        return self._tail(features, training=training), None

    def refresh(self, images: Any, prepare: Callable[[Any], Any], batch: int) -> None:
        """Compute the features with the present weights.

        Args:
            images: (N, H, W, C) uint8.
            prepare: images -> input of the network.
            batch: number of images that are computed at once.
        """
        if self._compute is None:
            self._compute = tf.function(
                lambda some: self._head([prepare(some)], training=False),
                input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.uint8)],
                autograph=False,
            )
        for first in range(0, len(images), batch):
            found = self._compute(images[first : first + batch])
            for variable, some in zip(self.values, found, strict=True):
                variable[first : first + batch].assign(some)

    def gathered(self, indices: Any) -> list[Any]:
        """The features of some images, for indices (B,) int64."""
        return [tf.gather(variable, indices) for variable in self.values]


def features_of(
    model: Any, experiment: Experiment, data: Dataset, applied: SchemeState, phase: str
) -> HeldFeatures | None:
    """The features for the steps of a phase; None if they are computed in every step.

    Args:
        model: the float model.
        experiment: the experiment, for the settings of its data.
        data: the data set.
        applied: the scheme of the phase with its variables.
        phase: the phase.
    """
    scheme = applied.scheme
    assert scheme is not None
    division = _division(model, experiment, data, scheme, phase)
    if division is None:
        return None
    return HeldFeatures(model, scheme, phase, applied.states, division, len(data.train_images))


def _division(
    model: Any, experiment: Experiment, data: Dataset, scheme: Scheme, phase: str
) -> Division | None:
    if not scheme.computes_features_once(phase) or scheme.reads_averages:
        return None
    if experiment.data.augmentation is not None or on_disk(data.train_images):
        return None
    if any(_adds_losses(layer) for layer in model.layers):
        return None
    plan, graph = analyse(model, scheme.quantization_in(phase)), graph_of(model)
    held = _fixed(graph, plan, scheme, phase)
    if not any(is_convolution(graph.calls[number].op) for number in held):
        return None
    found = _divided(graph, held)
    if found is None or plan.quantized_tensors:
        return None
    size = 4 * len(data.train_images) * sum(map(math.prod, found.shapes.values()))
    return found if size <= MOST_BYTES else None


def _adds_losses(layer: Any) -> bool:
    """Whether a layer may add losses in a training step, as code from outside may."""
    regularizers = [layer.activity_regularizer, *(v.regularizer for v in layer.weights)]
    return not is_stock(layer) or any(one is not None for one in regularizers)


def _fixed(graph: Graph, plan: InsertionPlan, scheme: Scheme, phase: str) -> set[int]:
    """The numbers of the calls that give the same for an image in every step of a phase."""
    known, found = {IMAGE}, set()
    for number, (call, planned) in enumerate(zip(graph.calls, plan.calls, strict=True)):
        stand_in = planned.stand_in
        held = isinstance(stand_in, HeldInInference) or (
            isinstance(stand_in, Fused) and stand_in.freeze
        )
        if all(name in known for name, _ in _read(graph, call)) and _is_fixed(
            call.op, held, scheme, phase
        ):
            found.add(number)
            known |= {tensor.name for tensor in call.makes}
    return found


def _is_fixed(op: Any, in_inference: bool, scheme: Scheme, phase: str) -> bool:
    """Whether a layer or operation gives the same for the same input in every step."""
    if not isinstance(op, keras.Layer):
        return True
    if op.trainable_variables and not scheme.holds(phase, op):
        return False
    return in_inference or not (generator_states(op) or op.non_trainable_weights)


def _read(graph: Graph, call: Call) -> Iterator[tuple[str, Any]]:
    """All symbolic tensors that a call reads, with their names."""
    for tensor in keras_tensors((call.args, call.kwargs)):
        yield graph.symbols.get(id(tensor), IMAGE), tensor


def _divided(graph: Graph, held: set[int]) -> Division | None:
    """The division behind the held calls; None if a tensor between is no float of known shape."""
    trained = [number for number in range(len(graph.calls)) if number not in held]
    made = {IMAGE, *(tensor.name for number in held for tensor in graph.calls[number].makes)}
    calls = [graph.calls[number] for number in trained]
    read = {name: one for call in calls for name, one in _read(graph, call) if name in made}
    if graph.output.name in made or any(one.dtype != "float32" for one in read.values()):
        return None
    shapes = {name: tuple(one.shape[1:]) for name, one in read.items()}
    known = all(None not in shape for shape in shapes.values())
    return Division(tuple(sorted(held)), tuple(trained), shapes) if known else None
