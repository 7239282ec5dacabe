"""Code from outside on the command line: forms, factors, mistakes, folders of configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from outside_files import FILES, NETWORK, OWN, SMALL, plan_of, said_by, write

from qbench.cli.main import main
from qbench.planning.identity import identity

SCHEME = """
from qbench.quantize.scheme import scheme_of
from qbench.schemes import Scheme, SchemeKind


def build(quant, share):
    return Scheme(scheme_of(quant))


HALF = SchemeKind(build, {"share": 0.5})
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network of one's own."""
    monkeypatch.chdir(write(tmp_path, FILES))
    return tmp_path


def test_a_graph_is_listed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "study=digits", *OWN, "threads=2"]) == 0
    assert "network ops: 1 " in capsys.readouterr().out


REFUSED = {
    "model=nets/mine.py:build model.wdth=3": (
        "model.wdth is not a setting; did you mean model.width? Allowed: width."
    ),
    "model=resnet8 model.width=3": (
        "model.width is not a setting of this choice; it is one of model=resnet20"
    ),
    "model=nets/no.py:build": "model=nets/no.py:build: no such file (",
    "model=nets/parts.py:NOTHING": "an int stands there; expected a function.",
    "model=nets/mine.py:layers": "a module stands there; expected a function.",
    "model=own": "model=FILE.py:FUNCTION: no such file (",
    "model=nets/mine.py": "or FILE.py:NAME or package.module:NAME.",
    "data=nets/mine.py:build": "needs data.classes; expected a value for it, or a Source",
    "data=nets/parts.py:NOTHING": "an int stands there; expected a Source, or a function that",
    "quant/scheme=nets/parts.py:NOTHING": "an int stands there; expected a SchemeKind",
    "quant.op=nets/parts.py:NOTHING": "an int stands there; expected an Op, or a function",
    "data.preprocessing=nets/parts.py:NOTHING": "an int stands there; expected a Preprocessing, or",
    "design.name=nets/parts.py:NOTHING": "is not allowed: expected ofat",
    "train.optimizer.name=nets/parts.py:NOTHING": "is not allowed: expected ",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_a_mistake_is_one_sentence_before_anything_trains(
    typed: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_by(["train", *typed.split(), *SMALL, "out=wrong"], capsys)
    assert REFUSED[typed] in said
    assert not list(Path("wrong").glob("runs/*"))


def test_lists_of_networks_and_arguments_are_factors(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = ["design=factorial", "design.baseline=false", "model.width=3,4"]
    plan = plan_of(monkeypatch, f"model=nets/mine.py:build,{here}/nets/mine.py:build", *design)
    models = [
        (run.experiment.model.name, dict(run.experiment.model.arguments)) for run in plan.runs
    ]
    assert models == [
        (f"{folder}nets/mine.py:build", {"width": width})
        for folder in ("", f"{here}/")
        for width in (3, 4)
    ]
    plan = plan_of(monkeypatch, "model=nets/mine.py:build,resnet8", "design.factors=[]")
    assert [row.label for row in plan.rows] == ["baseline", "default", "model=resnet8"]


def test_arguments_of_a_scheme_are_factors(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, {"mine.py": SCHEME})
    typed = ["quant/scheme=mine.py:HALF", "quant.scheme.share=0.5,0.25", "design.factors=[]"]
    plan = plan_of(monkeypatch, *typed)
    assert [row.label for row in plan.rows] == ["baseline", "default", "quant.scheme.share=0.25"]
    schemes = [row.experiment.quant.scheme for row in plan.rows[1:]]
    assert [(one.name, one.arguments) for one in schemes] == [
        ("mine.py:HALF", {"share": share}) for share in (0.5, 0.25)
    ]
    plan = plan_of(monkeypatch, "quant/scheme=uniform,mine.py:HALF", "design.factors=[]")
    assert plan.rows[-1].label == "quant/scheme=mine.py:HALF"


@pytest.mark.parametrize(
    "typed",
    [
        ["model=own", "model.name=nets/mine.py:build"],
        ["model=nets.mine:build"],
        ["model=nets/../nets/mine.py:build"],
    ],
    ids=" ".join,
)
def test_other_forms_mean_the_same(
    typed: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here, {"nets/mine.py": NETWORK})
    found = [
        identity(plan_of(monkeypatch, *one, "model.width=3").runs[0].experiment)
        for one in (OWN[:1], typed)
    ]
    assert found[0] == found[1]


def test_the_home_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.chdir("/")
    plan = plan_of(monkeypatch, "model=~/nets/mine.py:build")
    assert plan.runs[0].experiment.model.name == "~/nets/mine.py:build"


def test_a_folder_of_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = "# @package _global_\ndefaults:\n  - override /model: mine\nstudy:\n  name: tiny\n"
    files = {
        "conf/model/mine.yaml": "name: nets/mine.py:build\nwidth: 5\n",
        "conf/study/tiny.yaml": f"{study}train:\n  steps: 6\n",
    }
    monkeypatch.chdir(write(tmp_path, {**FILES, **files}))
    flag = ["--config-dir", "conf"]
    plan = plan_of(monkeypatch, *flag, "study=tiny", "model.width=5,6", "design.factors=[]")
    assert plan.settings.study == "tiny"
    assert [run.experiment.model.arguments for run in plan.runs] == [
        {"width": w} for w in (5, 5, 6)
    ]
    assert {run.experiment.train.steps for run in plan.runs} == {6}
    assert main(["train", *flag, "model=mine", "model.width=4", *SMALL, "out=out"]) == 0
    (run,) = (tmp_path / "out" / "runs").iterdir()
    assert json.loads((run / "config.json").read_bytes())["model"]["width"] == 4
    assert "mine" in said_by(["plan", *flag, "model=mime"], capsys)


WRONG_FOLDERS = {
    "a file of qbench's own name": (
        {"model/resnet8.yaml": "name: nets/mine.py:build\n"},
        "--config-dir conf: qbench has its own model/resnet8.yaml, which comes first; call the file"
        " otherwise.",
    ),
    "no YAML": (
        {"model/mine.yaml": "width: 3\nname: 'a\n"},
        "conf/model/mine.yaml:3: found unexpected end of stream.",
    ),
    "a key twice": (
        {"model/mine.yaml": "width: 3\nwidth: 4\n"},
        "conf/model/mine.yaml:2: found duplicate key width.",
    ),
}


@pytest.mark.parametrize("name", WRONG_FOLDERS)
def test_a_mistake_in_a_folder_of_configuration_is_one_sentence(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, says = WRONG_FOLDERS[name]
    write(here / "conf", files)
    said = said_by(["plan", "--config-dir", "conf", "model=mine"], capsys)
    assert said.removeprefix(f"{here}/") == says


def test_a_plan_reads_a_network_and_does_not_import_it(here: Path) -> None:
    plan = f"main(['plan', *{OWN!r}])"
    heavy = "{'tensorflow', 'keras'} & set(sys.modules)"
    code = f"import sys; from qbench.cli.main import main; sys.exit({plan} or bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
