"""Jobs done in this process: sharing, resuming and repairing change no bit of a result."""

import threading

import numpy as np
import pytest
import tensorflow as tf
from engine_examples import do, experiment, jobs, nothing, resolved, silent, weights

from qbench.engine.execute import execute
from qbench.engine.single import run_single, single_job
from qbench.engine.verify import train_alone
from qbench.quantize.quantizer import CURRENT, OWN, Quantizer
from qbench.storage import layout, records
from qbench.storage.locks import locked
from qbench.storage.store import Store

ROWS = [
    {},
    {"quant.enabled": False},
    {"quant.op": "fake_quant"},
    {"quant.bits": 4},
    {"data.preprocessing": "inception"},
    {"quant.range_given": True},
    {"quant.delay": 0.3},
    {"quant.delay": 0},
    {"quant.delay": 1},
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """(resolved rows, folder, steps trained) of a sweep with one row for every factor."""
    root = tmp_path_factory.mktemp("shared")
    work = resolved(*ROWS)
    return work, root, sum(do(job) for job in jobs(work, root))


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[str(row) for row in ROWS])
def test_trunk_then_branch_equals_training_alone_bit_for_bit(shared, number):
    work, root, _ = shared
    assert weights(root, work.ids[number]) == train_alone(work.plan.runs[number].experiment)


def test_every_step_of_the_tree_is_trained_once(shared):
    work, root, trained = shared
    assert trained == work.tree.steps_shared < work.tree.steps_unshared
    assert jobs(work, root) == []


def test_without_sharing_the_weights_are_the_same(shared, tmp_path):
    work = resolved({}, {"quant.bits": 4}, share=False)
    assert sum(do(job) for job in jobs(work, tmp_path)) == 20
    for name in work.ids:
        assert weights(tmp_path, name) == weights(shared[1], name)


class Stopped(BaseException):
    """Like a kill, but caught by the test."""


def _stop_after(steps):
    """A report that stops training once so many steps are done."""
    left = [steps]

    def report(new, loss):
        left[0] -= new
        if left[0] <= 0:
            raise Stopped

    return report


@pytest.mark.parametrize("after", (2, 6, 10))
def test_going_on_from_a_checkpoint_equals_training_without_a_break(shared, tmp_path, after):
    chosen = experiment({"train.checkpoint_every": 2})
    spec = single_job(chosen, tmp_path, shared[0].device)
    with pytest.raises(Stopped):
        execute(spec, _stop_after(after), silent)
    assert not (tmp_path / "runs").exists()
    saved = after - 2 if after < 10 else 8
    trained = do(spec)
    # A checkpoint of each phase is there; the end of the float phase is at step 5.
    assert trained <= 10 - saved + 1
    assert weights(tmp_path, spec.runs[0].id) == weights(shared[1], shared[0].ids[0])


def test_stopped_again_and_again_it_arrives(shared, tmp_path):
    spec = single_job(experiment({"train.checkpoint_every": 1}), tmp_path, shared[0].device)
    for _ in range(10):
        try:
            execute(spec, _stop_after(4), silent)
        except Stopped:
            continue
        break
    assert weights(tmp_path, spec.runs[0].id) == weights(shared[1], shared[0].ids[0])


def test_a_run_by_itself_leaves_no_checkpoints(tmp_path):
    record = run_single(experiment({"train.checkpoint_every": 2}), tmp_path, nothing)
    assert record["status"] == "ok"
    assert list((tmp_path / "segments").iterdir()) == []


@pytest.fixture
def trunk_and_branches(tmp_path):
    """A trunk of five steps that is done, and two runs that are not."""
    work = resolved({}, {"quant.bits": 4})
    trunk, *branches = jobs(work, tmp_path)
    assert do(trunk) == 5
    return work, trunk, branches


@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_parent_state_is_made_again_within_the_job(
    shared, trunk_and_branches, tmp_path, damage
):
    work, trunk, branches = trunk_and_branches
    path = tmp_path / "segments" / f"{trunk.segments[-1].id}.state"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flipped": content, "truncated": content[:-9]}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    said = []
    steps = [do(branch, said.append) for branch in branches]
    assert steps == [10, 5]  # the first makes the trunk's state again, the second takes it over
    assert [str(path) in line for line in said] == [True] * (damage != "missing")
    for name in work.ids:
        assert weights(tmp_path, name) == weights(shared[1], name)


