"""Builds models before anything trains, to check whether qbench can train them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any


def check_models(models: Sequence[Any], say: Callable[[str], None]) -> None:
    """Build and check models.

    Args:
        models: tuples of (name, arguments, data set, resolution).
        say: called with a line for each layer whose kernels stay float in every configuration.

    Raises:
        QbenchError: a model cannot be built, or qbench cannot train it repeatably.
    """
    from qbench.data import DATASETS
    from qbench.data.preprocessing import input_shape
    from qbench.models import build_model
    from qbench.quantize.kept_float import warnings
    from qbench.training.repeatable import check_builds, check_repeatable

    for name, arguments, data, resolution in models:
        source = DATASETS[data]
        shape = input_shape(source.shape, resolution)
        build = partial(build_model, name, arguments, shape, source.make_task())
        model = build()
        check_repeatable(name, model, build)
        check_builds(name, model, build)
        for text in dict.fromkeys(warnings(model)):
            say(text)
