"""What the tables, the page and the figure say of converted files."""

from __future__ import annotations

import csv
import html
import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import report_conversions as conversions
import report_examples as examples

from qbench.report import deployed, notes
from qbench.report.build import build_report
from qbench.report.collect import collect, runs_frame
from qbench.report.drawing import Drawing
from qbench.storage.conversions import read

COLUMNS = ["deployed_accuracy", "deployed_recall_at_5", "agreement", "packed_mb", "tflite_mb"]
COLUMNS += ["export", "export_note"]
COMPARED = [f"deployed_difference{end}" for end in ("", "_std", "_low", "_high")]
OF_TABLE = [*COLUMNS[:3], *COMPARED, "deployed_verdict", *COLUMNS[3:]]
OF_SEEDS = ["n_deployed", "deployed_accuracy_std", "deployed_recall_at_5_std", "agreement_std"]
OF_PATHS = [
    f"{path}_{name}"
    for path in ("xnnpack", "builtin", "reference")
    for name in ("accuracy", "agreement", "largest_difference", "mean_difference")
]
TITLE = "Accuracy in simulation and of the converted file"
NOTE = "float in the simulation: image"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _default(folder: Path) -> dict[str, str]:
    build_report(folder)
    return _read(folder / "table.csv")[1]


def _figure(folder: Path) -> list[Drawing]:
    sweep = collect(folder)
    return deployed.deployed_figure(runs_frame(sweep), sweep.metric, [])


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """One seed: the baseline and the default."""
    return examples.write(tmp_path, examples.rows()[:2])


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Three seeds: the baseline and the default."""
    return examples.write(tmp_path, examples.rows(3)[:2], seeds=3)


def test_a_converted_run_fills_its_columns(single: Path) -> None:
    conversions.add(single, 1)
    line = _default(single)
    assert list(line)[-13:] == [*OF_TABLE, "configuration"]
    assert [line[name] for name in COLUMNS] == [
        *("97.0", "99.5", "98.25", "0.08", "0.105", "approximate", NOTE)
    ]
    assert [_read(single / "table.csv")[0][name] for name in COLUMNS] == [""] * 7


def test_runs_hold_every_kernel_path(single: Path) -> None:
    conversions.add(single, 1)
    build_report(single)
    line = _read(single / "runs.csv")[1]
    assert list(line)[-19:] == [*COLUMNS, *OF_PATHS]
    assert [line[f"{path}_accuracy"] for path in ("xnnpack", "builtin", "reference")] == [
        *("97.0", "96.0", "95.0")
    ]
    assert [line[f"builtin_{name}_difference"] for name in ("largest", "mean")] == ["3.0", "0.5"]


def test_the_page_and_the_markdown_show_every_kernel_path(single: Path) -> None:
    conversions.add(single, 1)
    shown = build_report(single).text
    assert "reference" not in shown
    text = (single / "table.md").read_text().partition("## Converted files on every kernel path")[2]
    assert examples.cells(text) == [
        ["configuration", "kernels", "accuracy %", "agreement %", "largest", "mean difference"],
        ["default", "xnnpack", "97.00", "98.25", "3", "0.5"],
        ["default", "builtin", "96.00", "98.25", "3", "0.5"],
        ["default", "reference", "95.00", "98.25", "3", "0.5"],
    ]
    page = (single / "report.html").read_text()
    assert "<summary>Converted files on every kernel path</summary>" in page
    line = '<th scope="row">default</th><td class="n">builtin</td><td class="n">96.00</td>'
    assert line in page


def test_a_path_that_cannot_run_the_file_is_said(single: Path) -> None:
    kernels = {"xnnpack": conversions.ERROR, "builtin": conversions.path(96.0)}
    conversions.add(single, 1, kernels=kernels)
    line = _default(single)
    assert [line[name] for name in COLUMNS[:5]] == ["", "", "", "0.08", "0.105"]
    assert line["export_note"] == f"{NOTE}; XNNPACK cannot run the file: no kernel for this"
    head, *body = examples.cells((single / "table.md").read_text().partition("## Converted")[2])
    assert head[-1] == "could not run"
    assert body == [
        ["default", "xnnpack", *("-" * 4), "no kernel for this"],
        ["default", "builtin", "96.00", "98.25", "3", "0.5", ""],
    ]
    assert not (single / "figures" / "deployed.svg").exists()


@pytest.fixture
def uneven(three: Path) -> Path:
    """The second seed of the default could not be converted."""
    conversions.add(three, 1, 0, 90.0)
    conversions.put(three, 1, 1, conversions.none())
    conversions.add(three, 1, 2, 94.0)
    return three


@pytest.mark.parametrize(
    ("seeds", "says"),
    [
        ([2], "Converted: the runs of seed 2, of 3 seeds. Deployed figures are theirs alone"),
        ([2, 0], "Converted: the runs of seeds 0, 2, of 3 seeds."),
        ([0, 1, 2], ""),
        ([], ""),
    ],
)
def test_the_notes_name_the_seeds_with_files(three: Path, seeds: list[int], says: str) -> None:
    for seed in seeds:
        conversions.add(three, 1, seed)
    found = [note for note in notes.notes(collect(three)) if note.startswith("Converted: ")]
    assert [note[: len(says)] for note in found] == ([says] if says else [])
    assert found == [
        line for line in build_report(three).text.splitlines() if line.startswith("Converted: ")
    ]


def test_several_seeds_of_which_one_was_not_converted(uneven: Path) -> None:
    line = _default(uneven)
    assert list(line)[-17:] == [*OF_TABLE, *OF_SEEDS, "configuration"]
    assert (line["n_seeds"], line["n_deployed"]) == ("3", "2")
    assert float(line["deployed_accuracy"]) == 92
    assert float(line["deployed_accuracy_std"]) == pytest.approx(stdev([90, 94]), abs=1e-6)
    assert float(line["agreement_std"]) == 0
    assert line["export"] == "approximate (2 of 3); none (1 of 3)"
    assert line["export_note"] == (
        f"{NOTE} (2 of 3); stem: a Conv2D cannot be converted yet. (1 of 3)"
    )


def test_what_was_not_converted_is_listed(uneven: Path) -> None:
    said = "default, seed 1: not converted. stem: a Conv2D cannot be converted yet."
    assert f"! {said}" in build_report(uneven).text.splitlines()
    assert f"- {said}" in (uneven / "table.md").read_text().splitlines()
    page = (uneven / "report.html").read_text()
    missing = page.partition("What is missing</h2>")[2].partition("</ul>")[0]
    assert f"<li>{said}</li>" in missing


def test_runs_without_a_file_for_one_reason_are_one_line(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, examples.rows(3)[:4], seeds=3)
    for seed in (0, 1, 2):
        conversions.put(folder, 1, seed, conversions.none())
    conversions.put(folder, 2, 1, conversions.none())
    conversions.put(folder, 3, 1, conversions.none("lstm: an LSTM cannot be converted yet."))
    said = [line for line in build_report(folder).text.splitlines() if "not converted" in line]
    assert said == [
        "! default; quant.op=fake_quant, seed 1: not converted. stem: a Conv2D cannot be converted"
        " yet.",
        "! quant.bits=4, seed 1: not converted. lstm: an LSTM cannot be converted yet.",
    ]


def test_the_printed_table_shows_spreads_and_how_many_seeds(uneven: Path) -> None:
    build_report(uneven)
    head, _, line, *_ = examples.cells((uneven / "table.md").read_text())
    by_name = dict(zip(head, line, strict=False))
    assert by_name["deployed %"] == "92.00 ± 2.83"
    assert by_name["deployed seeds"] == "2"


def test_the_kernel_paths_say_how_many_seeds_they_are_of(uneven: Path) -> None:
    other = {"xnnpack": conversions.path(94.0, mean_difference=0.7)}
    conversions.add(uneven, 1, 2, kernels=other)
    build_report(uneven)
    head, *body = examples.cells((uneven / "table.md").read_text().partition("## Converted")[2])
    assert head[-1] == "seeds"
    figures = ["92.00 ± 2.83", "98.25 ± 0.00", "3", "0.6 ± 0.14", "2"]
    assert body[0] == ["default", "xnnpack", *figures]


def test_the_figure_joins_points_of_the_same_seeds(uneven: Path) -> None:
    (drawing,) = _figure(uneven)
    (axes,) = drawing.make().axes
    assert drawing.title == TITLE
    simulated, converted = axes.lines
    own = [examples.metrics(1, seed)["accuracy"] for seed in (0, 2)]
    assert list(simulated.get_xdata()) == [pytest.approx(fmean(own))]
    assert list(converted.get_xdata()) == [92]
    of_seeds = [part.get_offsets().tolist() for part in axes.collections[1:]]
    assert [sorted(x for x, _ in dots) for dots in of_seeds] == [
        pytest.approx(sorted(own)),
        [90, 94],
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["default"]


def test_a_diverged_run_has_no_file_to_count(tmp_path: Path) -> None:
    table = examples.rows(2)[:2]
    table[1].statuses = ["ok", "diverged"]
    folder = examples.write(tmp_path, table, seeds=2)
    conversions.add(folder, 1, 0)
    conversions.add(folder, 1, 1)  # left from an earlier attempt
    line = _default(folder)
    assert (line["status"], line["n_seeds"], line["n_deployed"]) == ("diverged", "1", "1")
    assert (line["export"], line["deployed_accuracy_std"]) == ("approximate", "")


def test_nothing_is_said_of_files_where_no_seed_has_one(three: Path) -> None:
    for seed in range(3):
        conversions.add(three, 0, seed)
    line = _default(three)
    assert [line[name] for name in COLUMNS] == [""] * 7
    assert line["n_deployed"] == "0"


@pytest.mark.parametrize("images", [50, 10_000])
def test_figures_of_other_images_are_left_out(single: Path, images: int) -> None:
    conversions.add(single, 1, images=images)
    shown = build_report(single).text
    line = _read(single / "table.csv")[1]
    said = (
        f"measured on {images} test images, the simulation on 599; `qbench convert RUN` measures on"
        " the same"
    )
    assert [line[name] for name in COLUMNS[:5]] == ["", "", "", "0.08", "0.105"]
    assert line["export_note"] == f"{NOTE}; {said}"
    assert f"! default, seed 0: {said}" in shown.splitlines()
    assert {_read(single / "runs.csv")[1][name] for name in OF_PATHS} == {""}
    assert "## Converted files" not in (single / "table.md").read_text()


def test_the_note_says_which_images(single: Path) -> None:
    conversions.add(single, 1)
    build_report(single)
    assert "on the same test images as the simulation" in (single / "table.md").read_text()


def test_an_old_figure_goes(single: Path) -> None:
    run = conversions.add(single, 1)
    build_report(single)
    drawn = [single / "figures" / f"deployed.{kind}" for kind in ("png", "svg")]
    assert all(path.is_file() for path in drawn)
    (run / "deploy.json").unlink()
    build_report(single)
    assert not any(path.exists() for path in drawn)
    assert TITLE not in html.unescape((single / "report.html").read_text())


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in conversions.report().items() if name != key}


MALFORMED: list[Any] = [
    [],
    {"export": "none"},
    {"export": None, "export_note": ""},
    *(_without(key) for key in ("export", "export_note", "file", "bytes", "sha256", "images")),
    _without("kernels"),
    conversions.report(bytes="many"),
    conversions.report(images=True),
    conversions.report(packed_bytes=1.5),
    conversions.report(kernels=[]),
    conversions.report(kernels={"xnnpack": None}),
    conversions.report(kernels={"xnnpack": {}}),
    conversions.report(kernels={"xnnpack": {"error": 3}}),
    conversions.report(kernels={"xnnpack": conversions.path(97.0, agreement="all")}),
    conversions.report(kernels={"xnnpack": conversions.path(97.0, mean_difference="small")}),
]


@pytest.mark.parametrize("content", MALFORMED, ids=lambda content: json.dumps(content)[:40])
def test_a_malformed_report_is_named_and_left_out(
    single: Path, content: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = conversions.add(single, 1)
    (run / "deploy.json").write_text(json.dumps(content))
    assert read(run) is None
    sweep = collect(single)
    assert sweep.exports == {}
    assert f"{run.name}/deploy.json: damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        conversions.none(),
        _without("packed_bytes"),
        conversions.report(kernels={"xnnpack": conversions.ERROR}),
    ],
)
def test_a_sound_report_is_read(single: Path, content: dict[str, Any]) -> None:
    run = conversions.put(single, 1, 0, content)
    assert read(run) == content
    build_report(single)