def test_a_damaged_checkpoint_is_not_used(shared, tmp_path):
    spec = single_job(experiment({"train.checkpoint_every": 2}), tmp_path, shared[0].device)
    with pytest.raises(Stopped):
        execute(spec, _stop_after(8), silent)
    for path in (tmp_path / "segments").glob("*.partial"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 255
        path.write_bytes(content)
    said = []
    assert do(spec, said.append) == 10
    assert len(said) == 2
    assert weights(tmp_path, spec.runs[0].id) == weights(shared[1], shared[0].ids[0])


def test_a_waiting_job_takes_over_what_another_has_finished(shared, trunk_and_branches, tmp_path):
    work, trunk, branches = trunk_and_branches
    store = Store(tmp_path, silent)
    segment = trunk.segments[-1].id
    ready = store.load(segment)
    (tmp_path / "segments" / f"{segment}.state").unlink()
    said, steps = [], []
    waits = threading.Event()

    def say(text):
        said.append(text)
        waits.set()

    thread = threading.Thread(target=lambda: steps.append(do(branches[0], say)))
    with locked(store.lock(segment), silent):
        thread.start()
        assert waits.wait(30)
        store.save(segment, ready)
    thread.join(60)
    assert steps == [5]
    assert ["waiting" in line for line in said] == [True]
    assert weights(tmp_path, branches[0].runs[0].id) == weights(
        shared[1], work.ids[work.ids.index(branches[0].runs[0].id)]
    )


def test_a_finished_run_is_neither_trained_nor_written_again(shared):
    work, root, _ = shared
    path = layout.run_folder(root, work.ids[0]) / layout.RECORD
    before = path.stat().st_mtime_ns
    assert do(single_job(work.plan.runs[0].experiment, root, work.device)) == 0
    assert path.stat().st_mtime_ns == before


REASONS = [
    ({"quant.bits": 1}, "one signed bit has no positive code"),
    ({"quant.signed": False}, "unsigned codes have no step for a tensor without positive values"),
    ({"quant.signed": False, "quant.range_given": True}, None),
    ({}, None),
]


@pytest.mark.parametrize(("values", "reason"), REASONS, ids=str)
def test_a_run_that_diverges_says_what_the_op_may_have_to_do_with_it(tmp_path, values, reason):
    high = {"train.learning_rate": 1e30, "train.steps": 20, **values}
    for delay in (0.0, 0.95):
        work = resolved({**high, "quant.delay": delay})
        for job in jobs(work, tmp_path):
            do(job)
        (name,) = work.ids
        message = records.read_record(layout.run_folder(tmp_path, name))["error"]["message"]
        told = f"A possible reason: {reason}" in message
        assert told == (reason is not None and delay == 0)


def test_a_kernel_without_positive_values_has_no_unsigned_step():
    """What the reason says: the op makes values beyond any network of it where it measures."""
    kernel = tf.constant([-1.0, -0.5, -0.1])
    measured, given = (
        Quantizer("qdq_v2", 8, False, "half_to_even", source)(kernel, -1.0, -0.1).numpy()
        for source in (OWN, CURRENT)
    )
    assert np.abs(measured).max() > 1e30
    np.testing.assert_array_equal(given, 0)


def test_a_trunk_that_diverges_makes_all_its_runs_diverged_without_training_them(tmp_path):
    high = {"train.learning_rate": 1e30, "train.steps": 20}
    work = resolved(high, {**high, "quant.bits": 4})
    trunk, *branches = jobs(work, tmp_path)
    do(trunk)
    assert [do(branch) for branch in branches] == [0, 0]
    errors = []
    for name in work.ids:
        record = records.read_record(layout.run_folder(tmp_path, name))
        assert record["status"] == "diverged"
        errors.append(record["error"]["message"])
    assert errors[0] == errors[1]
    assert "not finite at step" in errors[0]
