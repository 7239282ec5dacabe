"""One GPU for each process, as long as there are enough."""

import os
import subprocess
import sys

import pytest

from qbench.base import device
from qbench.engine import gpus
from qbench.engine.gpus import VISIBLE, present, visible_gpu

# Says which GPU it gets, twice: a restarted worker's is that of the one before.
TAKE = """
import sys
from pathlib import Path
from qbench.engine.gpus import VISIBLE, visible_gpu
print(*(visible_gpu(Path(sys.argv[1]))[VISIBLE] for _ in range(2)), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def processes(tmp_path):
    """Starts processes that take a GPU and hold it; the second value is what they got."""
    started = []

    def start(visible):
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, VISIBLE: visible},
        )
        started.append(process)
        return process, process.stdout.readline().split()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_two_processes_get_different_gpus_and_a_third_shares(processes):
    assert processes("0,1")[1] == ["0", "0"]
    assert processes("0,1")[1] == ["1", "1"]
    assert processes("0,1")[1] == ["0", "0"]


def test_the_gpu_of_a_process_that_died_is_free_again(processes):
    first, got = processes("4,7")
    assert got == ["4", "4"]
    assert processes("4,7")[1] == ["7", "7"]
    first.kill()
    first.wait()
    assert processes("4,7")[1] == ["4", "4"]


def test_names_of_another_form_are_passed_on(processes):
    assert processes("GPU-8f4a,GPU-11c0")[1] == ["GPU-8f4a"] * 2
    assert processes("GPU-8f4a,GPU-11c0")[1] == ["GPU-11c0"] * 2


@pytest.fixture
def nothing_held(monkeypatch):
    monkeypatch.setattr(gpus, "_held", {})


GROWTH = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}  # processes may have to share a GPU


@pytest.mark.parametrize("visible", ["", "-1"])
def test_no_gpu_leaves_the_environment_alone(nothing_held, monkeypatch, tmp_path, visible):
    monkeypatch.setenv(VISIBLE, visible)
    assert visible_gpu(tmp_path) == dict(os.environ)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("visible", ["0", "3"])
def test_one_gpu_is_shared(nothing_held, monkeypatch, tmp_path, visible):
    monkeypatch.setenv(VISIBLE, visible)
    assert visible_gpu(tmp_path) == {**os.environ, **GROWTH}
    assert list(tmp_path.iterdir()) == []


def test_a_users_choice_of_memory_stays(nothing_held, monkeypatch, tmp_path):
    monkeypatch.setenv(VISIBLE, "0")
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")
    assert visible_gpu(tmp_path) == dict(os.environ)


def test_without_the_variable_the_devices_are_counted(nothing_held, monkeypatch, tmp_path):
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr(gpus, "present", lambda: ["0"])
    assert visible_gpu(tmp_path) == {**os.environ, **GROWTH}
    monkeypatch.setattr(gpus, "present", lambda: ["0", "1"])
    assert visible_gpu(tmp_path) == {**os.environ, **GROWTH, VISIBLE: "0"}
    for file in gpus._held.values():
        file.close()


def test_products_are_computed_in_float32_on_gpus_too():
    """TensorFlow's default on newer GPUs is TensorFloat-32."""
    tf = device.import_tensorflow()
    chosen = tf.config.experimental
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    chosen.enable_tensor_float_32_execution(True)
    try:
        device.start(threads or 2)
        assert not chosen.tensor_float_32_execution_enabled()
    finally:
        chosen.enable_tensor_float_32_execution(False)


def test_the_variable_wins_over_what_is_in_the_machine(monkeypatch):
    monkeypatch.setenv(VISIBLE, "2,5")
    assert present() == ["2", "5"]
    monkeypatch.setenv(VISIBLE, "")
    assert present() == []
