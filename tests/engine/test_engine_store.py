"""The states of segments on disk: whole or not there, kept as long as they are needed."""

import json
import os

import numpy as np
import pytest
from full_disk import no_room_for, refuse

from qbench.base.errors import DiskFull, QbenchError
from qbench.engine.cleaning import clean
from qbench.storage import layout, records
from qbench.storage.decisions import Decisions
from qbench.storage.locks import LockLost, locked
from qbench.storage.state import State
from qbench.storage.store import Store


def _state(step):
    return State({"model.0": np.full((3, 3), step, np.float32)}, np.zeros(step, np.float32))


@pytest.fixture
def said():
    return []


@pytest.fixture
def store(tmp_path, said):
    made = Store(tmp_path, said.append)
    made.make_folder()
    return made


def _names(store):
    return sorted(path.name for path in store.folder.iterdir())


def test_a_state_is_saved_and_loaded(store, said):
    assert (store.has("a"), store.load("a"), store.load_partial("a")) == (False, None, None)
    store.save("a", _state(4))
    assert store.has("a")
    assert store.load("a").step == 4
    np.testing.assert_array_equal(store.load("a").arrays["model.0"], np.full((3, 3), 4, "f4"))
    assert said == []


def test_a_checkpoint_is_dropped_when_the_state_is_there(store):
    store.save_partial("a", _state(2))
    store.save_partial("a", _state(3))
    assert not store.has("a")
    assert store.load_partial("a").step == 3
    store.save("a", _state(4))
    assert _names(store) == ["a.state"]
    store.drop_partial("a")
    assert _names(store) == ["a.state"]


