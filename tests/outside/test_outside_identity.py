"""What of code from outside is in the identity of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from outside_files import NETWORK, write

from qbench.base.outside import session
from qbench.config.experiment import Experiment
from qbench.engine.networks import NetworkDescription
from qbench.planning.code import code_of, hashes_of
from qbench.planning.identity import identity, phases

CONFIG = {
    "data": {"name": "digits", "augment": False},
    "model": {"name": "resnet_v1", "blocks": 1},
    "quant": {"delay": 0.5},
    "train": {
        "steps": 8,
        "batch_size": 16,
        "learning_rate": 0.05,
        "optimizer": {"name": "sgd"},
        "schedule": {"name": "constant"},
    },
    "eval": {},
}
OPS = """
from dataclasses import replace
from qbench.quantize.ops import OPS

OP = replace(OPS["fake_quant"], label="mine")
"""
DATA = """
import numpy as np
from qbench.data import Source
from task import Other


def read(folder):
    images = np.zeros((4, 8, 8, 1), np.uint8)
    return images, np.arange(4), images, np.arange(4)


SPOTS = Source((8, 8, 1), 4, flip=False, read=read, known={}, task=Other)
"""
TASK = """
from qbench.tasks.classification import Classification


class Other(Classification):
    name = "other"
"""
SCHEME = """
from qbench.schemes import SCHEMES

STILL = SCHEMES["uniform"]
"""
FILES = {
    "nets/mine.py": NETWORK,
    "ops.py": OPS,
    "schemes.py": SCHEME,
    "spots.py": DATA,
    "task.py": TASK,
}
OWN = {
    "model.name": "nets/mine.py:build",
    "quant.op": "ops.py:OP",
    "quant.scheme.name": "schemes.py:STILL",
    "data.name": "spots.py:SPOTS",
}


def experiment(values: dict[str, object]) -> Experiment:
    return Experiment.from_config(CONFIG).with_values(values)


def named(folder: Path, values: dict[str, object]) -> str:
    """The identity of a run and of its phases in a folder, as text."""
    with session(folder):
        one = experiment(values)
        return json.dumps([identity(one), [phase.content for phase in phases(one, "")]])


def test_qbenchs_own_names_have_no_code() -> None:
    assert code_of(experiment({})) == {}
    assert "sha256" not in named(Path(), {})


@pytest.mark.parametrize("key", OWN)
def test_the_content_counts_and_the_folder_does_not(key: str, tmp_path: Path) -> None:
    values = {key: OWN[key]}
    first = named(write(tmp_path / "one", FILES), values)
    assert named(write(tmp_path / "other", FILES), values) == first
    assert named(tmp_path, {key: f"one/{OWN[key]}"}) == first
    file = tmp_path / "one" / OWN[key].partition(":")[0]
    file.write_text(f"{file.read_text()}# newer\n")
    assert named(tmp_path / "one", values) != first
    file.write_text(f"{file.read_text().removesuffix('# newer' + chr(10))}")
    assert named(tmp_path / "one", values) == first


def test_the_name_in_the_file_counts(tmp_path: Path) -> None:
    write(tmp_path, {"mine.py": f"{NETWORK}\n\nother = build\n"})
    names = [named(tmp_path, {"model.name": f"mine.py:{name}"}) for name in ("build", "other")]
    assert names[0] != names[1]


def test_an_op_does_not_count_in_float_steps(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    floats = {"quant.enabled": False}
    assert named(tmp_path, {"quant.op": "ops.py:OP", **floats}) == named(tmp_path, floats)
    with session(tmp_path):
        assert code_of(experiment({"quant.op": "ops.py:OP", **floats})) == {}
        own, other = (phases(experiment(v), "") for v in ({"quant.op": "ops.py:OP"}, {}))
    assert own[0] == other[0]
    assert own[1] != other[1]


def test_the_task_of_own_data_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"data.name": "spots.py:SPOTS"}
    first = named(write(tmp_path, FILES), values)
    second = named(write(tmp_path, {"task.py": f"{TASK}    k = 3\n"}), values)
    assert first != second
    # A task of an installed package: its files are no files of the data set.
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    write(tmp_path / "site", {"own_tasks/__init__.py": "", "own_tasks/other.py": TASK})
    write(tmp_path, {"spots.py": DATA.replace("from task", "from own_tasks.other")})
    third = named(tmp_path, values)
    with session(tmp_path):
        assert set(hashes_of(experiment(values))) == {
            "data.name=spots.py:SPOTS",
            "task=own_tasks.other",
        }
    write(tmp_path / "site", {"own_tasks/other.py": f"{TASK}    k = 3\n"})
    assert named(tmp_path, values) != third


def test_arguments_count_even_those_that_qbenchs_models_have(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    own = {"model": {"name": "nets/mine.py:build"}}
    names = []
    for arguments in ({}, {"width": 4}, {"activation": "relu"}):
        with session(tmp_path):
            config = {**CONFIG, "model": {**own["model"], **arguments}}
            names.append(json.dumps(identity(Experiment.from_config(config))))
    assert len(set(names)) == 3


@pytest.mark.parametrize("key", OWN)
def test_a_kept_network_has_the_same_code(key: str, tmp_path: Path) -> None:
    from qbench.data import load

    write(tmp_path, FILES)
    found = []
    for _ in range(2):
        with session(tmp_path):
            one = experiment({key: OWN[key]})
            found.append(NetworkDescription.of(one, load("digits", None)))
        file = tmp_path / OWN[key].partition(":")[0]
        file.write_text(f"{file.read_text()}# newer\n")
    assert found[0] != found[1]


def test_data_of_an_older_content_are_not_kept(tmp_path: Path) -> None:
    from qbench.data import load

    write(tmp_path, FILES)
    old, new = DATA, DATA.replace("np.zeros", "np.ones")
    hashes = []
    for text in (old, new, old):
        write(tmp_path, {"spots.py": text})
        with session(tmp_path):
            hashes.append(load("spots.py:SPOTS", None).hash)
    assert hashes[0] == hashes[2] != hashes[1]
