"""One run from configuration to record: train, evaluate, store."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from qbench import device, environment, records
from qbench.data import Dataset, load
from qbench.deploy.sizes import FLOAT_BITS, folded_values, megabytes
from qbench.errors import Diverged, QbenchError
from qbench.evaluation import cross_entropy, label_ranks, metrics
from qbench.experiment import Experiment
from qbench.factors import cells, identity

Record = dict[str, Any]
Report = Callable[[int, float], None]


def run_id(experiment: Experiment, data: Dataset) -> str:
    """The name of a run: a hash of all that can influence its result.

    TensorFlow must have been started (`qbench.device.start`), since the kind of device counts.
    """
    content = {
        "experiment": identity(experiment),
        "data": data.hash,
        "device": device.kind(),
        "software": environment.numerics(),
    }
    return records.content_id(content)


def run(experiment: Experiment, root: Path, report: Report) -> Record:
    """Run an experiment, or find that it has been run.

    Args:
        experiment: what to run.
        root: holds `runs/`.
        report: called with (new steps, last loss) while it trains.

    Returns:
        The record. A run that fails or diverges has a record too; nothing is raised for it.

    Raises:
        QbenchError: the data or the configuration cannot be used; nothing was trained.
    """
    device.start(experiment.threads)
    data = load(experiment.data.name, experiment.data.dir)
    name = run_id(experiment, data)
    done = records.finished(root, name)
    if done:
        return done
    record = header(experiment, data, name)
    outcome: dict[str, Any] = {}
    try:
        outcome = _train_and_evaluate(experiment, data, record, report)
    except QbenchError:
        raise
    except Diverged as error:
        record["status"] = "diverged"
        record["error"] = {"message": f"the loss was not finite at step {error.args[0] + 1}"}
    except Exception as error:
        record["status"] = "failed"
        record["error"] = {
            "message": summary(error),
            "traceback": traceback.format_exc(),
        }
    records.write_run(root, name, config=experiment.as_config(), record=record, **outcome)
    return record


def summary(error: BaseException) -> str:
    """An exception in one line; TensorFlow puts what matters at the end of a long message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if lines[0].startswith("in user code"):
        return lines[-1]
    return f"{type(error).__name__}: {lines[0]}"


def header(experiment: Experiment, data: Dataset, name: str) -> Record:
    """The part of a record that is known before training."""
    start, steps = experiment.quantization_start, experiment.train.steps
    note = "; ".join(part for part in (data.provenance, experiment.data.note) if part)
    return {
        "schema": records.SCHEMA,
        "run": name,
        "status": "ok",
        "error": None,
        "quantized": experiment.quant.enabled,
        "factors": cells(experiment),
        "seed": experiment.seed,
        "steps": {"float": start, "quantized": steps - start},
        "metrics": None,
        "size": None,
        "seconds": {},
        "data": {
            "name": data.name,
            "hash": data.hash,
            "note": note,
            "train_images": len(data.train_images),
            "test_images": len(data.test_images[: experiment.eval.limit]),
        },
        "device": {"kind": device.kind(), "name": device.name()},
        "threads": experiment.threads,
        "versions": environment.versions(),
        "finished": None,
    }


def _train_and_evaluate(
    experiment: Experiment, data: Dataset, record: Record, report: Report
) -> dict[str, Any]:
    """Fills in the record; returns the other files of the run."""
    from qbench.training.inference import run_test_set
    from qbench.training.loop import train

    clock = _Clock()
    network = network_for(experiment, data)
    network.initialise(experiment.seed)
    record["seconds"]["set_up"] = clock.lap()
    history = train(network, experiment, data, report)
    record["seconds"]["train"] = clock.lap()
    logits, labels = run_test_set(network, experiment, data)
    record["seconds"]["evaluate"] = clock.lap()
    bits = experiment.quant.bits_of_weights if experiment.quant.enabled else FLOAT_BITS
    values = folded_values(network.model)
    record["size"] = {"values": values, "bits": bits, "megabytes": megabytes(values, bits)}
    record["weights_sha256"] = network.weights_hash()
    record["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    files: dict[str, Any] = {
        "history": history,
        "ranges": _ranges(network),
        "weights": network.model.save_weights,
    }
    if not np.all(np.isfinite(logits)):
        record["status"] = "diverged"
        record["error"] = {"message": "the evaluation gave logits that are not finite"}
        return files
    record["metrics"], files["predictions"] = judge(logits, labels, data.classes)
    return files


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return round(seconds, 3)


def judge(logits: Any, labels: Any, classes: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Metrics, and the arrays of `predictions.npz`, of finite logits (N, classes)."""
    predicted, ranks = logits.argmax(axis=1), label_ranks(logits, labels)
    figures = metrics(labels, predicted, ranks, classes)
    figures["loss"] = cross_entropy(logits, labels)
    small = np.uint16 if classes > 256 else np.uint8
    arrays = {"label": labels, "predicted": predicted, "rank": ranks}
    return figures, {key: array.astype(small) for key, array in arrays.items()}


def _ranges(network: Any) -> dict[str, list[float]]:
    averages = network.averages
    values = averages.averages.numpy().tolist()
    return dict(zip(averages.tensors, values, strict=True))


def network_for(experiment: Experiment, data: Dataset) -> Any:
    """A network for this experiment, the one of an earlier run where its graph is the same."""
    config = experiment.as_config()
    key = {name: config[name] for name in ("data", "model", "train")}
    key["ema_decay"] = experiment.quant.ema_decay
    return _network(json.dumps([key, data.hash], sort_keys=True), _Hidden((experiment, data)))


class _Hidden(tuple[Any, ...]):
    """Arguments that the cache does not look at."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=2)
def _network(key: str, arguments: _Hidden) -> Any:
    from qbench.training.network import Network

    return Network(*arguments)
