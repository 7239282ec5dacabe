"""A run's files are what was written, or the run is said to be damaged and made again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import records_examples as examples

from qbench.storage import layout, records

RUN = "0123456789ab"
OTHERS = (
    *("config.json", "history.csv", "predictions.npz", "ranges.json"),
    *("model.weights.h5", "outputs.npz"),
)
NOT_COMMITTED = ("model.weights.h5", "outputs.npz")


def _folder(root: Path) -> Path:
    examples.write(root, RUN)
    return layout.run_folder(root, RUN)


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def _says(root: Path) -> str:
    with pytest.raises(records.DamagedRun) as error:
        records.existing_record(root, RUN)
    return str(error.value)


def test_a_record_has_the_checksum_of_every_other_file_and_of_itself(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    record = json.loads((folder / "record.json").read_bytes())
    assert record["files"] == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in OTHERS
    }
    rest = {key: value for key, value in record.items() if key != "checksum"}
    assert record["checksum"] == records.content_id(rest)
    assert examples.unsealed(record) == examples.record()


def test_a_record_vouches_for_the_files_that_were_written_only(tmp_path: Path) -> None:
    records.write_run(tmp_path, RUN, config={}, record=examples.record("failed"))
    record = records.existing_record(tmp_path, RUN)
    assert record is not None
    assert set(record["files"]) == {"config.json", "history.csv"}


@pytest.mark.parametrize("place", [0, 0.5, 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("name", OTHERS)
def test_one_flipped_bit_in_a_file_is_found_and_named(
    tmp_path: Path, name: str, place: float
) -> None:
    path = _folder(tmp_path) / name
    _flip(path, int(place * (path.stat().st_size - 1)))
    assert _says(tmp_path).startswith(f"{path}: ")
    assert records.finished(tmp_path, RUN) is None


def test_no_flipped_bit_of_a_record_goes_unseen(tmp_path: Path) -> None:
    """Blanks and line ends mean nothing: there the record still says the same."""
    path = _folder(tmp_path) / "record.json"
    whole = path.read_bytes()
    for position in range(len(whole)):
        _flip(path, position)
        try:
            same = json.loads(path.read_bytes()) == json.loads(whole)
        except ValueError:
            same = False
        if not same:
            assert _says(tmp_path).startswith(f"{path}: ")
        path.write_bytes(whole)


@pytest.mark.parametrize("status", ["ok", "diverged", "failed"])
def test_a_record_that_was_edited_is_damaged(tmp_path: Path, status: str) -> None:
    examples.write(tmp_path, RUN, status)
    path = layout.run_folder(tmp_path, RUN) / "record.json"
    record = json.loads(path.read_bytes())
    path.write_bytes(records.as_json(record | {"metrics": {"accuracy": 100.0}}))
    assert _says(tmp_path) == f"{path}: its checksum is wrong."


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in NOT_COMMITTED])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    path = _folder(tmp_path) / name
    path.unlink()
    assert _says(tmp_path) == f"{path}: missing, or not what was written."


@pytest.mark.parametrize("name", NOT_COMMITTED)
def test_what_is_not_committed_may_be_missing_and_not_be_wrong(tmp_path: Path, name: str) -> None:
    path = _folder(tmp_path) / name
    content = path.read_bytes()
    path.unlink()
    assert examples.unsealed(records.finished(tmp_path, RUN)) == examples.record()
    path.write_bytes(content[:-1])
    assert _says(tmp_path) == f"{path}: missing, or not what was written."


@pytest.mark.parametrize("name", [*OTHERS, "record.json"])
def test_a_damaged_run_is_set_aside_whole_and_can_be_made_again(tmp_path: Path, name: str) -> None:
    folder = _folder(tmp_path)
    _flip(folder / name, 2)
    files = examples.tree(folder)
    said: list[str] = []
    records.set_aside_damaged(tmp_path, RUN, said.append)
    assert not folder.exists()
    assert examples.tree(tmp_path / "runs" / f"{RUN}.damaged") == files
    (line,) = said
    assert line.startswith(f"{folder / name}: ")
    assert line.endswith(f" Set aside as {RUN}.damaged; the run is made again.")
    assert records.existing_record(tmp_path, RUN) is None
    examples.write(tmp_path, RUN)
    assert examples.unsealed(records.finished(tmp_path, RUN)) == examples.record()


def test_of_several_damaged_copies_the_last_is_kept(tmp_path: Path) -> None:
    for position in (0, 1):
        path = _folder(tmp_path) / "history.csv"
        _flip(path, position)
        content = path.read_bytes()
        records.set_aside_damaged(tmp_path, RUN, lambda line: None)
    kept = tmp_path / "runs" / f"{RUN}.damaged"
    assert (kept / "history.csv").read_bytes() == content
    assert {path.name for path in kept.parent.iterdir()} == {kept.name}


@pytest.mark.parametrize("status", ["ok", "diverged", "failed", None])
def test_what_is_whole_or_not_there_is_not_set_aside(tmp_path: Path, status: str | None) -> None:
    if status:
        examples.write(tmp_path, RUN, status)
    before = examples.tree(tmp_path)
    said: list[str] = []
    records.set_aside_damaged(tmp_path, RUN, said.append)
    assert said == []
    assert examples.tree(tmp_path) == before
