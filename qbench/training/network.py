"""A network with everything that its training needs; one process keeps it for several runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qbench.base.errors import QbenchError
from qbench.base.reasons import reason
from qbench.config.experiment import Experiment
from qbench.data.dataset import Dataset
from qbench.data.preprocessing import DRAWS, PREPROCESSING, input_shape, network_input
from qbench.models import build_model
from qbench.optimizers.optimizers import build_optimizer
from qbench.quantize.placement import is_convolution, kernels
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.view import View
from qbench.storage.state import State
from qbench.training.randomness import generator_states, set_states
from qbench.training.repeatable import check_repeatable


class Network:
    """One set of variables, the float view and any number of quantized views over it.

    Compiled steps are kept, so runs that differ only in seed or delay need no new trace.

    Attributes:
        model: the plain Keras model that owns the weights.
        averages: the moving range averages.
        optimizer: the Keras optimizer, built.
    """

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        """Builds the network; `initialise` gives it its weights.

        Raises:
            QbenchError: the model cannot be built with these arguments, or its training could not
                be repeated.
        """
        self._experiment = experiment
        self._data = data
        keras.utils.set_random_seed(0)  # for random numbers of the builder that are not weights
        self.model = self._build()
        float_view = rewrite(self.model, None)
        check_repeatable(experiment.model.name, self.model, self._build)
        self.averages = RangeAverages(float_view.tensors, experiment.quant.ema_decay)
        self.optimizer = build_optimizer(experiment.train)
        self.optimizer.build(self.model.trainable_variables)
        self._optimizer_start = [v.numpy() for v in self.optimizer.variables]
        self._views: dict[QuantizationScheme | None, View] = {None: float_view}
        self._steps: dict[tuple[QuantizationScheme | None, bool], Any] = {}
        self._forwards: dict[QuantizationScheme | None, Any] = {}

    def _build(self) -> Any:
        model = self._experiment.model
        shape = input_shape(self._data.train_images.shape[1:], self._experiment.data.resolution)
        return build_model(model.name, model.arguments, shape, self._data.task)

    def initialise(self, seed: int) -> None:
        """Set every variable to its initial value in a new network with this seed.

        Raises:
            QbenchError: the function of the model builds a different network each time.
        """
        keras.utils.set_random_seed(seed)
        fresh = self._build()
        shapes, others = ([v.shape for v in _kept(m)] for m in (self.model, fresh))
        if shapes != others:
            raise QbenchError(
                f"model={self._experiment.model.name}: its builder makes another network each time"
                " it is called; let its layers follow from its arguments alone."
            )
        for variable, value in zip(_kept(self.model), _kept(fresh), strict=True):
            variable.assign(value)
        for variable, value in zip(self.optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(value)
        for variable in self.averages.variables:
            variable.assign(keras.ops.zeros_like(variable))

    @property
    def _variables(self) -> dict[str, Any]:
        """All variables that the next step depends on, by name."""
        groups = {
            "model": _kept(self.model),
            "optimizer": self.optimizer.variables,
            "averages": self.averages.variables,
        }
        return {
            f"{group}.{k}": variable
            for group, variables in groups.items()
            for k, variable in enumerate(variables)
        }

    def state(self, losses: Sequence[float]) -> State:
        """The whole state after training steps with these losses."""
        arrays = {name: variable.numpy() for name, variable in self._variables.items()}
        return State(arrays, np.asarray(losses, np.float32))

    def set_state(self, state: State) -> None:
        """Continue from a state that `state` returned."""
        for name, variable in self._variables.items():
            variable.assign(state.arrays[name])

    def restore(self, weights: Path, ranges: Mapping[str, Sequence[float]]) -> None:
        """Set the weights and range averages to the saved values of a run.

        Raises:
            QbenchError: the file of the weights is damaged or belongs to another network, or the
                ranges are damaged.
        """
        try:
            self.model.load_weights(weights)
        except (OSError, ValueError, KeyError) as error:
            raise QbenchError(
                f"{weights}: cannot be read as these weights ({reason(error)})."
            ) from error
        if tuple(ranges) != self.averages.tensors:
            raise QbenchError(f"{weights.parent}: its range averages are of another network.")
        self.averages.averages.assign([ranges[name] for name in self.averages.tensors])

    def ranges(self) -> dict[str, list[float]]:
        """The range averages as (minimum, maximum) by tensor."""
        values = self.averages.averages.numpy().tolist()
        return dict(zip(self.averages.tensors, values, strict=True))

    def weights_hash(self) -> str:
        """SHA-256 over all weights of the model, in their order."""
        digest = hashlib.sha256()
        for weight in self.model.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
        return digest.hexdigest()

    def measure_ranges(self, images: Any) -> None:
        """Set the averages to the ranges of the float network in inference on some images.

        Args:
            images: (N, H, W, C) uint8.
        """
        settings = self._experiment.data
        read = network_input(images, settings.preprocessing, settings.resolution)
        for variable in self.averages.variables:
            variable.assign(keras.ops.zeros_like(variable))
        self.averages.include(self.view(None).model([read], training=False)[1])

    def view(self, scheme: QuantizationScheme | None) -> View:
        """The float view, or the view that quantizes by `scheme`."""
        if scheme not in self._views:
            self._views[scheme] = rewrite(self.model, scheme, self.averages)
        return self._views[scheme]

    def train_step(self, scheme: QuantizationScheme | None, gather: bool = True) -> Any:
        """Compiled step: (indices (B,) int64, seed () int64, step () int64) -> loss () float32.

        The loss is the mean of the task's loss. Training also minimizes weight decay and the losses
        that layers add, but the returned loss does not include them. With `gather` the averages
        include the ranges of this step.
        """
        key = scheme, gather
        if key not in self._steps:
            self._steps[key] = self._make_train_step(self.view(scheme).model, gather)
        return self._steps[key]

    def forward(self, scheme: QuantizationScheme | None) -> Any:
        """Compiled inference: images (B, H, W, C) uint8 -> outputs (B, ...) float32.

        If XLA compiles training steps, it compiles inference too: XLA's fake quantization differs
        from TensorFlow's by up to one step of the grid, and the network is evaluated as it was
        trained.
        """
        if scheme not in self._forwards:
            self._forwards[scheme] = self._make_forward(self.view(scheme).model)
        return self._forwards[scheme]

    @property
    def _jit(self) -> bool | None:
        """Whether XLA compiles; None leaves it to TensorFlow."""
        return self._experiment.train.compiles or None

    def _make_train_step(self, view: Any, gather: bool) -> Any:
        images = tf.constant(self._data.train_images)
        targets = tf.constant(self._data.train_labels)
        variables = self.model.trainable_variables
        states = generator_states(self.model)
        whole = tf.TensorSpec((), tf.int64)

        @tf.function(
            input_signature=[tf.TensorSpec((None,), tf.int64), whole, whole],
            autograph=False,  # Keras does not convert the code of layers either
            jit_compile=self._jit,
        )
        def train_step(indices: Any, seed: Any, step: Any) -> Any:
            set_states(states, seed, step)
            x, wanted = self.augmented(
                tf.gather(images, indices), tf.gather(targets, indices), seed, step
            )
            with tf.GradientTape() as tape:
                outputs, measured = view(x, training=True)
                loss = tf.reduce_mean(self._data.task.loss(outputs, wanted))
                total = tf.add_n([loss, *self._penalties(), *_added_losses(view)])
            gradients = tape.gradient(total, variables)
            # If its normalization is folded, a convolution's own bias has no gradient.
            known = [
                tf.zeros_like(variable.value) if gradient is None else gradient
                for gradient, variable in zip(gradients, variables, strict=True)
            ]
            self.optimizer.apply(known, variables)
            if gather:
                self.averages.include(measured)
            return loss

        return train_step

    def _make_forward(self, view: Any) -> Any:
        shape = (None, *self._data.test_images.shape[1:])
        settings = self._experiment.data

        @tf.function(
            input_signature=[tf.TensorSpec(shape, tf.uint8)],
            autograph=False,
            jit_compile=self._jit,
        )
        def forward(images: Any) -> Any:
            x = network_input(images, settings.preprocessing, settings.resolution)
            return view(x, training=False)[0]

        return forward

    def augmented(self, images: Any, targets: Any, seed: Any, step: Any) -> tuple[Any, Any]:
        """Training input (see `network_input`) of images (B, H, W, C) uint8, and their targets.

        Its random numbers follow only from the seed and the step.
        """
        settings = self._experiment.data
        if settings.augment:
            draws = tf.random.stateless_uniform(
                (tf.shape(images)[0], DRAWS), tf.stack([seed, step]), alg="philox"
            )
            augment = PREPROCESSING[settings.preprocessing].augment
            images, targets = self._data.task.augmented(
                images, targets, lambda given: augment(given, draws, self._data.flip)
            )
        return network_input(images, settings.preprocessing, settings.resolution), targets

    def _penalties(self) -> list[Any]:
        """Weight decay on the kernels of convolutions and dense layers, () float32, if any."""
        layers = [layer for layer in self.model.layers if is_convolution(layer)]
        trained = [kernel for layer in layers for kernel in kernels(layer) if kernel.trainable]
        decay = self._experiment.train.weight_decay
        if not decay or not trained:
            return []
        return [decay * tf.add_n([tf.nn.l2_loss(kernel.value) for kernel in trained])]


def _kept(model: Any) -> list[Any]:
    """The variables of a model that keep their values after a step: all except generator states."""
    return [*model.weights, *model.metrics_variables]


def _added_losses(view: Any) -> list[Any]:
    """The losses that the layers of a view add in a training step; () float32 each.

    The last call of the view must be the call in this step. Regularizers of weights read the float
    weights in every view. Regularizers of activities and losses of the layers themselves read the
    values of the view.
    """
    return [tf.reduce_sum(tf.cast(added, tf.float32)) for added in view.losses]
