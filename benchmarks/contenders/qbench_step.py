"""qbench's own training step, as a run executes it: batch gathering and scaling included."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from protocol import REPOSITORY, batch_of, serve, task

WANTED = task()
sys.path.insert(0, str(REPOSITORY))

import numpy as np  # noqa: E402

from qbench.base import device  # noqa: E402
from qbench.config.experiment import Experiment  # noqa: E402
from qbench.data.dataset import Dataset  # noqa: E402
from qbench.tasks.classification import Classification  # noqa: E402

if TYPE_CHECKING:
    from qbench.training.network import Network

# As conf/quant/deploy.yaml: LiteRT's grid, batch normalization folded.
DEPLOY: dict[str, Any] = {
    "quant.op": "fake_quant",
    "quant.placement": ["deploy"],
    "quant.weight_range": "symmetric_narrow",
    "quant.granularity": "channel",
    "quant.fold_batch_norm": True,
}
# Nothing has gathered the statistics that are frozen here: with larger steps training diverges.
FROZEN = {**DEPLOY, "quant.freeze_batch_norm": True, "train.learning_rate": 1e-6}
# What a variant changes about the default configuration.
VARIANTS: dict[str, dict[str, Any]] = {
    "float": {"quant.enabled": False},
    "float, no ranges": {"quant.enabled": False},
    "qdq_v2": {},
    "qdq_v2, range given": {"quant.range_given": True},
    "qdq_v2, XLA": {"train.jit": "on"},
    "fake_quant": {"quant.op": "fake_quant"},
    "deploy": DEPLOY,
    "deploy, frozen": FROZEN,
    "input alone, vgg": {"data.augment": True, "data.preprocessing": "vgg"},
    "input alone, inception": {"data.augment": True, "data.preprocessing": "inception"},
}


def experiment() -> Experiment:
    """The contender's configuration."""
    train = {
        "steps": 10**6,
        "batch_size": WANTED["batch"],
        "learning_rate": 0.01,
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "constant"},
    }
    base = Experiment.from_config(
        {
            "data": {"name": "digits", "augment": False, "preprocessing": "inception"},
            "model": {"name": WANTED["model"], **WANTED["arguments"]},
            "quant": {},
            "train": train,
            "eval": {},
            "threads": WANTED["threads"],
        }
    )
    return base.with_values(VARIANTS[WANTED["variant"]])


def training_step(tf: Any, network: Any, chosen: Experiment, data: Dataset) -> Any:
    """What the variant times: the whole step, or only the making of its input."""
    from qbench.quantize.scheme import scheme_of

    if not WANTED["variant"].startswith("input alone"):
        gather = WANTED["variant"] != "float, no ranges"
        return network.train_step(scheme_of(chosen.quant), gather)
    images = tf.constant(data.train_images)

    @tf.function
    def make_input(indices: Any, seed: Any, step: Any) -> Any:
        inputs, _ = network.steps.augmented(tf.gather(images, indices), indices, seed, step)
        return inputs[0, 0, 0, 0]

    return make_input


def data_of_noise() -> Dataset:
    """One batch as a data set."""
    images, labels = batch_of(WANTED)
    return Dataset("noise", images, labels, images, labels, Classification(10), True, "", "")


def network_of(chosen: Experiment) -> Network:
    """A network set to start."""
    from qbench.training.network import Network

    network = Network(chosen, data_of_noise())
    network.initialise(0)
    return network


def main() -> None:
    """Serve steps."""
    chosen = experiment()
    tf = device.start(WANTED["threads"])
    network = network_of(chosen)
    step = training_step(tf, network, chosen, data_of_noise())
    indices = np.arange(WANTED["batch"])
    seed = tf.constant(0, tf.int64)

    def steps(count: int) -> float:
        losses = [step(indices, seed, tf.constant(k, tf.int64)) for k in range(count)]
        return float(losses[-1])

    serve(steps, ("tensorflow", "keras"), parameters=network.model.count_params())


main()
