"""Compiles the training steps and the inference of a network's views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import tensorflow as tf

from qbench.config.experiment import Experiment
from qbench.data.augmentation import training_images
from qbench.data.balance import example_weights
from qbench.data.dataset import Dataset
from qbench.data.preprocessing import Preparation
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.traits import is_convolution, kernels
from qbench.training.feeding import Batch, Weights, batch_reader, batch_signature
from qbench.training.frozen import Frozen
from qbench.training.held_features import HeldFeatures, features_of
from qbench.training.randomness import generator_states, set_states
from qbench.training.scheme_state import SchemeState


class Steps:
    """Makes compiled functions over the variables of one network."""

    def __init__(
        self,
        experiment: Experiment,
        data: Dataset,
        model: Any,
        optimizer: Any,
        averages: RangeAverages,
        prepare: Preparation,
    ) -> None:
        """`model` owns the weights; `optimizer` is built for its trainable variables."""
        self._experiment = experiment
        self._data = data
        self._model = model
        self._optimizer = optimizer
        self._averages = averages
        self._prepare = prepare

    @property
    def _jit(self) -> bool | None:
        """Whether XLA compiles; None leaves it to TensorFlow."""
        return self._experiment.train.compiles or None

    @cached_property
    def _weights(self) -> Weights | None:
        """The weight (N,) of each training image in the loss; None if there are none."""
        return example_weights(self._experiment.train, self._data)

    @cached_property
    def _read(self) -> Callable[..., Batch]:
        """See `batch_reader`. It copies the training images, so all steps share one."""
        return batch_reader(self._data, self._weights)

    def train_step(
        self,
        view: Any,
        gather: bool,
        applied: SchemeState,
        phase: str,
        pixels: bool,
        features: HeldFeatures | None = None,
    ) -> Any:
        """A compiled training step; see `Network.train_step`.

        Args:
            view: the Keras model of a view, or `features`.
            gather: whether the averages include the ranges of the step.
            applied: the scheme of the step with its variables.
            phase: the phase of the step.
            pixels: whether the image is rounded to whole pixels.
            features: what the step reads in place of images, if the view is `features`.
        """
        read, weights = self._read, self._weights
        variables, learned = self._model.trainable_variables, applied.trained
        states = generator_states(self._model)
        whole = tf.TensorSpec((), tf.int64)

        @tf.function(
            input_signature=[*batch_signature(self._data, weights is not None), whole, whole],
            autograph=False,  # Keras does not convert the code of layers either
            jit_compile=self._jit,
        )
        def train_step(*given: Any) -> Any:
            *batch, seed, step = given
            set_states(states, seed, step)
            frozen = Frozen(applied.masks(phase), self._optimizer)
            images, targets, weight = read(*batch)
            if features is None:
                x, wanted = self.augmented(images, targets, seed, step, pixels)
            else:
                x, wanted = features.gathered(*batch), targets
            with tf.GradientTape() as tape:
                outputs, measured = view(x, training=True)
                loss, total = self._losses(view, outputs, wanted, weight)
            gradients = _gradients(tape, total, [*variables, *learned])
            own, of_scheme = gradients[: len(variables)], gradients[len(variables) :]
            self._optimizer.apply(frozen.masked(own, variables), variables)
            if learned:
                applied.optimizer.apply(of_scheme, learned)
            frozen.keep()
            if gather:
                self._averages.include(measured)
            return loss

        return train_step

    def _losses(self, view: Any, outputs: Any, wanted: Any, weight: Any) -> tuple[Any, Any]:
        """The mean of the task's loss, and the sum that a step minimizes; () float32 each.

        Args:
            view: the view, just called.
            outputs: its outputs.
            wanted: the targets.
            weight: the weight (B,) of each image in the second one; None if they have none.
        """
        each = self._data.task.loss(outputs, wanted)
        loss = tf.reduce_mean(each)
        minimized = loss if weight is None else tf.reduce_mean(each * weight)
        return loss, tf.add_n([minimized, *self.penalties(), *_added_losses(view)])

    def step_of_features(self, applied: SchemeState, phase: str) -> Any:
        """The step of a phase that reads features, made now; None if its steps read images.

        Args:
            applied: the scheme of the step with its variables.
            phase: the phase of the step.
        """
        known, images = applied.compiled.features, self._data.train_images
        if phase not in known:
            made = features_of(self._model, self._experiment, self._data, applied, phase)
            step = made and self.train_step(made, False, applied, phase, False, made)
            known[phase] = made, step
        features, step = known[phase]
        if features is not None:
            features.refresh(images, self._prepare, self._experiment.train.batch_size)
        return step

    def forward(self, infer: Callable[[Any], Any], pixels: bool) -> Any:
        """Compiled inference; see `Network.forward`.

        Args:
            infer: the network's input -> its output, in inference.
            pixels: whether the image is rounded to whole pixels.
        """
        shape = (None, *self._data.test_images.shape[1:])

        @tf.function(
            input_signature=[tf.TensorSpec(shape, tf.uint8)],
            autograph=False,
            jit_compile=self._jit,
        )
        def forward(images: Any) -> Any:
            return infer(self._prepare(images, pixels))

        return forward

    def augmented(
        self, images: Any, targets: Any, seed: Any, step: Any, pixels: bool = False
    ) -> tuple[Any, Any]:
        """Training input of images (B, H, W, C) uint8, and their targets.

        Its random numbers follow only from the seed and the step. With `pixels` the augmented image
        is rounded to whole pixels.
        """
        chosen = self._experiment.data
        if chosen.augmentation is None:
            return self._prepare(images, pixels), targets
        count, augment = training_images(chosen)
        draws = tf.random.stateless_uniform(
            (tf.shape(images)[0], count), tf.stack([seed, step]), alg="philox"
        )
        images, targets = self._data.task.augmented(
            images, targets, lambda given: augment(given, draws, self._data.flip)
        )
        # What slim makes of a training image has its size already.
        return replace(self._prepare, slim_image_size=None)(images, pixels), targets

    def penalties(self) -> list[Any]:
        """Weight decay on the kernels of convolutions and dense layers, () float32, if any."""
        layers = [layer for layer in self._model.layers if is_convolution(layer)]
        trained = [kernel for layer in layers for kernel in kernels(layer) if kernel.trainable]
        decay = self._experiment.train.weight_decay
        if not decay or not trained:
            return []
        return [decay * tf.add_n([tf.nn.l2_loss(kernel.value) for kernel in trained])]


def _gradients(tape: Any, total: Any, variables: Sequence[Any]) -> list[Any]:
    """The gradient of each variable; zeros if it has none.

    If its normalization is folded, a convolution's own bias has no gradient.
    """
    return [
        tf.zeros_like(variable.value) if gradient is None else gradient
        for gradient, variable in zip(tape.gradient(total, variables), variables, strict=True)
    ]


def _added_losses(view: Any) -> list[Any]:
    """The losses that the layers of a view add in a training step; () float32 each.

    The last call of the view must be the call in this step. Regularizers of weights read the float
    weights in every view. Regularizers of activities and losses of the layers themselves read the
    values of the view.
    """
    return [tf.reduce_sum(tf.cast(added, tf.float32)) for added in view.losses]
