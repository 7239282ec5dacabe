"""Schemes with several phases and with variables: shared, killed, resumed and alone, to the bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_examples import do, experiment, jobs, resolved, silent, weights
from toy_schemes import registered

from qbench.base.files import as_npz
from qbench.engine import verify
from qbench.engine.single import single_job
from qbench.engine.verify import is_as_alone, train_alone
from qbench.planning.identity import identity, phases
from qbench.storage import layout, records
from qbench.storage.store import Store

# Float steps to 4, then phases of the toy powers to 6, 8 and 10.
SHORT = {"quant.delay": 0.4}


WEIGHTS = {**SHORT, "quant.activation_bits": "float"}
INQ = {"name": "inq", "partition": "random", "portions": [0.5, 1.0]}


def _powers(**arguments: Any) -> dict[str, Any]:
    every = {"second": 0.75, "third": 0.875, "finish": False, **arguments}
    return {**SHORT, "quant.scheme": {"name": "powers", **every}}


def _learned(multiplier: float = 0.1, **more: Any) -> dict[str, Any]:
    return {**SHORT, "quant.scheme": {"name": "learned", "multiplier": multiplier}, **more}


ROWS: dict[str, dict[str, Any]] = {
    "uniform": SHORT,
    "powers": _powers(),
    "third": _powers(third=1.0),
    "second": _powers(second=0.6),
    "finish": _powers(finish=True),
    "finish differently": _powers(finish=True, third=1.0),
    "learned": _learned(),
    "inq": {**WEIGHTS, "quant.bits": 4, "quant.scheme": INQ},
    "bwn": {**WEIGHTS, "quant.scheme": {"name": "bwn"}},
    "zeros": {
        **WEIGHTS,
        **{"quant.bits": 4, "quant.delay": 1},
        "quant.scheme": {"name": "inq", "max_weight": 1000.0},
    },
    "no steps": {**_powers(), "quant.delay": 1},
    "no steps either": {**_learned(), "quant.delay": 1},
    "float": {"quant.enabled": False},
}
NAMES = list(ROWS)


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(resolved rows, folder, steps trained, what was said) of a sweep with every row."""
    root, said = tmp_path_factory.mktemp("shared"), []
    work = resolved(*ROWS.values())
    return work, root, sum(do(job, said.append) for job in jobs(work, root)), said


@pytest.mark.parametrize(
    "name",
    [
        *("powers", "third", "finish differently", "learned", "no steps"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("inq", "bwn")),
    ],
)
def test_shared_phases_give_the_bits_of_training_alone(shared: Any, name: str) -> None:
    work, root, *_ = shared
    number = NAMES.index(name)
    assert weights(root, work.ids[number]) == train_alone(work.plan.runs[number].experiment)


