"""The verb `recommend`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.base.registry import nearest
from qbench.cli.flags import words_and_flags
from qbench.storage import layout, manifests, records

if TYPE_CHECKING:
    from qbench.report.collect import Sweep
    from qbench.report.recommend import Limits, Recommendation
    from qbench.tasks.metric import Metric

HELP = """usage: qbench recommend DIR [options]

Says which rows of the sweep in DIR to train with: those whose files satisfy the limits and are
neither measured nor shown to be worse than the best row by more than the margin, the smallest
first. Each has the line that trains it. The choice sees the validation images; the figures are of
the test images. Reads records only, and imports no TensorFlow.

  --max-size SIZE        the largest file: 200kB, 1.5MB, 64KiB
  --max-latency TIME     the longest invocation: 2ms, 800us; `qbench latency DIR` comes first
  --min-METRIC VALUE     the least mean of the table's first metric, by its name, in its unit; or
                         --max-METRIC, if lower values are better
  --margin VALUE         smaller differences do not matter, in this unit; default: stats.margin
  --kernels PATH         the kernel path of latencies: xnnpack (default), builtin, reference
  --by size|latency      what comes first: the smallest file (default) or the fastest
  --choose-by PART       the images that the choice sees: validation (default), or test, which makes
                         the figures of the chosen rows too good
  --json                 all of it as JSON

