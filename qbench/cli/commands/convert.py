"""The verb `convert`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.base.plain import one_line
from qbench.cli.commands.overrides import values_of
from qbench.config.experiment import Experiment
from qbench.engine.finished import trained_record
from qbench.engine.progress import remarks
from qbench.planning.settings import Deploy
from qbench.storage import layout, records
from qbench.tasks.metric import Metric, leading
from qbench.tasks.recorded import recorded

HELP = """usage: qbench convert RUN [overrides]

Writes a finished run as a LiteRT file into its folder (model_int8.tflite, model_16x8.tflite or
model_float.tflite), runs the file over the test set on every kernel path of the runtime, and writes
the results to deploy.json beside it.
Overrides may change the test: eval.limit, data.dir. If the images then differ from the images of
the run's own evaluation, the results are printed. They are written only if deploy.json has no
better ones.
A float run is also quantized after training, as in a sweep, with ranges found on training images
(model_int8.tflite and deploy_representative.json). deploy.calibration=null leaves this out.
The run is converted even if deploy.seeds keeps its seed out of the conversions of a sweep.

Exit code: 0 if the run was converted. 1 if no file can be made of its network, or if the file gives
wrong answers; this is recorded.
"""

CALIBRATION = "deploy.calibration"
_CHANGEABLE = ("eval.limit", "data.dir", CALIBRATION)
_WIDTH = 16  # smallest width of a column, in characters


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if not arguments:
        raise QbenchError("qbench convert takes the folder of a run: qbench convert RUN.")
    from qbench.engine.converting import convert_folder

    folder = given(arguments[0])
    changes = values_of(arguments[1:], _CHANGEABLE)
    for calibration in _ways(folder, changes):
        conversion = convert_folder(folder, changes, calibration)
        print(describe(conversion.report, records.read_record(folder)))
        if conversion.kept:
            name, images = layout.conversion_report(calibration), conversion.kept["images"]
            print(f"not written: {name} keeps its figures of {images:,} test images")
    return 0


def _ways(folder: Path, changes: dict[str, Any]) -> list[str | None]:
    """The calibrations for a run; None means the trained ranges.

    This function removes `deploy.calibration` from `changes`; the setting means the same as in a
    sweep. If the user typed it for a quantized run, the conversion reports an error.
    """
    deploy = Deploy(calibration=changes[CALIBRATION]) if CALIBRATION in changes else Deploy()
    typed = changes.pop(CALIBRATION, None)
    trained_record(folder)
    config = records.read_json(folder / layout.CONFIG, "the configuration of a run")
    if Experiment.from_config(config).quant.enabled:
        return [typed]
    return [None, deploy.calibration] if deploy.calibration else [None]


def describe(report: dict[str, Any], record: dict[str, Any]) -> str:
    """The report as text; it includes the simulation with the file's ranges on the same images."""
    lines = [f"{report['file']}: {report['bytes']:,} bytes, {report['export']}"]
    sizes = [report["packed_bytes"] / 1e6, report["bytes"] / 1e6]
    if record["size"]:
        sizes.insert(0, record["size"]["megabytes"])
    heads = ("theoretical", "packed", "file")[-len(sizes) :]
    shown = ", ".join(f"{head} {size:.4f}" for head, size in zip(heads, sizes, strict=True))
    lines.append(f"sizes in MB: {shown}")
    if report["export_note"]:
        lines.append(one_line(report["export_note"]))
    task = recorded(record["data"])
    lines += _measured(report, leading(task.metrics))
    unit = task.output_name if report["export"] == "float" else "steps of the output's grid"
    lines.append(
        f"{report['images']:,} test images; differences in {unit}, from the simulation with the"
        " file's fixed ranges"
    )
    return "\n".join([*lines, *remarks([record["data"]])])


def _measured(report: dict[str, Any], metrics: Sequence[Metric]) -> list[str]:
    """A line for the simulation, and one for each kernel path."""
    beside = {"agreement": "agreement %"}
    beside |= {"largest_difference": "largest", "mean_difference": "mean difference"}
    heads = [*(metric.heading for metric in metrics), *beside.values()]
    widths = [max(_WIDTH, len(head) + 1) for head in heads]

    def line(first: str, cells: list[str]) -> str:
        return f"{first:<12}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=False))

    def shown(row: dict[str, Any]) -> list[str]:
        return [metric.show(row[metric.name]) for metric in metrics]

    lines = [line("kernels", heads), line("simulation", shown(report["simulation"]))]
    for path, row in report["kernels"].items():
        if "error" in row:
            lines.append(f"{path:<12}  {one_line(row['error'])}")
        else:
            lines.append(line(path, [*shown(row), *(f"{row[key]:.2f}" for key in beside)]))
    return lines