def test_other_step_sizes_or_ranges_than_alone_are_noticed(
    shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of training changes them after they changed the weights."""
    work, root, *_ = shared
    number = NAMES.index("learned")
    source, chosen = layout.run_folder(root, work.ids[number]), work.plan.runs[number].experiment
    alone = verify._trained_alone(chosen)
    monkeypatch.setattr(verify, "_trained_alone", lambda experiment: alone)
    assert is_as_alone(source, chosen)
    saved = records.read_scheme(source)
    first = next(iter(saved))
    saved[first] = np.nextafter(saved[first], np.float32(9))
    ranges = (source / layout.RANGES).read_text().replace("0.", "1.", 1).encode()
    for file, content in ((layout.SCHEME, as_npz(saved)), (layout.RANGES, ranges)):
        folder = Path(shutil.copytree(source, tmp_path / file))
        (folder / file).write_bytes(content)
        record = records.read_record(source)
        files = {name: (folder / name).read_bytes() for name in record["files"]}
        (folder / layout.RECORD).write_bytes(records.as_json(records._sealed(record, files)))
        assert not is_as_alone(folder, chosen)


def test_every_step_of_the_tree_is_trained_once(shared: Any) -> None:
    work, _, trained, _ = shared
    assert trained == work.tree.steps_shared < work.tree.steps_unshared
    assert len(set(work.ids)) == len(ROWS)


def _path(shared: Any, name: str) -> list[tuple[str, int, str]]:
    segments = shared[0].tree.last[NAMES.index(name)].path
    return [(one.phase, one.end, one.id) for one in segments]


def test_runs_share_the_phases_before_the_one_that_differs(shared: Any) -> None:
    base, third, second = (_path(shared, name) for name in ("powers", "third", "second"))
    ends = [("float", 4), ("half", 6), ("second", 8), ("third", 10)]
    assert [part[:2] for part in base] == ends
    assert base[:3] == third[:3] and base[3] != third[3]
    assert base[:2] == second[:2] and not set(base[2:]) & set(second[2:])
    for other in ("uniform", "learned", "float"):
        assert _path(shared, other)[0] == base[0]


def test_a_phase_without_steps_at_the_end_counts_for_the_run_alone(shared: Any) -> None:
    """Its runs end at one state and begin their last phase before they are evaluated."""
    one, two = _path(shared, "finish"), _path(shared, "finish differently")
    assert one == two == _path(shared, "powers")[:3] + one[3:]
    assert [part[:2] for part in one[2:]] == [("second", 8), ("second", 10)]
    work, root, *_ = shared
    hashes = {name: weights(root, work.ids[NAMES.index(name)]) for name in NAMES}
    assert hashes["finish"] != hashes["finish differently"]
    assert hashes["float"] not in (hashes["no steps"], hashes["finish"])
    assert hashes["float"] == hashes["no steps either"]  # only ranges changed


def _saved(shared: Any, name: str) -> dict[str, Any]:
    folder = layout.run_folder(shared[1], shared[0].ids[NAMES.index(name)])
    return records.read_scheme(folder)


@pytest.mark.parametrize(
    ("name", "share"),
    [("powers", 0.875), ("third", 1.0), ("finish", 0.875), ("finish differently", 1.0)],
)
def test_the_masks_of_the_last_phase_are_saved(shared: Any, name: str, share: float) -> None:
    saved = _saved(shared, name)
    assert saved and all(key.endswith("kernel:frozen") for key in saved)
    assert all(abs(mask.mean() - share) <= 0.5 / mask.size for mask in saved.values())


def test_what_a_scheme_saves_is_sealed_and_uniform_saves_nothing(shared: Any) -> None:
    work, root, *_ = shared
    keeps = {"powers", "learned", "inq", "zeros"}
    for name in (*keeps, "uniform", "bwn", "float"):
        kept = name in keeps
        folder = layout.run_folder(root, work.ids[NAMES.index(name)])
        assert (folder / layout.SCHEME).exists() is kept
        assert (layout.SCHEME in records.read_record(folder)["files"]) is kept


def test_records_count_weights_that_are_zero_shifts_or_signs(shared: Any) -> None:
    work, root, *_ = shared
    found = {}
    for name in ("float", "uniform", "inq", "bwn"):
        folder = layout.run_folder(root, work.ids[NAMES.index(name)])
        found[name] = records.read_record(folder)["kernels"]
    assert found["float"]["coded"] == found["float"]["zero"] == 0
    assert found["float"]["read_bits"] == 32 * found["float"]["weights"]
    acts = {name: list(facts["used_as"]) for name, facts in found.items()}
    every = {"uniform": "multiplication", "inq": "shift", "bwn": "sign", "float": "multiplication"}
    assert acts == {name: [act] for name, act in every.items()}
    assert found["bwn"]["zero"] == 0 and found["bwn"]["used_as"]["sign"] == found["bwn"]["uses"]
    assert found["inq"]["weights"] == found["inq"]["coded"] > found["inq"]["zero"] > 0


def test_kernels_of_zeros_are_told_with_the_run(shared: Any) -> None:
    work, root, _, said = shared
    number = NAMES.index("zeros")
    folder = layout.run_folder(root, work.ids[number])
    facts = records.read_record(folder)["kernels"]
    assert facts["zero"] == facts["coded"] and len(facts["mostly_zero"]) > 3
    first, more = facts["mostly_zero"][:3], len(facts["mostly_zero"]) - 3
    said_of_it = f"nine of ten weights or more are 0 in {', '.join(first)} and {more} more"
    assert said == [f"{work.plan.runs[number].label}: {said_of_it}"]


def test_float_states_know_no_scheme_and_later_ones_hold_its_variables(shared: Any) -> None:
    _, root, *_ = shared
    store = Store(root, silent)
    states = {phase: store.load(segment) for phase, _, segment in _path(shared, "powers")}
    held = {
        phase: {key.partition(".")[0] for key in state.arrays}
        for phase, state in states.items()
        if state is not None
    }
    plain = {"model", "optimizer", "averages"}
    assert held == {"float": plain, "half": plain | {"scheme"}, "second": plain | {"scheme"}}


def test_a_state_with_step_sizes_holds_their_slots_and_the_number_of_the_step(
    tmp_path: Path,
) -> None:
    spec = single_job(experiment(_learned(**{"train.checkpoint_every": 1})), tmp_path, "CPU")
    with pytest.raises(_Stopped):
        _stopped(spec, 7)
    state = Store(tmp_path, silent).load_partial(spec.segments[-1].id)
    assert state is not None and state.step == 6
    arrays = {key: value for key, value in state.arrays.items() if key.startswith("scheme")}
    steps = [value for key, value in arrays.items() if key.startswith("scheme.")]
    slots = [value for key, value in arrays.items() if key.startswith("scheme_optimizer.")]
    assert len(slots) == len(steps) + 2 and all(value.shape == () for value in slots)
    updates, start = (int(value) for value in slots if value.dtype.kind == "i")
    assert (updates, start) == (2, 4)
    assert sum(abs(float(value)) > 0 for value in slots) >= len(steps)


class _Stopped(BaseException):
    """Like a kill, but caught by the test."""


def _stopped(spec: Any, after: int) -> None:
    from qbench.engine.execute import execute

    done = [0]

    def report(new: int, loss: float) -> None:
        done[0] += new
        if done[0] >= after:
            raise _Stopped

    execute(spec, report, silent)


@pytest.mark.parametrize("after", [6, 8])
def test_going_on_inside_the_steps_of_learned_steps_changes_no_bit(
    shared: Any, tmp_path: Path, after: int
) -> None:
    spec = single_job(experiment(_learned(**{"train.checkpoint_every": 1})), tmp_path, "CPU")
    with pytest.raises(_Stopped):
        _stopped(spec, after)
    assert do(spec) == 10 - (after - 1)
    name = spec.runs[0].id
    assert weights(tmp_path, name) == weights(shared[1], shared[0].ids[NAMES.index("learned")])
    again = records.read_scheme(layout.run_folder(tmp_path, name))
    for key, value in _saved(shared, "learned").items():
        np.testing.assert_array_equal(again[key], value)


KILLED = """
import json, os, signal, sys
from pathlib import Path
import toy_schemes
from qbench.engine.execute import execute
from qbench.engine.spec import JobSpec

toy_schemes.register()
done = 0

def deadly(new, loss):
    global done
    done += new
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

execute(JobSpec.from_config(json.loads(Path(sys.argv[1]).read_text())), deadly, print)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("row", "phase", "step"), [("powers", "second", 8), ("inq", "inq_100", 9)])
def test_killed_inside_the_second_phase_it_goes_on_there_with_the_same_bits(
    shared: Any, tmp_path: Path, row: str, phase: str, step: int
) -> None:
    """The process dies by SIGKILL when the second step of the phase is done, before its state."""
    spec = single_job(experiment(ROWS[row] | {"train.checkpoint_every": 1}), tmp_path, "CPU")
    path = tmp_path / "job.json"
    path.write_text(json.dumps(spec.as_config()))
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(step)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
    )
    assert done.returncode == -signal.SIGKILL
    second = next(one for one in spec.segments if one.phase == phase)
    partial = Store(tmp_path, silent).load_partial(second.id)
    assert partial is not None and second.first < partial.step == step - 1 < second.end
    assert do(spec) == 10 - (step - 1)
    name = spec.runs[0].id
    assert weights(tmp_path, name) == weights(shared[1], shared[0].ids[NAMES.index(row)])
    again = records.read_scheme(layout.run_folder(tmp_path, name))
    for key, value in _saved(shared, row).items():
        np.testing.assert_array_equal(again[key], value)


def test_the_arguments_of_a_scheme_count_in_the_identity() -> None:
    one, two = (experiment(_learned(rate)) for rate in (0.1, 0.5))
    assert identity(one)["quant"]["scheme"] == {"name": "learned", "multiplier": 0.1}
    assert identity(one) != identity(two)
    before, after = phases(one, None), phases(two, None)
    assert before[0] == after[0] and before[1].content != after[1].content
    # Its first step sizes come from the averages, whatever the op that it does not use measures.
    assert identity(one)["quant"].keys() >= {"ema_decay"}
    assert not identity(one)["quant"].keys() & {"op", "rounding", "granularity"}
