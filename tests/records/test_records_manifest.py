"""The manifest of a sweep, and folders that hold another one."""

from __future__ import annotations

from pathlib import Path

import pytest
import records_examples as examples

from qbench.base.errors import QbenchError
from qbench.storage import manifests

OLD = ("a1", "b2", "c3")


@pytest.mark.parametrize(
    "new",
    [OLD, ("c3", "b2", "a1"), (*OLD, "d4"), ("0", *OLD, "z")],
    ids=["same", "reordered", "one more", "two more"],
)
def test_a_continuation_is_accepted(tmp_path: Path, new: tuple[str, ...]) -> None:
    manifests.write_manifest(tmp_path, examples.manifest(*OLD))
    manifests.write_manifest(tmp_path, examples.manifest(*new))
    assert manifests.read_manifest(tmp_path) == examples.manifest(*new)


@pytest.mark.parametrize(
    ("new", "lost"),
    [((), 3), (("x",), 3), (("a1", "b2"), 1), (("a1", "x", "y"), 2)],
    ids=["nothing", "another", "one less", "two others"],
)
def test_another_sweep_is_refused(tmp_path: Path, new: tuple[str, ...], lost: int) -> None:
    manifests.write_manifest(tmp_path, examples.manifest(*OLD))
    before = examples.tree(tmp_path)
    with pytest.raises(QbenchError) as error:
        manifests.write_manifest(tmp_path, examples.manifest(*new))
    assert str(error.value).startswith(f"out={tmp_path}: holds the table of another sweep, {lost} ")
    assert examples.tree(tmp_path) == before


def test_a_manifest_of_several_rows(tmp_path: Path) -> None:
    """Runs may move from row to row; each row's runs count."""
    one, two = examples.manifest("a1"), examples.manifest("b2")
    both = one | {"rows": [*one["rows"], *two["rows"]]}
    manifests.write_manifest(tmp_path, both)
    manifests.write_manifest(tmp_path, examples.manifest("b2", "a1"))
    with pytest.raises(QbenchError, match="another sweep, 1 of whose runs"):
        manifests.write_manifest(tmp_path, two)


DAMAGED: list[tuple[str, bytes, str]] = [
    ("cut off", b'{"schema": 1, "ro', "cannot be read as the manifest of a sweep"),
    ("a list", b"[]", "not a manifest of schema 1"),
    ("another schema", b'{"schema": 0}', "not a manifest of schema 1"),
]


@pytest.mark.parametrize(
    ("raw", "says"), [case[1:] for case in DAMAGED], ids=[case[0] for case in DAMAGED]
)
def test_a_damaged_manifest_is_named(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(raw)
    for action in (
        lambda: manifests.read_manifest(tmp_path),
        lambda: manifests.write_manifest(tmp_path, examples.manifest("a1")),
    ):
        with pytest.raises(QbenchError) as error:
            action()
        assert str(error.value).startswith(f"{path}: ")
        assert says in str(error.value)
    assert path.read_bytes() == raw


@pytest.mark.parametrize("folder", [".", "not/there"])
def test_a_folder_without_a_manifest_is_named(tmp_path: Path, folder: str) -> None:
    with pytest.raises(QbenchError) as error:
        manifests.read_manifest(tmp_path / folder)
    path = tmp_path / folder / "manifest.json"
    assert str(error.value) == f"{path}: no such file; expected the manifest of a sweep."


def test_a_folder_of_sweeps_lists_them(tmp_path: Path) -> None:
    for name in ("ofat-2", "factorial-1"):
        (tmp_path / name).mkdir()
        manifests.write_manifest(tmp_path / name, examples.manifest("a1"))
    with pytest.raises(QbenchError) as error:
        manifests.read_manifest(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: holds several sweeps; choose one: {tmp_path / 'factorial-1'},"
        f" {tmp_path / 'ofat-2'}."
    )
