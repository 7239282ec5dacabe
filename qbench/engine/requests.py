"""The requests of a worker, and functions that carry them out in the current process.

A request is a kind and arguments. Both are plain data that can pass through a pipe:

    job       path                          does the job of this file
    check     models                        builds models and checks that qbench can train them
    imagenet  networks                      says the hashes of the weights they begin with
    pixels    experiments                   checks that their networks can read raw pixels
    layers    experiments                   checks that their networks have what schemes need
    convert   folder, changes, calibration  converts a finished run
    trial     experiment                    converts an untrained network of its kind
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qbench.base.errors import disk_full
from qbench.config.experiment import Experiment
from qbench.engine.asking import Failure, Listener
from qbench.engine.spec import opened


def carry_out(kind: str, listener: Listener, **arguments: Any) -> Failure | None:
    """Carry out a request in this process.

    Args:
        kind: a key of REQUESTS.
        listener: receives progress.
        arguments: the arguments of this kind.

    Returns:
        The failure, or None if the request is done.

    Raises:
        DiskFull: there was no room for the results.
    """
    try:
        REQUESTS[kind](listener, **arguments)
    except Exception as error:
        if full := disk_full(error):
            raise full from error
        return Failure.of(error)
    return None


def _job(listener: Listener, path: str) -> None:
    from qbench.engine.execute import execute

    with opened(Path(path)) as spec:
        execute(spec, listener.report, listener.say)


def _check(listener: Listener, models: Sequence[Any]) -> None:
    from qbench.engine.model_check import check_models

    check_models(models, listener.say)


def _imagenet(listener: Listener, networks: Sequence[Any]) -> None:
    from qbench.engine.imagenet import here

    for found in here(networks):
        listener.say(found)


def _pixels(listener: Listener, experiments: Sequence[dict[str, Any]]) -> None:
    from qbench.engine.pixel_check import check_pixels

    check_pixels([Experiment.from_config(one) for one in experiments])


def _layers(listener: Listener, experiments: Sequence[dict[str, Any]]) -> None:
    from qbench.engine.layer_check import check_layers

    check_layers([Experiment.from_config(one) for one in experiments], listener.say)


def _convert(
    listener: Listener, folder: str, changes: dict[str, Any], calibration: str | None
) -> None:
    from qbench.engine.converting import convert_folder

    convert_folder(Path(folder), changes, calibration)


def _trial(listener: Listener, experiment: dict[str, Any]) -> None:
    from qbench.engine.converting import try_conversion

    try_conversion(Experiment.from_config(experiment))


REQUESTS: dict[str, Callable[..., None]] = {
    "job": _job,
    "check": _check,
    "imagenet": _imagenet,
    "pixels": _pixels,
    "layers": _layers,
    "convert": _convert,
    "trial": _trial,
}
