"""Notes on data, and other texts that people give, from the command line to the figures."""

from __future__ import annotations

import html
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cli_examples as examples
import pytest

from qbench.cli.main import main
from qbench.data import DATASETS, load
from qbench.report import figures

DESIGN = ["design.factors=[quant.delay]", "quant.delay=0.8,0.4"]
FRAC = r"see $\frac$ b"


def _sweep(tiny: list[str], folder: Path, *more: str) -> int:
    return main(["sweep", *tiny, *DESIGN, f"out={folder}", *more])


def _files(folder: Path) -> dict[str, bytes]:
    """What was trained."""
    return {str(path): path.read_bytes() for path in folder.glob("runs/*/*")}


def _noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The notes that were printed just now; the page and the figures must have the same."""
    printed = [line for line in capsys.readouterr().out.split("\n") if line.startswith("Note on")]
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    svg = (folder / "figures" / "fig2_delay.svg").read_text(encoding="utf-8")
    for line in printed:
        assert line in page and line in svg
    assert svg.count("Note on") == page.count("Note on") == len(printed)
    return printed


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """A sweep with a note that is no mathematics, though it has dollars and a backslash."""
    folder = tmp_path_factory.mktemp("noted")
    assert _sweep(tiny, folder, f"data.note={FRAC}") == 0
    return folder


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([f"data.note={FRAC}"], [rf"Note on digits: {FRAC}."]),
        pytest.param(
            [f"data.note='{FRAC}'"], [rf"Note on digits: {FRAC}."], marks=pytest.mark.slow
        ),
        pytest.param(
            ["data.note='1\n2\t\x1b[31m3'"],
            [r"Note on digits: 1 2 \x1b[31m3."],
            marks=pytest.mark.slow,
        ),
        pytest.param(["data.note=null"], [], marks=pytest.mark.slow),
        ([], []),
    ],
)
def test_the_note_that_is_given_now_is_printed_and_drawn(
    given: list[str],
    said: list[str],
    finished: Path,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = _files(finished)
    assert _sweep(tiny, finished, *given) == 0
    captured = capsys.readouterr()
    assert "0 to do" in captured.err
    print(captured.out)
    assert _noted(finished, capsys) == said
    assert main(["report", str(finished)]) == 0
    assert _noted(finished, capsys) == said
    assert _files(finished) == before


@pytest.fixture
def known() -> Iterator[str]:
    """Something that is known of the digits' very pixels."""
    data, what = load("digits", None), "a copy of theirs"
    DATASETS["digits"].known[data.hash] = what
    load.cache_clear()
    yield what
    del DATASETS["digits"].known[data.hash]
    load.cache_clear()


def test_what_is_known_of_the_pixels_stays_when_a_note_is_taken_away(
    known: str, finished: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sweep(tiny, finished, "data.note=mine") == 0
    assert _noted(finished, capsys) == [f"Note on digits: {known}; mine."]
    assert _sweep(tiny, finished, "data.note=null") == 0
    assert _noted(finished, capsys) == [f"Note on digits: {known}."]


def test_a_single_run_that_was_finished_is_printed_with_the_note_of_now(
    finished: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = _files(finished)
    for note, said in (("x_1 $y$", ["Note on digits: x_1 $y$."]), ("null", [])):
        assert main(["train", *tiny, f"data.note={note}", f"out={finished}"]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert [line for line in printed if line.startswith("Note on")] == said
    assert _files(finished) == before


def test_a_sweep_whose_figure_fails_has_its_tables_and_is_mended_by_the_same_command(
    finished: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no such colour")

    (finished / "table.csv").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(figures, "_draw", fails)
        assert _sweep(tiny, finished) == 1
    said = capsys.readouterr()
    figure = "Training loss by quantization delay"
    assert f"! The figure {figure} could not be drawn. ValueError: no such colour." in said.out
    assert said.err.endswith("the tables stand, and the same command tries again.\n")
    assert "Traceback" not in said.err
    assert set(examples.runs(finished)["status"]) == {"ok"}
    assert list((finished / "figures").iterdir()) == []
    assert _sweep(tiny, finished) == 0
    assert (finished / "figures" / "fig2_delay.png").is_file()


def test_texts_as_levels_and_odd_folders(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that share a run have their own notes; a label cannot pass for another."""
    folder = tmp_path / r"a $x$ [1] %s #\frac é 😀"
    levels = 'design.levels={data.note:["$a$ quant.bits=4","one\ntwo","<b>|"]}'
    assert main(["sweep", *tiny, "design.factors=[]", levels, f"out='{folder}'"]) == 0
    said = capsys.readouterr().out.splitlines()
    rows = ["baseline", "default", r"data.note='one\ntwo'", "data.note=<b>|"]
    assert [line.split("  ")[0] for line in said[1:5]] == rows
    assert said[5].startswith("The same as default by construction, so without interval: data.note")
    assert said[7:] == [f"Note on digits: {n}." for n in ("$a$ quant.bits=4", "<b>|", "one two")]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert len({run["id"] for row in manifest["rows"][1:] for run in row["runs"]}) == 1
    assert main(["status", str(folder)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [*(f"done     {row} seed 0" for row in rows), printed[-1]]
    assert main(["report", str(folder)]) == 0


def test_what_a_terminal_cannot_show_is_shown_as_an_escape(
    finished: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _sweep(tiny, finished, "data.note='5 € 😀'") == 0
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["report", str(finished)]) == 0
    terminal.flush()
    assert terminal.buffer.getvalue().endswith(rb"Note on digits: 5 \u20ac \U0001f600." + b"\n")


def test_a_mistake_with_a_line_break_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "no\nsuch \x1b[31mfolder"]) == 2
    said = "qbench: no such \\x1b[31mfolder: no such folder; expected the folder of a sweep.\n"
    assert capsys.readouterr().err == said