Exit code: 0 if a row is recommended; 1 if no row satisfies the limits, and the nearest is shown.
"""

_VALUES = (
    *("--max-size", "--max-latency", "--margin"),
    *("--kernels", "--by", "--choose-by"),
)
_JSON = "--json"
_SIZES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
_TIMES = {"s": 1e3, "ms": 1.0, "us": 1e-3, "\u00b5s": 1e-3, "ns": 1e-6}  # in milliseconds
_QUANTITY = re.compile(r"([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([^\W\d]+)")


def main(arguments: list[str]) -> int:
    """Run the verb."""
    folders, flags = words_and_flags(arguments, [_JSON])
    if len(folders) != 1:
        raise QbenchError("qbench recommend takes the folder of one sweep: qbench recommend DIR.")
    folder = given(folders[0])
    if not folder.is_dir():
        raise QbenchError(f"{folder}: no such folder; expected the folder of a sweep.")
    manifests.read_manifest(folder)
    from qbench.report.collect import collect
    from qbench.report.recommend import recommend
    from qbench.report.recommend.words import text

    sweep = collect(folder)
    _check(flags, sweep.metric)
    made = recommend(sweep, _limits(flags, sweep.metric))
    commands = {one.label: command(sweep, one.candidate.run) for one in made.choices}
    if _JSON in flags:
        print(json.dumps(as_plain(made, commands), indent=2))
    else:
        print(text(made, commands))
    return 0 if made.choices else 1


def line(sweep: Sweep, run: str) -> str:
    """The line that trains a run.

    Raises:
        QbenchError: its configuration cannot be read, or not be written as overrides.
    """
    from qbench.cli.training_line import training_line

    path = sweep.run_folder(run) / layout.CONFIG
    config = records.read_json(path, "the configuration of a run")
    return training_line(config, sweep.manifest["study"])


def command(sweep: Sweep, run: str) -> str:
    """The line that trains a run, or where its configuration is and why there is no line."""
    try:
        return line(sweep, run)
    except QbenchError as error:
        path = sweep.run_folder(run) / layout.CONFIG
        return f"no line: {str(error).removesuffix('.')}; its configuration is in {path}"


def _worst_flag(metric: Metric) -> str:
    """The flag for the worst allowed value of the metric."""
    return f"--{'min' if metric.higher_is_better else 'max'}-{metric.name.replace('_', '-')}"


def _check(flags: Mapping[str, str], metric: Metric) -> None:
    allowed = (*_VALUES, _worst_flag(metric), _JSON)
    for flag in flags:
        if flag not in allowed:
            hint = nearest(flag, allowed) or f" Options are {', '.join(allowed)}."
            raise QbenchError(f"{flag} is not an option.{hint}")


def _limits(flags: Mapping[str, str], metric: Metric) -> Limits:
    from qbench.deploy.lite import KERNELS
    from qbench.report.deployed import PATH
    from qbench.report.recommend import Limits
    from qbench.report.recommend.candidates import PARTS, VALIDATION
    from qbench.report.recommend.recommendation import ORDERS, SIZE

    def quantity(flag: str, units: Mapping[str, float], example: str) -> float | None:
        return _quantity(flag, flags[flag], units, example) if flag in flags else None

    order = _one_of(flags, "--by", ORDERS, SIZE)
    return Limits(
        size=quantity("--max-size", _SIZES, "200kB"),
        latency=quantity("--max-latency", _TIMES, "2ms"),
        metric=_worst(flags, metric),
        margin=_margin(flags, metric),
        kernels=_one_of(flags, "--kernels", tuple(KERNELS), PATH),
        order=next(one for one in ORDERS if one == order),
        part=next(one for one in PARTS if one == _one_of(flags, "--choose-by", PARTS, VALIDATION)),
    )


def _one_of(flags: Mapping[str, str], flag: str, allowed: tuple[str, ...], default: str) -> str:
    value = flags.get(flag, default)
    if value not in allowed:
        raise QbenchError(f"{flag} {value}: expected one of {', '.join(allowed)}.")
    return value


def _quantity(flag: str, text: str, units: Mapping[str, float], example: str) -> float:
    """A positive number with its unit."""
    found = _QUANTITY.fullmatch(text.strip())
    factor = units.get(found[2].lower()) if found else None
    number = float(found[1]) * factor if found and factor else 0.0
    if not number or not isfinite(number):
        raise QbenchError(
            f"{flag} {text}: expected a positive number with its unit, such as {example}; units are"
            f" {', '.join(_shown(units))}."
        )
    return number


def _shown(units: Mapping[str, float]) -> list[str]:
    """Units as they are typed: `kB`, `KiB`, `ms`."""
    shown = {"b": "B", "kb": "kB", "mb": "MB", "gb": "GB", "kib": "KiB", "mib": "MiB", "gib": "GiB"}
    return [shown.get(unit, unit) for unit in units if unit.isascii()]


def _number(flag: str, text: str, metric: Metric, expected: str) -> float:
    try:
        number = float(text.strip().removesuffix(metric.unit or "\n"))
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise QbenchError(f"{flag} {text}: expected {expected}.")
    return number


def _in_unit(metric: Metric) -> str:
    unit = f" in {metric.unit}" if metric.unit else ""
    return f"{metric.label}{unit}"


def _worst(flags: Mapping[str, str], metric: Metric) -> float | None:
    """The worst allowed value of the metric."""
    flag = _worst_flag(metric)
    if flag not in flags:
        return None
    worst = "least" if metric.higher_is_better else "largest"
    number = _number(flag, flags[flag], metric, f"a number, the {worst} allowed {_in_unit(metric)}")
    if metric.unit == "%" and metric.higher_is_better and 0 < number <= 1:
        raise QbenchError(
            f"{flag} {flags[flag]}: the {metric.label} is in %; did you mean {100 * number:g}?"
        )
    return number


def _margin(flags: Mapping[str, str], metric: Metric) -> float | None:
    flag = "--margin"
    if flag not in flags:
        return None
    expected = f"a number, 0 or up, a difference of {_in_unit(metric)}"
    number = _number(flag, flags[flag], metric, expected)
    if number < 0:
        raise QbenchError(f"{flag} {flags[flag]}: expected {expected}.")
    return number


def as_plain(made: Recommendation, commands: Mapping[str, str]) -> dict[str, Any]:
    """All of it as plain data for JSON; unknown values are null.

    Args:
        made: the recommendation.
        commands: the line that trains a row, by label.
    """
    from qbench.report.recommend.words import notes, sentence

    rows = []
    for one in made.choices:
        candidate, behind = one.candidate, one.behind
        rows.append(
            {
                "configuration": one.label,
                "run": candidate.run,
                "command": commands[one.label],
                "bytes": candidate.bytes,
                "milliseconds": candidate.milliseconds,
                "choice": {**_plain(behind), "values": candidate.values},
                "test": _plain(one.test),
            }
        )
    near = made.nearest
    return {
        "sentence": sentence(made),
        "metric": made.metric.as_config(),
        "limits": {**asdict(made.limits), "margin": made.margin},
        "best": made.best,
        "rows": rows,
        "undecided": [_plain(one) for one in made.undecided],
        "worse": [_plain(one) for one in made.worse],
        "nearest": near
        and {
            "configuration": near.candidate.label,
            "misses": [asdict(miss) for miss in near.misses],
        },
        "left_out": made.found.left_out,
        "notes": notes(made),
    }


def _plain(part: Any) -> dict[str, Any]:
    """A dataclass as plain data; NaN, which JSON lacks, becomes null."""
    found = asdict(part)
    if "standing" in found:
        found["standing"] = found["standing"].value
    return {
        key: None if isinstance(value, float) and not isfinite(value) else value
        for key, value in found.items()
    }
