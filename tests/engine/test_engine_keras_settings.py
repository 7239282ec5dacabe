"""Settings of Keras that stand outside qbench, looked at before Keras is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.base.keras_settings import check_keras_settings
from qbench.engine.workers import ProcessWorker

RIGHT = {
    "floatx": "float32",
    "epsilon": 1e-07,
    "backend": "tensorflow",
    "image_data_format": "channels_last",
}


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Keras' file of settings, which is not there yet."""
    for name in ("KERAS_BACKEND", "KERAS_NNX_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "keras.json"


WRONG = [
    ("image_data_format", "channels_first", "channels_last"),
    ("image_data_format", None, "channels_last"),
    ("floatx", "float16", "float32"),
    ("floatx", "float64", "float32"),
    ("floatx", ["float32"], "float32"),
    ("backend", "jax", "tensorflow"),
    ("backend", "theano", "tensorflow"),
    ("epsilon", 1e-5, "1e-07"),
    ("epsilon", 1, "1e-07"),
    ("nnx_enabled", True, "false"),
]


@pytest.mark.parametrize(("key", "value", "needed"), WRONG)
def test_a_setting_in_the_file_is_named_with_its_place(key, value, needed, file):
    file.write_text(json.dumps(RIGHT | {key: value}))
    with pytest.raises(QbenchError) as error:
        check_keras_settings()
    shown = value if isinstance(value, str) else json.dumps(value)
    said = str(error.value)
    assert said.startswith(f"{file}: {key} is {shown}; qbench needs {needed}: change it there")
    assert "\n" not in said


DAMAGED = {
    "half": ('{"floatx": "float', "are no JSON"),
    "text": ("float32", "are no JSON"),
    "bytes": (b"\xff\xfe\x00", "are no JSON"),
    "list": ("[1]", "are [1]; expected names and values in braces"),
}


@pytest.mark.parametrize(("content", "says"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_named(content, says, file):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(QbenchError, match="mend or remove it") as error:
        check_keras_settings()
    assert str(error.value).startswith(f"{file}: ")
    assert says in str(error.value)


def test_a_folder_in_the_place_of_the_file_is_named(file):
    file.mkdir()
    with pytest.raises(QbenchError, match=r"keras\.json: Is a directory; .* mend or remove it"):
        check_keras_settings()


@pytest.mark.parametrize(
    "content",
    [None, "", "{}", json.dumps(RIGHT), '{"backend": "tensorflow", "mine": 3}'],
    ids=["none", "empty", "no_settings", "as_keras_writes_it", "others"],
)
def test_what_keras_writes_itself_is_taken(content, file):
    if content is not None:
        file.write_text(content)
    check_keras_settings()


def test_the_file_is_the_one_that_keras_reads(file, monkeypatch):
    home = file.parent / "home"
    (home / ".keras").mkdir(parents=True)
    (home / ".keras" / "keras.json").write_text('{"floatx": "float64"}')
    check_keras_settings()
    monkeypatch.setenv("HOME", str(home))
    for value in (None, "~/.keras"):
        if value is None:
            monkeypatch.delenv("KERAS_HOME")
        else:
            monkeypatch.setenv("KERAS_HOME", value)
        with pytest.raises(QbenchError, match=r"home/\.keras/keras\.json: floatx is float64"):
            check_keras_settings()
    monkeypatch.setenv("KERAS_HOME", str(file))
    check_keras_settings()


@pytest.mark.parametrize(("key", "value"), [("BACKEND", "jax"), ("NNX_ENABLED", "1")])
def test_a_variable_of_the_environment_is_named(key, value, file, monkeypatch):
    monkeypatch.setenv(f"KERAS_{key}", value)
    with pytest.raises(QbenchError, match=rf"^KERAS_{key}={value} stands in the env.*: unset it"):
        check_keras_settings()


@pytest.mark.parametrize("value", ["", "tensorflow"])
def test_the_environment_goes_before_the_file(value, file, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", value)
    check_keras_settings()
    file.write_text('{"backend": "torch"}')
    if value:
        check_keras_settings()
    else:
        with pytest.raises(QbenchError, match="backend is torch"):
            check_keras_settings()


def test_no_worker_is_started_and_nothing_imported_with_wrong_settings(file, monkeypatch):
    file.write_text('{"image_data_format": "channels_first"}')
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(QbenchError, match="image_data_format is channels_first"):
        ProcessWorker(2, False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with pytest.raises(QbenchError, match="image_data_format is channels_first"):
        device.start(2)
    assert "tensorflow" not in sys.modules


CODE = """
import sys
from qbench.cli.main import main
assert [main([verb, *sys.argv[1:]]) for verb in ("train", "graph", "sweep")] == [2, 2, 2]
assert not {"tensorflow", "keras"} & sys.modules.keys()
"""


def test_a_backend_that_is_not_there_is_named_by_every_verb(file, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    command = [sys.executable, "-c", CODE, f"out={file.parent / 'out'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [line for line in done.stderr.splitlines() if line.startswith("qbench: ")]
    assert len(said) == 3
    assert all("KERAS_BACKEND=jax stands in the environment" in line for line in said)
    assert "Traceback" not in done.stderr
