"""A model card of a finished run: Markdown with the metadata of Hugging Face's hub.

The same records give the same card. The license of the network is the user's to choose, so the card
names none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean, stdev
from typing import Any

from qbench.base.checks import show
from qbench.base.plain import one_line
from qbench.report import values
from qbench.report.comparison import Comparisons, comparisons, run_values
from qbench.report.export import facts
from qbench.report.export.standing import Standing
from qbench.report.texts import Lines, counted, in_markdown, markdown
from qbench.statistics.compared import Comparison
from qbench.statistics.verdict import Verdict
from qbench.storage import layout, records
from qbench.storage.conversions import WITHOUT_FILE
from qbench.tasks.metric import leading

_TAGS = ("qbench", "quantization", "quantization-aware-training")
_CLASSIFICATION = "classification"
_HUB_TASK = "image-classification"  # the hub's name of it


def card(standing: Standing, command: str) -> str:
    """The text of the card.

    Args:
        standing: the run in its sweep.
        command: the line that trains it.
    """
    made = comparisons(standing.sweep) if standing.has_table else Comparisons(None, None)
    parts = [
        f"---\n{_metadata(standing)}---",
        f"# {in_markdown(_title(standing))}",
        *map(in_markdown, _introduction(standing)),
        "## Figures",
        markdown(_figures(standing)),
        *map(in_markdown, _against(standing, made)),
        *map(in_markdown, standing.sweep.remarks),
        "## Files",
        markdown(_sizes(standing)),
        *map(in_markdown, _of_file(standing)),
        "## Settings",
        markdown(_settings(standing), numbers=False),
        "## Provenance",
        markdown(_provenance(standing), numbers=False),
        "This line trains it again, with the same data and code:",
        f"    {one_line(command)}",
    ]
    return "\n\n".join(parts) + "\n"


def _title(standing: Standing) -> str:
    study = standing.sweep.manifest["study"]
    name = study if standing.label == study else f"{study}: {standing.label}"
    return f"{name}, {_seed(standing)}"


def _seed(standing: Standing) -> str:
    seeds = standing.run.get("seeds") or [standing.run["seed"]]
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _metadata(standing: Standing) -> str:
    """The YAML at the top."""
    import yaml

    data, task = standing.record["data"], standing.sweep.task
    is_classification = task.name == _CLASSIFICATION
    first = leading(task.metrics)
    result = {
        "task": {"type": _HUB_TASK if is_classification else task.name},
        "dataset": {
            "name": data["name"],
            "type": data["name"],
            "split": "test",
            "revision": data["hash"],
        },
        "metrics": list(_hub_metrics(standing)),
    }
    found: dict[str, Any] = {"library_name": "keras"}
    if is_classification:
        found["pipeline_tag"] = _HUB_TASK
    found |= {
        "tags": list(_TAGS),
        "datasets": [data["name"]],
        "metrics": [metric.name for metric in first],
        "model-index": [{"name": _title(standing), "results": [result]}],
    }
    # YAML keeps letters of every script, and with them characters that reverse text.
    shown = _harmless(found)
    text: str = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=1000)
    return text


def _harmless(content: Any) -> Any:
    """Plain data whose texts are lines without harmful characters, see `qbench.base.plain`."""
    if isinstance(content, str):
        return one_line(content)
    if isinstance(content, dict):
        return {key: _harmless(value) for key, value in content.items()}
    return [_harmless(item) for item in content] if isinstance(content, list) else content


def _hub_metrics(standing: Standing) -> Iterator[dict[str, Any]]:
    """The leading metrics on test images, in simulation and on every kernel path."""
    found = facts.figures(standing.sweep, standing.run["id"])
    for path, where in _places(standing):
        for metric in leading(standing.sweep.metrics):
            value = found.get(f"{path}/{metric.name}")
            if value is not None and path != "validation":
                shown = round(value, metric.digits)
                yield {"type": metric.name, "name": f"{metric.heading}, {where}", "value": shown}


def _places(standing: Standing) -> list[tuple[str, str]]:
    """Where figures were measured: their prefix, and words for it."""
    places = [("test", "simulation"), ("validation", "simulation, validation images")]
    report = standing.sweep.exports.get(standing.run["id"], {})
    return places + [(path, f"{_file(report)} on {path}") for path in report.get("kernels", {})]


def _file(report: Mapping[str, Any]) -> str:
    return f"{layout.kind_of_converted(report['file'])} file"


def _introduction(standing: Standing) -> list[str]:
    """What it is, in sentences."""
    record = standing.record
    steps = record["steps"]
    if "derived" in record:
        members = ", ".join(record["derived"]["members"])
        return [f"Computed by qbench ({record['derived']['kind']}) from the runs {members}."]
    how = "in float"
    if record["quantized"]:
        how = (
            f"with simulated quantization: {steps['float']:,} float steps, then"
            f" {steps['quantized']:,} quantized steps"
        )
    return [
        f"A network for {standing.sweep.task.name} on {record['data']['name']}, trained by qbench"
        f" {record['versions']['qbench']} {how}. It was trained to compare settings of"
        " quantization; judge for yourself whether it fits another use."
    ]


def _figures(standing: Standing) -> Lines:
    """Every metric of the run, wherever it was measured."""
    found = facts.figures(standing.sweep, standing.run["id"])
    metrics = standing.sweep.metrics
    lines = [["images and form", *(metric.heading for metric in metrics)]]
    for path, where in _places(standing):
        own = [found.get(f"{path}/{metric.name}") for metric in metrics]
        if any(value is not None for value in own):
            name = "test images, " + where if path != "validation" else "validation images"
            cells = zip(metrics, own, strict=True)
            lines.append([name, *(_cell(one, value) for one, value in cells)])
    return lines


def _cell(metric: Any, value: float | None) -> str:
    return "-" if value is None else metric.show(value)


def _against(standing: Standing, made: Comparisons) -> list[str]:
    """The row over its seeds, and against the reference."""
    if not standing.has_table:
        return ["No table has this run, so nothing is said of other seeds."]
    said = []
    for one, deployed in ((made.simulated, False), (made.deployed, True)):
        found = run_values(standing.sweep, standing.row, deployed)
        if one is not None and found:
            where = "Converted files" if deployed else "In simulation"
            said.append(
                f"{where}: {_spread(standing, list(found.values()))}{_verdict(one, standing)}"
            )
    notes = [note for one in (made.simulated, made.deployed) if one for note in one.notes]
    return [*said, *dict.fromkeys([*notes, *made.notes])]


def _spread(standing: Standing, found: list[float]) -> str:
    metric = standing.sweep.metric
    each = ", ".join(metric.show(value) for value in found)
    if len(found) == 1:
        return f"{metric.label} {values.amount(metric, found[0])} with one seed."
    return (
        f"{metric.label} over {counted(len(found), 'seed')} {values.amount(metric, fmean(found))}"
        f" on average, standard deviation {metric.show(stdev(found))} ({each})."
    )


def _verdict(made: Comparison, standing: Standing) -> str:
    """What the table says of the row."""
    one = made.row(standing.label)
    if one.verdict is Verdict.REFERENCE:
        return " Other rows are compared with this one."
    where = ""
    if one.low is not None:
        where = f" ({100 * made.level:g} % intervals of all {counted(made.family, 'row')} together)"
    return f" Against {made.reference}: {one.sentence}{where}."


def _sizes(standing: Standing) -> Lines:
    """Every file of weights, with its size and hash, and the theoretical size."""
    record, found = standing.record, facts.figures(standing.sweep, standing.run["id"])
    report = standing.sweep.exports.get(standing.run["id"], {})
    lines = [["what", "bytes", "SHA-256"]]
    if "file_bytes" in found:
        lines.append([report["file"], f"{report['bytes']:,}", report["sha256"]])
    if "packed_bytes" in found:
        packed = "codes in exactly their bits, scales, zero points, biases"
        lines.append([packed, f"{report['packed_bytes']:,}", "-"])
    if record["size"]:
        bits = f"weights at {record['size']['bits']} bits, computed"
        lines.append([bits, f"{1e6 * record['size']['megabytes']:,.0f}", "-"])
    if layout.WEIGHTS in record.get("files", {}):
        path = standing.folder / layout.WEIGHTS
        size = f"{path.stat().st_size:,}" if path.is_file() else "not kept"
        lines.append(
            [f"{layout.WEIGHTS} (float, for Keras)", size, record["files"][layout.WEIGHTS]]
        )
    return lines


def _of_file(standing: Standing) -> list[str]:
    """How the converted file relates to the simulation."""
    report = standing.sweep.exports.get(standing.run["id"])
    if report is None:
        return ["The run was not converted."]
    if report["export"] in WITHOUT_FILE:
        return [f"No file: {report['export_note']}"]
    note = f" ({report['export_note']})" if report["export_note"] else ""
    return [f"The {_file(report)} is {report['export']} to the simulation{note}."]


def _settings(standing: Standing) -> Lines:
    """What the row changes, then how the network was quantized and trained."""
    path = standing.folder / layout.CONFIG
    config = records.read_json(path, "the configuration of a run")
    changes = {key: show(value) for key, value in standing.row["changes"].items()}
    own = {key: value for key, value in facts.settings(config).items() if value != "null"}
    lines = [["setting", "value", ""]]
    lines += [[key, value, "this row"] for key, value in changes.items()]
    return lines + [[key, value, ""] for key, value in own.items() if key not in changes]


def _provenance(standing: Standing) -> Lines:
    record = standing.record
    data = record["data"]
    lines = [["what", "value"], ["run", record["run"]], ["record", record["checksum"]]]
    lines += [["finished", str(record["finished"])], ["data", f"{data['name']}, {data['hash']}"]]
    images = f"{data['train_images']:,} for training, {data['test_images']:,} for the test"
    if "validation_images" in data:
        images += f", {data['validation_images']:,} of the training images for validation"
    lines.append(["images", images])
    lines += [[f"code of {key}", value] for key, value in record.get("code", {}).items()]
    machine = record["device"]
    name = "" if machine["name"] == machine["kind"] else f" ({machine['name']})"
    threads = counted(record["threads"], "thread")
    lines.append(["device", f"{machine['kind']}{name}, {threads}"])
    lines += [[f"version of {name}", version] for name, version in record["versions"].items()]
    if "weights_sha256" in record:
        lines.append(["values of the weights", record["weights_sha256"]])
    return lines
