"""Checks before training that networks can read raw pixels, where `deploy.input` asks for them."""

from __future__ import annotations

from collections.abc import Iterable

from qbench.config.experiment import Experiment


def reading_pixels(experiments: Iterable[Experiment]) -> list[Experiment]:
    """One experiment for each network that reads raw pixels."""
    found: dict[tuple[object, ...], Experiment] = {}
    for one in experiments:
        if one.pixels is not None:
            data = one.data
            chosen = data.name, data.dir, data.resolution, repr(data.arguments)
            key = one.model.as_key(), *chosen, one.pixels
            found.setdefault(key, one)
    return list(found.values())


def check_pixels(experiments: Iterable[Experiment]) -> None:
    """Build the networks of experiments, and check that their first layers leave pixels a grid.

    Args:
        experiments: the result of `reading_pixels`.

    Raises:
        QbenchError: the first layers of a network rescale the image to another grid.
    """
    from qbench.data import source_of
    from qbench.data.preprocessing import input_shape
    from qbench.models import build_model
    from qbench.models.start import start_of
    from qbench.quantize.tensors import graph_of

    for one in experiments:
        source, model = source_of(one.data), one.model
        shape = input_shape(source.shape, one.data.resolution)
        built = build_model(
            model.name, model.arguments, shape, source.make_task(), **model.settings
        )
        start = start_of(built, **model.start)
        if start is not None:  # the layers may have numbers that were trained
            start.load_into(built)
        assert one.pixels is not None
        one.pixels.behind(graph_of(built).lead)
