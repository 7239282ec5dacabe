"""The verb `latency`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.cli.commands.converted import converted_file
from qbench.cli.commands.overrides import values_of
from qbench.deploy.latency import LatencySettings, measure
from qbench.storage import layout, manifests, records
from qbench.tasks.recorded import metrics_of

HELP = """usage: qbench latency RUN|FILE|DIR [overrides]

Measures how long one invocation of a converted file takes: median, 90th percentile and minimum, on
every kernel path of the runtime, with 1, 2 and 4 threads.

  RUN    the folder of a run that `qbench convert` has converted: times its file and the float32
         file of the same network, interleaved, with the ratio of each round; writes latency.json
  FILE   any .tflite file: times this file alone; nothing is written
  DIR    the folder of a sweep: times each of its converted runs; `qbench report DIR` then draws the
         first metric of the table against latency

Overrides: threads=[1,2,4], kernels=[xnnpack,builtin,reference], batch=1, runs=50, warmup=5,
seconds=10 (for each line of the table: no further run starts after this time), data.dir.

Exit code: 0 if something was measured.
"""

_DATA = "data.dir"


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if not arguments:
        raise QbenchError(
            "qbench latency takes a run, a file or a sweep: qbench latency RUN|FILE|DIR."
        )
    path = given(arguments[0])
    values = values_of(arguments[1:], [*LatencySettings.__annotations__, _DATA])
    changes = {_DATA: values.pop(_DATA)} if _DATA in values else {}
    settings = settings_of(values)
    if path.is_file():
        print(describe(measure_file(path, settings)))
    elif (path / layout.RECORD).is_file():
        print(describe(measure_run(path, settings, changes)))
    elif path.is_dir():
        _measure_sweep(path, settings, changes)
    else:
        raise QbenchError(f"{path}: no such file or folder; expected a run, a file or a sweep.")
    return 0


def settings_of(values: dict[str, Any]) -> LatencySettings:
    """Settings from overrides; a single number of threads or kernel path becomes a list."""
    several = {
        key: tuple(value if isinstance(value, list) else [value])
        for key, value in values.items()
        if key in ("threads", "kernels")
    }
    return LatencySettings(**{**values, **several})


def measure_file(path: Path, settings: LatencySettings) -> dict[str, Any]:
    """The report of a single file.

    Raises:
        QbenchError: the file cannot be read or run.
    """
    from qbench.deploy.lite import LiteFile
    from qbench.deploy.trial import try_apart

    try:
        content = path.read_bytes()
        LiteFile(content)
        try_apart(path, settings.kernels, settings.batch)
    except (OSError, QbenchError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise QbenchError(f"{path}: {reason}") from error
    return measure({path.name: content}, settings)


def measure_run(folder: Path, settings: LatencySettings, changes: dict[str, Any]) -> dict[str, Any]:
    """Measure a run's file against the float32 file of its network, and write latency.json.

    Raises:
        QbenchError: the run has not been converted, its file has changed since the conversion, or
            its weights are missing.
    """
    report, content = converted_file(folder)
    from qbench.engine.finished import bring_back

    run = bring_back(folder, changes)
    from qbench.data.rows import gathered
    from qbench.deploy.export import export_model
    from qbench.deploy.inputs import feed_of
    from qbench.deploy.lite import convert

    files = {layout.kind_of_converted(report["file"]): content}
    if "float" not in files:
        plain = replace(run.experiment.quant, enabled=False)
        model, _ = export_model(run.network.model, run.network.averages, plain, on_grids=False)
        files = {"float": convert(model, "float"), **files}
    images = run.data.test_images
    count = -(-settings.batch // len(images))
    chosen = gathered(images, np.arange(settings.batch) // count)
    inputs = {
        kind: feed_of(run.network, run.experiment, kind).inputs(chosen).file for kind in files
    }
    measured = {
        "file": report["file"],
        "sha256": report["sha256"],
        **measure(files, settings, inputs),
    }
    records.write_atomically(folder / layout.LATENCY, records.as_json(measured))
    return measured


def _measure_sweep(folder: Path, settings: LatencySettings, changes: dict[str, Any]) -> None:
    """Measure every converted run of a sweep; for any other run, print why it is not measured."""
    manifest = manifests.read_manifest(folder)
    root = layout.root_of_sweep(folder, manifest)
    done, label = 0, ""
    for row in manifest["rows"]:
        for run in () if "derived" in row else row["runs"]:
            print(f"{row['label']} seed {run['seed']}", flush=True)
            try:
                one = layout.run_folder(root, run["id"])
                report = measure_run(one, settings, changes)
                label = metrics_of(records.read_record(one)["data"])[0].label
            except QbenchError as error:
                print(f"not measured: {error}\n", flush=True)
                continue
            done += 1
            print(f"{describe(report)}\n", flush=True)
    if not done:
        raise QbenchError(f"{folder}: no run of this sweep could be measured.")
    print(f"{done} runs measured; `qbench report {folder}` draws latency against {label}.")


_WIDTH = 10


def describe(report: dict[str, Any]) -> str:
    """The report as a table, one line for each kernel path and number of threads."""
    names = list(report["bytes"])
    lines = [f"{name}: {size:,} bytes" for name, size in report["bytes"].items()]
    lines.append(
        f"milliseconds an invocation, batch {report['batch']}, on {report['processor']},"
        f" {report['cores']} cores"
    )
    shown = [name if len(names) > 1 else "" for name in names]
    compared = [name for name in names if "float" in names and name != "float"]
    heads = [f"{name} {kind}".strip() for name in shown for kind in ("median", "p90", "min")]
    heads += [f"{name}/float" for name in compared]
    widths = [max(_WIDTH, len(head) + 2) for head in heads]
    start = f"{'kernels':<10}{'threads':>8}{'runs':>6}"
    lines.append(start + "".join(f"{h:>{w}}" for h, w in zip(heads, widths, strict=True)))
    for row in report["rows"]:
        start = f"{row['kernels']:<10}{row['threads']:>8}"
        if "error" in row:
            lines.append(f"{start}  {row['error']}")
            continue
        figures = [value for name in names for value in row["milliseconds"][name].values()]
        figures += [row["ratio"][name] for name in compared]
        cells = "".join(f"{f:>{w}.3f}" for f, w in zip(figures, widths, strict=True))
        lines.append(f"{start}{row['runs']:>6}{cells}")
    return "\n".join(lines)
