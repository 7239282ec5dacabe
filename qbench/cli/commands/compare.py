"""The verb `compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from qbench.base.checks import show
from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.base.plain import one_line
from qbench.cli.commands.compared import PATHS, Predicted, check_comparable, predicted
from qbench.cli.flags import words_and_flags
from qbench.statistics import images

HELP = """usage: qbench compare RUN|FILE RUN|FILE [--kernels PATH]

Compares two finished runs image by image, from their predictions for the test set: the difference
with an interval (bootstrap over the images), the number of images that only one of them gets right,
and McNemar's exact test. This is the uncertainty from the choice of test images, for these two
trained networks. It says nothing of other seeds: for this, train several and read the intervals of
`qbench report`.

RUN, the folder of a run, stands for its simulation, as it was evaluated after training. FILE stands
for a converted file: the report RUN/deploy.json, or RUN/deploy_representative.json for the file of
post-training quantization; RUN/model_int8.tflite does too. So this compares a file with its
simulation:

    qbench compare RUN RUN/deploy.json

  --kernels PATH         the kernel path of files: xnnpack (default), builtin, reference; or
                         simulation, the simulation with the fixed ranges of the file. Two paths,
                         as in simulation,xnnpack, are for the first and for the second file

Reads only, and imports no TensorFlow. Both runs must have the same test set.
"""

_DIFFERENT = 0.05
_FEW = 10  # images that only one gets right; below this number the interval is rough
_NAMED = 6  # settings that a line names
_KERNELS = "--kernels"

NOTE = (
    "This is the uncertainty from the choice of test images, for these two trained networks. It"
    " says nothing of other seeds, and must not be mixed with intervals over seeds (qbench report)."
    " Of 20 such tests without any difference, about one has p below 0.05."
)


def main(arguments: list[str]) -> int:
    """Run the verb."""
    words, flags = words_and_flags(arguments)
    for flag in flags.keys() - {_KERNELS}:
        raise QbenchError(f"{flag} is not an option of qbench compare; it has {_KERNELS}.")
    if len(words) != 2:
        raise QbenchError(
            "qbench compare takes the folders of two finished runs: qbench compare RUN RUN; or a"
            " run and its file: qbench compare RUN RUN/deploy.json."
        )
    paths = _paths(flags.get(_KERNELS, PATHS[0]))
    first, second = (predicted(given(word), path) for word, path in zip(words, paths, strict=True))
    check_comparable(first, second)
    if _KERNELS in flags and not (first.file or second.file):
        raise QbenchError(f"{_KERNELS}: is for files; {words[0]} and {words[1]} are runs.")
    for line in lines(first, second):
        print(one_line(line))
    return 0


def _paths(said: str) -> tuple[str, str]:
    """The kernel path of the first and of the second file."""
    paths = said.split(",")
    if len(paths) > 2 or not {*paths} <= {*PATHS}:
        raise QbenchError(
            f"{_KERNELS} {said}: expected one of {', '.join(PATHS)}, or two with a comma between."
        )
    return paths[0], paths[-1]


def lines(first: Predicted, second: Predicted) -> Iterator[str]:
    """The comparison in words."""
    metric, share = first.metric, first.values.dtype == bool
    said = [*_settings(first, second), *_of_one_run(first, second)]
    count = min(len(first.values), len(second.values))
    first, second = (replace(one, values=one.values[:count]) for one in (first, second))
    values = [one.values * 100.0 if share else one.values for one in (first, second)]
    for word, run, own in zip(("first ", "second"), (first, second), values, strict=True):
        mean = f"{metric.show(float(own.mean()))} {metric.unit}".rstrip()
        yield f"{word}  {run.name}: {metric.label} {mean}"
    yield from said
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


def _of_one_run(first: Predicted, second: Predicted) -> Iterator[str]:
    """What differs between a run and its file, and whether the file was run on fewer images."""
    files = [one for one in (first, second) if one.file]
    if first.record["run"] == second.record["run"] and len(files) == 1:
        yield (
            "The run was evaluated with the ranges that its settings say, the file has fixed"
            f" ranges; {_KERNELS} simulation shows what the ranges alone change."
        )
    if len(first.values) != len(second.values):
        count = min(len(first.values), len(second.values))
        yield f"One of them was evaluated on {count:,} test images, so only these count."


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
