"""A network with everything that its training needs; one process keeps it for several runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.base.authored import author_model
from qbench.base.errors import QbenchError
from qbench.base.reasons import reason
from qbench.config.experiment import Experiment
from qbench.data.dataset import Dataset
from qbench.data.preprocessing import input_shape, preparation, side_of
from qbench.models import build_model
from qbench.models.registry import is_own
from qbench.optimizers.optimizers import build_optimizer
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import inference_of, rewrite
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.states import States
from qbench.quantize.view import View
from qbench.schemes import Scheme
from qbench.schemes.phases import FLOAT
from qbench.storage.state import State
from qbench.storage.weights import load_weights_file
from qbench.training.first_weights import FirstWeights
from qbench.training.kept import kept, settle
from qbench.training.repeatable import check_repeatable
from qbench.training.scheme_state import SchemeState
from qbench.training.steps import Steps
from qbench.training.validation_loss import validation_loss

_BUILT_WITH = 0  # the first seed of most studies: these weights need no second network


class Network:
    """One set of variables, the float view and any number of quantized views over it.

    Compiled steps are kept, so runs that differ only in seed or delay need no new trace.

    Attributes:
        model: the plain, flat Keras model; `qbench.base.authored` knows who owns its weights file.
        averages: the moving range averages.
        prepare: turns images into the input of the network.
        optimizer: the Keras optimizer, built.
        steps: makes the compiled steps.
    """

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        """Builds the network; `initialise` gives it its weights.

        Raises:
            QbenchError: the model cannot be built with these arguments, or its training could not
                be repeated.
        """
        self._experiment = experiment
        self._data = data
        # For the first weights, and for random numbers of the builder that are not weights.
        keras.utils.set_random_seed(_BUILT_WITH)
        self.model = self._build()
        seed = _BUILT_WITH if is_own(experiment.model.name) else None
        self._first = FirstWeights(experiment.model, self.model, self._build, seed)
        float_view = rewrite(self.model, None)
        check_repeatable(experiment.model.name, self.model, self._build)
        self.averages = RangeAverages(float_view.tensors, experiment.quant.ema_decay)
        self.optimizer = build_optimizer(experiment.train)
        self.optimizer.build(self.model.trainable_variables)
        self._optimizer_start = [v.numpy() for v in self.optimizer.variables]
        self.prepare = preparation(experiment.data, data)
        self.steps = Steps(
            experiment, data, self.model, self.optimizer, self.averages, self.prepare
        )
        self._plain = SchemeState(None, self.model, experiment.train)
        self._plain.compiled.views[None] = float_view
        self._applied: dict[Scheme | None, SchemeState] = {None: self._plain}

    def _build(self) -> Any:
        model = self._experiment.model
        shape = input_shape(self._data.train_images.shape[1:], side_of(self._experiment.data))
        return build_model(model.name, model.arguments, shape, self._data.task, **model.settings)

    def start_facts(self) -> dict[str, Any] | None:
        """What a record says about the trained weights that training began with, if it did."""
        return self._first.start_facts()

    def initialise(self, seed: int) -> None:
        """Set every variable to its initial value: its trained value, or that of a new network.

        Args:
            seed: the seed of new weights.

        Raises:
            QbenchError: the function of the model builds a different network each time, or the file
                of the trained weights cannot be used.
        """
        for variable, value in zip(kept(self.model), self._first.of_seed(seed), strict=True):
            variable.assign(value)
        settle(self.model)
        for variable, value in zip(self.optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(value)
        for variable in self.averages.variables:
            variable.assign(keras.ops.zeros_like(variable))

    def applied(self, scheme: Scheme | None) -> SchemeState:
        """The variables of a scheme for this network, which are made when they are needed.

        The variables of only one scheme are kept. They mean nothing until a phase of the scheme
        begins, or until a state or a finished run is loaded.
        """
        if scheme not in self._applied:
            made = SchemeState(scheme, self.model, self._experiment.train)
            if made.is_empty:
                made.compiled = self._plain.compiled
            else:
                self._applied = {k: one for k, one in self._applied.items() if one.is_empty}
            self._applied[scheme] = made
        return self._applied[scheme]

    def states(self, scheme: Scheme | None) -> States:
        """The variables of a scheme by kernel and tensor, for views and files."""
        return self.applied(scheme).states

    def enter(self, scheme: Scheme | None, phases: Sequence[str], seed: int, step: int) -> None:
        """Begin phases of a scheme before the next step; see `SchemeState.enter`."""
        loss = partial(self._validation_loss, scheme)
        self.applied(scheme).enter(phases, self.averages, seed, step, loss)

    def _validation_loss(self, scheme: Scheme | None) -> float:
        """See `Entry.loss`. Batches are those of training, so evaluation settings change no bit."""
        if scheme is None or not scheme.validation_images:
            raise QbenchError(
                f"scheme {type(scheme).__name__}: it asks for a loss, and its validation_images is"
                " 0; expected the number of images."
            )
        forward = self.forward(scheme.quantization, scheme)
        most, batch = scheme.validation_images, self._experiment.train.batch_size
        return validation_loss(forward, self._data, most, batch)

    def _variables(self, scheme: Scheme | None) -> dict[str, Any]:
        """All variables that the next step depends on, by name."""
        groups = {
            "model": kept(self.model),
            "optimizer": self.optimizer.variables,
            "averages": self.averages.variables,
        }
        found = {
            f"{group}.{k}": variable
            for group, variables in groups.items()
            for k, variable in enumerate(variables)
        }
        return found | self.applied(scheme).named()

    def state(self, losses: Sequence[float], scheme: Scheme | None = None) -> State:
        """The whole state after training steps with these losses.

        Args:
            losses: the loss of each step.
            scheme: the scheme of the last step; None after float steps.
        """
        arrays = {name: variable.numpy() for name, variable in self._variables(scheme).items()}
        return State(arrays, np.asarray(losses, np.float32))

    def set_state(self, state: State, scheme: Scheme | None = None) -> None:
        """Continue from a state that `state` returned, with a scheme that has the same variables.

        Two schemes may differ and share the phases before this state.
        """
        for name, variable in self._variables(scheme).items():
            variable.assign(state.arrays[name])
        settle(self.model)

    def restore(
        self,
        weights: Path,
        ranges: Mapping[str, Sequence[float]],
        scheme: Scheme | None = None,
        values: Mapping[str, NDArray[Any]] | None = None,
        held: bool = False,
    ) -> None:
        """Set the weights, the range averages and the scheme's variables to the values of a run.

        Args:
            weights: the file of the weights.
            ranges: the range averages, by tensor.
            scheme: the scheme of the run.
            values: the values of the scheme's variables, by name.
            held: whether the network has the weights of the file already; then it is not read.

        Raises:
            QbenchError: the file of the weights is damaged, or it, the ranges or the variables of
                the scheme belong to another network.
        """
        try:
            if not held:
                load_weights_file(self.model, weights)
        except (OSError, ValueError, KeyError) as error:
            raise QbenchError(
                f"{weights}: cannot be read as these weights ({reason(error)})."
            ) from error
        if tuple(ranges) != self.averages.tensors:
            raise QbenchError(f"{weights.parent}: its range averages are of another network.")
        self.averages.averages.assign([ranges[name] for name in self.averages.tensors])
        try:
            self.applied(scheme).restore(values or {})
        except ValueError as error:
            raise QbenchError(
                f"{weights.parent}: the variables of its scheme are of another network"
                f" ({reason(error)})."
            ) from error

    def ranges(self) -> dict[str, list[float]]:
        """The range averages as (minimum, maximum) by tensor."""
        values = self.averages.averages.numpy().tolist()
        return dict(zip(self.averages.tensors, values, strict=True))

    def weights_hash(self) -> str:
        """SHA-256 over all weights of the model, in their order."""
        digest = hashlib.sha256()
        for weight in author_model(self.model).get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
        return digest.hexdigest()

    def measure_ranges(self, images: Any) -> None:
        """Set the averages to the ranges of the float network in inference on some images.

        Args:
            images: (N, H, W, C) uint8.
        """
        for variable in self.averages.variables:
            variable.assign(keras.ops.zeros_like(variable))
        ranges = self.view(None).model([self.prepare(np.asarray(images))], training=False)[1]
        self.averages.include(ranges)

    def view(self, quantization: QuantizationScheme | None, scheme: Scheme | None = None) -> View:
        """The float view, or the view with this quantization and the variables of a scheme."""
        applied = self.applied(scheme)
        views = applied.compiled.views
        if quantization not in views:
            views[quantization] = rewrite(self.model, quantization, self.averages, applied.states)
        return views[quantization]

    def step_in(self, scheme: Scheme | None, phase: str) -> Any:
        """The compiled step of a phase; see `train_step`.

        If the scheme lets features be made once, they are made now, with the present weights.
        """
        if scheme is None or phase == FLOAT:
            return self.train_step(None)
        step = self.steps.step_of_features(self.applied(scheme), phase)
        quantization = scheme.quantization_in(phase)
        return step or self.train_step(quantization, scheme=scheme, phase=phase)

    def train_step(
        self,
        quantization: QuantizationScheme | None,
        gather: bool = True,
        scheme: Scheme | None = None,
        phase: str = "",
    ) -> Any:
        """Compiled step: (*batch, seed () int64, step () int64) -> loss () float32.

        The batch is indices (B,) int64 of images in memory, or the images and targets themselves;
        see `qbench.training.feeding`. The loss is the mean of the task's loss. Training also
        minimizes weight decay and the losses that layers add, but the returned loss does not
        include them. With `gather` the averages include the ranges of this step.
        """
        applied = self.applied(scheme)
        key = quantization, gather, "" if applied.is_empty else phase
        steps = applied.compiled.steps
        if key not in steps:
            view = self.view(quantization, scheme).model
            pixels = _reads_pixels(quantization)
            steps[key] = self.steps.train_step(view, gather, applied, phase, pixels)
        return steps[key]

    def forward(self, quantization: QuantizationScheme | None, scheme: Scheme | None = None) -> Any:
        """Compiled inference: images (B, H, W, C) uint8 -> outputs (B, ...) float32.

        If XLA compiles training steps, it compiles inference too: XLA's fake quantization differs
        from TensorFlow's by up to one step of the grid, and the network is evaluated as it was
        trained.
        """
        forwards = self.applied(scheme).compiled.forwards
        if quantization not in forwards:
            infer = self.inference(quantization, scheme)
            forwards[quantization] = self.steps.forward(infer, _reads_pixels(quantization))
        return forwards[quantization]

    def inference(
        self, quantization: QuantizationScheme | None, scheme: Scheme | None = None
    ) -> Callable[[Any], Any]:
        """Inference with this quantization: network input (B, H, W, C) -> outputs (B, ...).

        It uses the view if there is one, and does not make one.
        """
        applied = self.applied(scheme)
        view = applied.compiled.views.get(quantization)
        if view is not None:
            return lambda inputs: view.model([inputs], training=False)[0]
        infer = inference_of(self.model, quantization, self.averages, applied.states)
        return lambda inputs: infer(inputs, training=False)


def _reads_pixels(quantization: QuantizationScheme | None) -> bool:
    """Whether the image is rounded to whole pixels."""
    return quantization is not None and quantization.image is not None
