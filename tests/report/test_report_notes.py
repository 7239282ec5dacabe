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
