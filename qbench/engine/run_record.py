"""The run record, from the configuration and the results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qbench.base import environment
from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.data import Dataset, split
from qbench.data.balance import check_classes
from qbench.data.preprocessing import PREPROCESSING
from qbench.data.statistics import statistics_of
from qbench.data.validation import part_hash, validation_indices
from qbench.deploy.sizes import FLOAT_BITS, megabytes
from qbench.planning.factors import cells, has_setting
from qbench.planning.identity import identity
from qbench.quantize.ops import OPS
from qbench.storage import records

Record = dict[str, Any]


def run_id(
    experiment: Experiment, data_hash: str, device: str, weights: Mapping[str, str] | None = None
) -> str:
    """The id of a run: a hash of everything that can influence its result.

    Args:
        experiment: the experiment of the run.
        data_hash: the hash of its data.
        device: kind of device, `CPU` or `GPU`.
        weights: see `common_content`.
    """
    return records.content_id(
        {"experiment": identity(experiment), **common_content(data_hash, device, weights)}
    )


def common_content(
    data_hash: str, device: str, weights: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The facts on which every result depends in addition to the experiment.

    Args:
        data_hash: the hash of the data.
        device: kind of device, `CPU` or `GPU`.
        weights: the hash of ImageNet's weights, see `qbench.engine.imagenet.contents`; empty for
            runs that do not begin with them.
    """
    found = {"data": data_hash, "device": device, "software": environment.numerics()}
    return {**found, "weights": dict(weights)} if weights else found


def data_facts(experiment: Experiment, data: Dataset) -> dict[str, Any]:
    """The facts about the data for a record.

    Args:
        experiment: the experiment of a run.
        data: its data as they were loaded.

    Returns:
        Plain data. `train_images` counts all training images, validation images among them.
        `validation_images` is there only if there is such a part, `validation_hash` only if
        `data.validation` chooses it. `classes` has the names of the classes, `left_out` what the
        reader left out, `pixel_statistics` mean and standard deviation of the training images, if
        the preprocessing uses them.

    Raises:
        QbenchError: the data do not allow the validation part, the preprocessing, or the balance of
            classes.
    """
    chosen = experiment.data
    check_classes(experiment.train, data)
    note = "; ".join(part for part in (data.provenance, experiment.data.note) if part)
    facts: dict[str, Any] = {
        "name": data.name,
        "hash": data.hash,
        "note": note,
        "train_images": len(data.train_images),
        "test_images": len(data.test_images[: experiment.eval.limit]),
        "task": data.task.as_record(),
    }
    if data.class_names:
        facts["classes"] = list(data.class_names)
    if data.left_out:
        facts["left_out"] = dict(data.left_out)
    if chosen.validation is not None:
        part = validation_indices(data, chosen.validation, chosen.validation_seed)
        facts |= {"validation_images": len(part), "validation_hash": part_hash(part)}
    elif data.validation is not None:
        facts["validation_images"] = len(data.validation[0])
        facts["train_images"] += facts["validation_images"]
    elif experiment.scheme is not None and experiment.scheme.validation_images:
        raise QbenchError(
            f"quant.scheme.name={experiment.quant.scheme.name}: it chooses by the loss on"
            f" validation images, and {data.name} has none; set data.validation, such as"
            " data.validation=0.1."
        )
    if PREPROCESSING[chosen.preprocessing].measured:
        facts["pixel_statistics"] = statistics_of(split(data, chosen)).as_record()
    return facts


def check_part(experiment: Experiment, data: Dataset, known: Mapping[str, Any]) -> None:
    """Check that the validation images are those that a plan or a record knows.

    Args:
        experiment: the experiment of a run.
        data: its data as they were loaded.
        known: the facts about the data, see `data_facts`.

    Raises:
        QbenchError: they are other images, so the run would be evaluated on images of its training.
    """
    expected = known.get("validation_hash")
    if expected and data_facts(experiment, data)["validation_hash"] != expected:
        raise QbenchError(
            f"data.validation={experiment.data.validation}: task {data.task.name} now chooses other"
            " images of the same data than when the run was planned."
        )


def header(
    experiment: Experiment,
    run: str,
    data: Mapping[str, Any],
    device: Mapping[str, str],
    code: Mapping[str, str] | None = None,
) -> Record:
    """The part of a run record that is known before training.

    Args:
        experiment: the experiment of the run.
        run: the id of the run.
        data: see `data_facts`.
        device: `kind` and `name` of the device.
        code: the hashes of code from outside, see `qbench.planning.code.hashes_of`. A record of a
            run that uses no such code does not mention it.
    """
    start, steps = experiment.quantization_start, experiment.train.number_of_steps
    record = {
        "schema": records.SCHEMA,
        "run": run,
        "status": "ok",
        "error": None,
        "quantized": experiment.quant.enabled,
        "factors": cells(experiment),
        "seed": experiment.seed,
        "steps": {"float": start, "quantized": steps - start},
        "metrics": None,
        "size": None,
        "seconds": {},
        "step_seconds": {},
        "data": dict(data),
        **({"code": dict(code)} if code else {}),
        "device": dict(device),
        "deterministic": experiment.deterministic,
        "threads": experiment.threads,
        "versions": environment.versions(),
        "finished": None,
    }
    if "validation_images" in data:
        images = data["validation_images"]
        read = min(experiment.scheme.validation_images if experiment.scheme else 0, images)
        record["validation"] = {
            "images": images,
            "seed": experiment.data.validation_seed if experiment.data.validation else None,
            "metrics": None,
            **({records.READ_BY_SCHEME: read} if read else {}),
        }
    return record


def write_failure(
    root: Path,
    experiment: Experiment,
    run: str,
    data: Mapping[str, Any],
    device: Mapping[str, str],
    error: Mapping[str, str],
    code: Mapping[str, str] | None = None,
) -> None:
    """Write the record of a run that could not be trained; `header` explains the arguments."""
    record = header(experiment, run, data, device, code)
    record |= {"status": "failed", "error": dict(error)}
    records.write_run(root, run, config=experiment.as_config(), record=record)


def size_of(values: int, floats: int, experiment: Experiment, side_bits: int = 0) -> dict[str, Any]:
    """The theoretical size of a model.

    Args:
        values: number of values of kernels and biases, with batch normalization folded in.
        floats: number of values that stay float32.
        experiment: the experiment of the run.
        side_bits: bits beside the codes, such as scales of vectors and slopes of ReLUs.
    """
    scheme = experiment.scheme
    bits = scheme.weight_bits if scheme else FLOAT_BITS
    size = {"values": values, "bits": bits, "megabytes": megabytes(values, bits, floats, side_bits)}
    further = {"float_values": floats, "side_bits": side_bits}
    return size | {name: number for name, number in further.items() if number}


def possible_reason(experiment: Experiment) -> str:
    """A text to add to a message about values that are not finite; empty if there is no reason.

    It names the finite values for which the op of this experiment gives infinities.
    """
    quant = experiment.quant
    infinities = OPS[quant.op].infinities(quant) if has_setting(experiment, "quant.op") else None
    return f". A possible reason: {infinities}" if infinities else ""


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        """Start the first lap."""
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        moment = time.perf_counter()
        seconds, self._last = moment - self._last, moment
        return round(seconds, 3)