@pytest.mark.parametrize("kind", ["state", "partial"])
@pytest.mark.parametrize("damage", ["flipped", "short", "empty", "text"])
def test_a_damaged_file_is_named_set_aside_and_not_there(store, said, kind, damage):
    save, load = {
        "state": (store.save, store.load),
        "partial": (store.save_partial, store.load_partial),
    }[kind]
    save("a", _state(4))
    path = store.folder / f"a.{kind}"
    content = bytearray(path.read_bytes())
    content[-20] ^= 4
    harmed = {"flipped": content, "short": content[:-1], "empty": b"", "text": b"hello"}[damage]
    path.write_bytes(harmed)
    assert load("a") is None
    assert len(said) == 1
    assert said[0].startswith(f"{path}: damaged, ")
    assert f"a.{kind}.damaged" in said[0]
    assert _names(store) == [f"a.{kind}.damaged"]
    assert load("a") is None
    assert len(said) == 1
    save("a", _state(4))
    assert load("a").step == 4


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("kind", ["state", "partial"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(store, monkeypatch, call, kind):
    save = {"state": store.save, "partial": store.save_partial}[kind]
    save("a", _state(1))
    before = (store.folder / f"a.{kind}").read_bytes()
    if call == "write":
        no_room_for(f"a.{kind}", monkeypatch)
    else:
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(DiskFull, match=f"disk full: no room for .*/a.{kind};"):
        save("a", _state(2))
    monkeypatch.undo()
    assert _names(store) == [f"a.{kind}"]
    assert (store.folder / f"a.{kind}").read_bytes() == before


def test_a_state_that_cannot_be_written_does_not_cost_the_checkpoint(store, monkeypatch):
    store.save_partial("a", _state(2))
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskFull):
        store.save("a", _state(4))
    monkeypatch.undo()
    assert store.load_partial("a").step == 2


def test_a_failure_is_remembered_until_a_new_sweep(store):
    assert store.failure("a") is None
    store.mark_failed("a", {"message": "no", "traceback": ""})
    assert store.failure("a") == {"message": "no", "traceback": ""}
    store.forget_failures()
    assert store.failure("a") is None


def test_a_damaged_failure_is_a_sentence(store):
    (store.folder / "a.error").write_text("{")
    with pytest.raises(QbenchError, match=r"a\.error"):
        store.failure("a")


SAVES = {
    "state": lambda store: store.save("a", _state(4)),
    "partial": lambda store: store.save_partial("a", _state(4)),
    "no partial": lambda store: store.drop_partial("a"),
}


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_nothing_is_stored_of_a_segment_whose_lock_another_has_taken_over(store, said, save):
    store.save("a", _state(1))
    store.save_partial("a", _state(2))
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    with pytest.raises(LockLost, match=r"a\.lock"), store.locked("a"):
        store.lock("a").unlink()
        save(store)
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before
    assert said == []


def test_a_segment_is_locked_while_it_is_held_and_its_lock_checked_no_longer(store):
    with store.locked("a"):
        assert store.lock("a").exists()
        store.check("a")
        store.save("a", _state(1))
        store.check("b")
        store.save("b", _state(1))
    assert _names(store) == ["a.state", "b.state"]
    store.save("a", _state(2))
    assert store.load("a").step == 2


def _manifest(root, runs):
    rows = [{"runs": [{"id": name, "segments": list(path)} for name, path in runs.items()]}]
    records.write_atomically(
        root / layout.MANIFEST, records.as_json({"schema": records.SCHEMA, "rows": rows})
    )


def _finish(root, run, status="ok"):
    records.write_run(root, run, config={}, record={"schema": records.SCHEMA, "status": status})


def test_clean_keeps_the_deepest_state_of_every_unfinished_run(store, tmp_path):
    _manifest(tmp_path, {"one": "abc", "two": "abd", "three": "ae", "four": "xy"})
    for segment in "abex":
        store.save(segment, _state(1))
    for segment in "acy":
        store.save_partial(segment, _state(2))
    _finish(tmp_path, "three")
    _finish(tmp_path, "four", "diverged")
    removed = clean(tmp_path)
    # From b on go the first two; a and its checkpoint are behind them, e, x and y are done.
    assert _names(store) == ["b.state", "c.partial"]
    assert sorted(path.name for path in removed) == [
        *("a.partial", "a.state", "e.state", "x.state", "y.partial")
    ]


def test_clean_keeps_what_a_failed_run_goes_on_from_and_what_another_sweep_needs(store, tmp_path):
    _manifest(tmp_path, {"one": "ab"})
    (tmp_path / "other").mkdir()
    _manifest(tmp_path / "other", {"two": "cd"})
    for segment in "acz":
        store.save(segment, _state(1))
    _finish(tmp_path, "one", "failed")
    assert [path.name for path in clean(tmp_path)] == ["z.state"]
    assert _names(store) == ["a.state", "c.state"]


def test_clean_keeps_what_is_being_trained(store, tmp_path):
    _manifest(tmp_path, {})
    store.save_partial("a", _state(1))
    with locked(store.lock("a"), print):
        assert clean(tmp_path) == []
    assert [path.name for path in clean(tmp_path)] == ["a.partial"]
    assert _names(store) == []


def test_clean_removes_everything_when_all_is_done(store, tmp_path, said):
    _manifest(tmp_path, {"one": "ab"})
    store.save("a", _state(1))
    store.save("b", _state(1))
    (store.folder / "b.state").write_bytes(b"")
    assert store.load("b") is None
    _finish(tmp_path, "one")
    clean(tmp_path)
    assert _names(store) == []
    assert clean(tmp_path) == []


def test_clean_keeps_the_checkpoint_of_a_first_stage_that_a_sweep_waits_for(store, tmp_path):
    _manifest(tmp_path, {})
    stages = Decisions(tmp_path, print)
    stages.make_folder()
    for name in ("mine", "theirs", "held", "given up"):
        stages.save_partial(name, _state(1))
    (tmp_path / "other").mkdir()
    for folder, name in ((tmp_path, "mine"), (tmp_path / "other", "theirs")):
        told = {"decisions": [{"id": name, "label": name}]}
        records.write_atomically(folder / layout.DECIDING, records.as_json(told))
    with locked(stages.lock("held"), print):
        assert [path.name for path in clean(tmp_path)] == ["given up.partial"]
    assert _names(stages) == ["held.partial", "mine.partial", "theirs.partial"]


def test_locks_of_dead_holders_are_dropped_and_others_stay(tmp_path):
    store = Store(tmp_path, lambda text: None)
    store.make_folder()
    dead, living = store.lock("dead"), store.lock("living")
    with locked(living, print):
        holder = json.loads(living.read_text())
        dead.write_text(json.dumps({**holder, "started": "another"}))
        hidden = [path.with_name(f".{path.name}.host.7.8") for path in (dead, living)]
        for path, name in zip((dead, living), hidden, strict=True):
            name.write_bytes(path.read_bytes())  # of one who is killed while it takes the lock
        store.drop_abandoned_locks()
        assert [path.exists() for path in (dead, living, *hidden)] == [False, True, False, True]
