"""Checks before training that networks have the layers that a scheme names."""

from __future__ import annotations

from collections.abc import Iterable

from qbench.base.patterns import EVERY
from qbench.config.experiment import Experiment


def naming_layers(experiments: Iterable[Experiment]) -> list[Experiment]:
    """One experiment for each network and scheme that quantizes the kernels of some layers only."""
    found: dict[tuple[object, ...], Experiment] = {}
    for one in experiments:
        quantization = one.quant.quantization
        if quantization is not None and quantization.layers != EVERY:
            data = one.data
            chosen = data.name, data.dir, data.resolution, repr(data.arguments)
            found.setdefault((one.model.as_key(), *chosen, quantization), one)
    return list(found.values())


def check_layers(experiments: Iterable[Experiment]) -> None:
    """Build the networks of experiments, and find their layers.

    Args:
        experiments: the result of `naming_layers`.

    Raises:
        QbenchError: a name matches no layer with a quantized kernel.
    """
    from qbench.data import source_of
    from qbench.data.preprocessing import input_shape, side_of
    from qbench.models import build_model
    from qbench.quantize.analysis import analyse

    for one in experiments:
        source, model = source_of(one.data), one.model
        shape = input_shape(source.shape, side_of(one.data))
        built = build_model(
            model.name, model.arguments, shape, source.make_task(), **model.settings
        )
        analyse(built, one.quant.quantization)
