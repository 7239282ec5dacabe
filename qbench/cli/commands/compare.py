"""The verb `compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.checks import show
from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.base.plain import one_line
from qbench.statistics import images
from qbench.storage import layout, records
from qbench.tasks.metric import Metric
from qbench.tasks.task import Task, recorded

HELP = """usage: qbench compare RUN RUN

Compares two finished runs image by image, from their predictions for the test set: the difference
with an interval (bootstrap over the images), the number of images that only one of them gets right,
and McNemar's exact test. This is the uncertainty from the choice of test images, for these two
trained networks. It says nothing of other seeds: for this, train several and read the intervals of
`qbench report`. Converted files keep no predictions, so RUN stands for the simulation.

Reads only, and imports no TensorFlow. Both runs must have the same test set.
"""

_DIFFERENT = 0.05
_FEW = 10  # images that only one gets right; below this number the interval is rough
_NAMED = 6  # settings that a line names

NOTE = (
    "This is the uncertainty from the choice of test images, for these two trained networks. It"
    " says nothing of other seeds, and must not be mixed with intervals over seeds (qbench report)."
    " Of 20 such tests without any difference, about one has p below 0.05."
)


@dataclass(frozen=True)
class Predicted:
    """A finished run and what it says about each test image.

    Attributes:
        folder: its folder.
        record: its run record.
        config: its configuration.
        metric: the metric of the values.
        values: (N,) bool, whether each image is right, or (N,) float.
    """

    folder: Path
    record: Mapping[str, Any]
    config: Mapping[str, Any]
    metric: Metric
    values: NDArray[Any]

    @property
    def name(self) -> str:
        """The run for a reader: its id and its seed."""
        seed = self.record.get("seed")
        return f"{self.record['run']}" + ("" if seed is None else f" (seed {seed})")


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if len(arguments) != 2:
        raise QbenchError(
            "qbench compare takes the folders of two finished runs: qbench compare RUN RUN."
        )
    first, second = (predicted(given(argument)) for argument in arguments)
    check_comparable(first, second)
    for line in lines(first, second):
        print(one_line(line))
    return 0


def predicted(folder: Path) -> Predicted:
    """Read a finished run.

    Raises:
        QbenchError: there is no finished run, or its task has no value for single images.
    """
    record = records.read_record(folder)
    if not (folder / layout.PREDICTIONS).is_file():
        raise QbenchError(
            f"{folder}: this run has no predictions, because it ended as {record['status']};"
            " compare takes finished runs."
        )
    config = records.read_json(folder / layout.CONFIG, "the configuration of a run")
    with np.load(folder / layout.PREDICTIONS, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    found = _task(folder, record, config).per_image(arrays)
    if found is None:
        raise QbenchError(
            f"{folder}: its task {recorded(record['data']).name} has no value for single images"
            " (Task.per_image), so runs cannot be compared image by image."
        )
    return Predicted(folder, record, config, *found)


def _task(folder: Path, record: Mapping[str, Any], config: Mapping[str, Any]) -> Task:
    """The task of a run; a task from outside is imported with its data set."""
    from qbench.tasks.classification import Classification

    if recorded(record["data"]).name == Classification.name:
        return Classification(2)  # what it says of single images does not depend on the classes
    if "derived" in record:
        raise QbenchError(f"{folder}: a derived run of a task from outside cannot be compared.")
    from qbench.config.experiment import Experiment
    from qbench.data.source import source_of

    return source_of(Experiment.from_config(config).data).make_task()


def check_comparable(first: Predicted, second: Predicted) -> None:
    """Check that two runs have the same test set.

    Raises:
        QbenchError: they have not, or they are the same run.
    """
    one, other = first.record, second.record
    both = f"{first.folder} and {second.folder}"
    if one["run"] == other["run"]:
        raise QbenchError(f"{both}: both are the run {one['run']}; compare takes two runs.")
    for key, what in (("hash", "data (their hashes differ)"), ("test_images", "numbers of images")):
        if one["data"][key] != other["data"][key]:
            raise QbenchError(
                f"{both}: the runs have other {what}; only runs of the same test set can be"
                " compared image by image."
            )
    if first.metric != second.metric or len(first.values) != len(second.values):
        raise QbenchError(f"{both}: their predictions are of another form.")


def lines(first: Predicted, second: Predicted) -> Iterator[str]:
    """The comparison in words."""
    metric, share = first.metric, first.values.dtype == bool
    values = [one.values * 100.0 if share else one.values for one in (first, second)]
    for word, run, own in zip(("first ", "second"), (first, second), values, strict=True):
        mean = f"{metric.show(float(own.mean()))} {metric.unit}".rstrip()
        yield f"{word}  {run.name}: {metric.label} {mean}"
    yield from _settings(first, second)
    apart = images.difference(*values)
    unit = "percentage points" if metric.unit == "%" else metric.unit
    better = "" if metric.higher_is_better else " (lower is better)"
    shown = f"{apart.mean:+.{metric.digits}f} {unit}".rstrip()
    bounds = f"[{apart.low:.{metric.digits}f}, {apart.high:.{metric.digits}f}]"
    yield (
        f"The second less the first: {shown}{better}, {100 * apart.level:g} % interval {bounds}"
        f" (bootstrap over {apart.images:,} test images)."
    )
    if share:
        yield from _right_and_wrong(first, second)
    yield NOTE


def _right_and_wrong(first: Predicted, second: Predicted) -> Iterator[str]:
    test = images.mcnemar(first.values, second.values)
    both = int((first.values & second.values).sum())
    yield (
        f"{both:,} images both get right, {test.only_first:,} only the first, {test.only_second:,}"
        f" only the second: McNemar's exact test, p = {test.p:.3g}."
    )
    if test.p < _DIFFERENT:
        better = "second" if test.only_second > test.only_first else "first"
        yield f"On images like these the {better} network is right more often."
    else:
        yield "The choice of test images alone could have made this difference."
    if test.only_first + test.only_second < _FEW:
        yield (
            f"Fewer than {_FEW} images are right in one network only, so the interval is rough;"
            " the test is exact."
        )


def _settings(first: Predicted, second: Predicted) -> Iterator[str]:
    """Which settings of the two runs differ."""
    one, other = _flat(first.config), _flat(second.config)
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    said = [f"{key} ({show(one.get(key))}, {show(other.get(key))})" for key in keys[:_NAMED]]
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    if said:
        yield f"They differ in {', '.join(said)}{more}."


def _flat(config: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """The values of a nested configuration by dotted key."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{start}{key}.")
        else:
            found[f"{start}{key}"] = value
    return found
