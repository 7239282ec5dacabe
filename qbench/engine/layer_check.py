"""Checks before training that networks have the layers that schemes need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qbench.config.experiment import Experiment
from qbench.schemes import Scheme


def reading_layers(experiments: Iterable[Experiment]) -> list[Experiment]:
    """One experiment for each network and scheme, of the schemes that check networks."""
    found: dict[tuple[object, ...], Experiment] = {}
    for one in experiments:
        if one.scheme is not None and type(one.scheme).check is not Scheme.check:
            found.setdefault((*_network(one), one.scheme), one)
    return list(found.values())


def _network(experiment: Experiment) -> tuple[str, ...]:
    """Texts that are equal for equal networks."""
    data = experiment.data
    chosen = data.name, data.dir, data.resolution, data.slim_image_size, data.arguments
    return experiment.model.as_key(), repr(chosen)


def check_layers(experiments: Iterable[Experiment], say: Callable[[str], None]) -> None:
    """Build the networks of experiments, and let their schemes check them.

    Args:
        experiments: the result of `reading_layers`.
        say: called with each line about a network.

    Raises:
        QbenchError: a network lacks what a scheme needs.
    """
    built: dict[tuple[str, ...], Any] = {}
    said: dict[str, None] = {}
    for one in experiments:
        network = _network(one)
        if network not in built:
            built[network] = _built(one)
        assert one.scheme is not None
        said |= dict.fromkeys(one.scheme.check(built[network]))
    for text in said:
        say(text)


def _built(experiment: Experiment) -> Any:
    from qbench.data import source_of
    from qbench.data.preprocessing import input_shape, side_of
    from qbench.models import build_model

    source, model = source_of(experiment.data), experiment.model
    shape = input_shape(source.shape, side_of(experiment.data))
    task = source.make_task()
    return build_model(model.name, model.arguments, shape, task, **model.settings)
