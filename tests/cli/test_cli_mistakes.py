"""What a person mistypes: one sentence that names the key, a non-zero exit code, no traceback."""

import subprocess
import sys

import pytest

from qbench.cli.main import main

MISTAKES = {
    "no such verb": (["swep"], "swep is not a verb", "Did you mean 'sweep'?"),
    "wrong key": (["train", "quant.bitz=4"], "quant.bitz is not a setting", "'quant.bits'"),
    "wrong group": (["train", "modell=resnet8"], "modell is not a setting", "'model'"),
    "added key": (["train", "+quant.foo=1"], "quant.foo is not a setting", "Allowed"),
    "no number": (["train", "quant.bits=foo"], "quant.bits=foo", "a whole number"),
    "no folder": (["train", "data.dir="], "data.dir=", "a folder or null"),
    "too many bits": (["train", "quant.bits=99"], "quant.bits=99", "from 1 to 62"),
    "bits the op refuses": (
        ["train", "quant.op=fake_quant", "quant.bits=32"],
        "quant.bits=32",
        "2 to 16 bits",
    ),
    "a setting the op lacks": (
        ["train", "quant.op=fake_quant", "quant.rounding=half_to_even"],
        "quant.rounding=half_to_even",
        "no such setting",
    ),
    "end of a sweep": (["train", "stop_when=decided"], "stop_when: ends a sweep", "seeds"),
    "no such op": (["train", "quant.op=fakequant"], "quant.op=fakequant", "'fake_quant'"),
    "no such model": (["train", "model=resnet9"], "model=resnet9", "'resnet8'"),
    "no such study": (["sweep", "study=cifar"], "study=cifar is not known", "allowed: "),
    "several values": (["train", "quant.bits=8,4"], "quant.bits=8,4", "qbench sweep"),
    "not key=value": (["train", "quant"], "quant: cannot be read", "key=value"),
    "delay over one": (["train", "quant.delay=1.5"], "quant.delay=1.5", "from 0 to 1"),
    "empty placement": (["train", "quant.placement=[]"], "quant.placement=[]", "conv"),
    "threads swept": (["sweep", "threads=1,2"], "threads", "not a factor"),
    "unknown factor": (["sweep", "design.factors=[quant.foo]"], "quant.foo", "quant.bits"),
    "nothing to vary": (["sweep", "quant.enabled=false"], "quant.enabled=false", "qbench train"),
    "impossible default": (
        ["sweep", "quant.op=fake_quant", "quant.bits=32"],
        "quant.bits=32",
        "2 to 16 bits",
    ),
    "wrong model argument": (["train", "threads=2", "model.width=-3"], "model=resnet_v1", "-3"),
    "schedule's arguments": (
        ["train", "train.schedule.name=exponential"],
        "train.schedule.end_fraction",
        "train/schedule=exponential",
    ),
    "data folder": (
        ["train", "threads=2", "data=mnist", "data.dir=nowhere"],
        "data.dir=nowhere",
        "no such",
    ),
    "report of nothing": (["report", "nowhere"], "nowhere: no such folder", "sweep"),
    "report of two": (["report", "a", "b"], "qbench report takes", "one sweep"),
    "evaluate nothing": (["evaluate", "nowhere"], "record.json: no such file", "record of a run"),
    "share swept": (["sweep", "share=true,false"], "share", "not a factor"),
    "no such device": (["sweep", "device=tpu"], "device=tpu", "auto, cpu or gpu"),
    "no switch": (["sweep", "isolate=maybe"], "isolate=maybe", "true or false"),
    "negative retries": (["sweep", "retries=-1"], "retries=-1", "from 0 to 100"),
    "no checkpoint": (["train", "train.checkpoint_every=0"], "checkpoint_every=0", "at least 1"),
    "status of nothing": (["status", "nowhere"], "manifest.json: no such file", "a sweep"),
    "clean nothing": (["clean", "nowhere"], "nowhere: neither", "a study"),
}


@pytest.mark.parametrize(("arguments", "named", "helped"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_sentence(arguments, named, helped, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("qbench: ")
    assert said.count("\n") == 1
    assert named in said
    assert helped in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("**/record.json"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for verb in ("train", "sweep"):
        assert main([verb, f"out={tmp_path / 'file' / 'below'}"]) == 2
        assert "cannot be written" in capsys.readouterr().err


def test_truncated_data_are_named_before_anything_trains(tmp_path, capsys):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\x00\x00\x08\x03" + b"\x00" * 12 + b"x")
    arguments = ["data=mnist", f"data.dir={tmp_path}", f"out={tmp_path / 'out'}"]
    assert main(["sweep", *arguments]) == 2
    said = capsys.readouterr().err
    assert "train-images-idx3-ubyte: 1 values after the header" in said
    assert not list(tmp_path.glob("out/runs/*"))


def _python(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("verb", ["--help", "plan"])
def test_help_and_plan_import_no_tensorflow(verb):
    code = (
        "import sys; from qbench.cli.main import main; assert main(sys.argv[1:]) == 0;"
        "print([m for m in ('tensorflow', 'keras', 'matplotlib') if m in sys.modules])"
    )
    assert _python(code, verb).stdout.splitlines()[-1] == "[]"


VERBS = ["sweep", "train", "plan", "graph", "evaluate", "status", "clean", "verify-sharing", "init"]


@pytest.mark.parametrize("verb", [*VERBS, "report", "convert", "latency"])
def test_every_verb_has_help_of_its_own(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: qbench {verb}")


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "qbench", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("qbench 0.")
