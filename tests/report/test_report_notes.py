"""Which note on the data a report prints: the sweep's own, of which its manifest knows."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest
import report_examples as examples

from qbench.report.build import build_report
from qbench.report.collect import collect

CLASSES = ["cat", "dog"]
MADE_UP = f"Note on digits: {examples.NOTE}."


def _noted(root: Path, *notes: str | None) -> Path:
    """A sweep whose records have the note of the examples, and its rows these in the manifest."""
    folder = examples.write(root, examples.rows()[: len(notes)])
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for row, note in zip(manifest["rows"], notes, strict=True):
        if note is not None:
            row["note"] = note
    path.write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        (("new", "new"), ["Note on digits: new."]),
        (("one.", "two"), ["Note on digits: one.", "Note on digits: two."]),
        (("", ""), []),
        (("  \n", ""), []),
        ((None, None), [MADE_UP]),
        (("", "new"), ["Note on digits: new."]),
    ],
    ids=["new", "two rows", "taken away", "blank", "older manifest", "one row"],
)
def test_the_sweeps_own_note_is_said(
    notes: tuple[str | None, ...], said: list[str], tmp_path: Path
) -> None:
    folder = _noted(tmp_path, *notes)
    records = {path: path.read_bytes() for path in tmp_path.glob("runs/*/record.json")}
    assert collect(folder).remarks == said
    shown = build_report(folder).text.splitlines()
    assert [line for line in shown if line.startswith("Note")] == said
    forms = {"Note: ": "table.md", "Note on digits: ": "report.html"}
    for start, name in forms.items():
        plain = html.unescape((folder / name).read_text()).replace("\\", "")
        for note in ["new.", "one.", "two.", f"{examples.NOTE}."]:
            assert plain.count(f"{start}{note}") == (f"Note on digits: {note}" in said)
    assert {path: path.read_bytes() for path in records} == records


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "Classes (2): cat, dog."),
        ({"note": "", "classes": ["Katze", "Hund"]}, "Classes (2): Katze, Hund."),
        ({"note": ""}, None),
    ],
    ids=["older manifest", "other names", "no names"],
)
def test_the_sweeps_own_classes_are_said(
    row: dict[str, Any], said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = examples.record

    def record(*given: Any) -> dict[str, Any]:
        found = known(*given)
        found["data"]["classes"] = CLASSES  # those of the folder that it was trained on
        return found

    monkeypatch.setattr(examples, "record", record)
    folder = examples.write(tmp_path, examples.rows()[:1])
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["rows"][0] |= row
    (folder / "manifest.json").write_text(json.dumps(manifest))
    build_report(folder)
    for name in ("table.md", "report.html"):
        text = html.unescape((folder / name).read_text()).replace("\\", "")
        assert text.count("Classes (") == (said is not None)
        assert said is None or said in text


RULE = {"auto_every": 1000, "auto_patience": 5, "auto_min_delta": 0.0, "auto_most": 9000}
END = "decided by early stopping of the float network with seed 3 on the validation images (an"
END += " evaluation every 1,000 steps, patience 5)."
ENDED = ({}, {"ended": "most"})  # older manifests do not say why a stage ended


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], []),
        ([["baseline", "default"]], [f"Steps: 4,000, {END}"]),
        (
            [["baseline"], ["default", "b", "c", "d"]],
            [
                f"Steps: 4,000 for baseline, {END}",
                f"Steps: 4,001 for default, b and 2 more, {END} It ended at train.auto_most=9000,"
                " perhaps before the best step.",
            ],
        ),
    ],
    ids=["given", "one number", "two numbers"],
)
def test_how_steps_were_decided_is_said(
    rows: list[list[str]], said: list[str], tmp_path: Path
) -> None:
    folder = _noted(tmp_path, "", "")
    path = folder / "manifest.json"
    decided = [
        {"id": f"{k}", "steps": 4000 + k, "rows": one, "seed": 3, **RULE, **ENDED[k]}
        for k, one in enumerate(rows)
    ]
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"decided": decided}))
    text = build_report(folder).text
    assert [line for line in text.splitlines() if line.startswith("Steps:")] == said
    for name in ("table.md", "report.html"):
        plain = html.unescape((folder / name).read_text()).replace("\\", "")
        assert [plain.count(line) for line in said] == [1] * len(said)
        assert plain.count("Steps: ") == len(said)
