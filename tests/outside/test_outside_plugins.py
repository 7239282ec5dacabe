"""Installed packages that register things: real distributions in a folder on Python's path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from outside_files import NETWORK, write

from qbench.base.errors import QbenchError
from qbench.base.outside import FORMS
from qbench.base.outside.plugins import Plugins
from qbench.base.registry import Registry, code_behind

METADATA = "Metadata-Version: 2.1\nName: {0}\nVersion: 1.0\n"


def install(folder: Path, name: str, point: str, files: dict[str, str]) -> Path:
    """Install a distribution in a folder, as pip leaves it."""
    info = f"{name}-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": METADATA.format(name),
        f"{info}/entry_points.txt": f"[qbench.plugins]\n{name} = {point}\n",
    }
    return write(folder, {**metadata, **files})


REGISTERS = """
from qbench.base.registry import Registry

Registry.by_key["basket.fruit"].add("{0}", {1})
"""


@pytest.fixture
def fruit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry[int]:
    """A registry; distributions in the folder are installed, and no plugin is loaded yet."""
    monkeypatch.setattr("qbench.base.registry.PLUGINS", Plugins())
    monkeypatch.setattr(Registry, "by_key", {})
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("plug_a", "plug_b"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delitem(sys.modules, f"{name}.fruits", raising=False)
    registry: Registry[int] = Registry("basket.fruit", int)
    registry.add("apple", 1)
    return registry


def test_an_unknown_name_loads_them(fruit: Registry[int], tmp_path: Path) -> None:
    files = {"plug_a/__init__.py": "from . import fruits\n"}
    files["plug_a/fruits.py"] = REGISTERS.format("pear", 2)
    install(tmp_path, "plug_a", "plug_a", files)
    assert fruit["apple"] == 1
    assert "plug_a" not in sys.modules
    assert fruit["pear"] == 2
    assert fruit.names() == ("apple", "pear")


def test_an_entry_point_may_be_a_function(fruit: Registry[int], tmp_path: Path) -> None:
    text = "from qbench.base.registry import Registry\n\n\ndef register():\n"
    text += "    Registry.by_key['basket.fruit'].add('pear', 2)\n"
    install(tmp_path, "plug_a", "plug_a:register", {"plug_a.py": text})
    assert fruit.accepts("pear")
    assert not fruit.accepts("plum")


def test_their_content_is_behind_their_names(fruit: Registry[int], tmp_path: Path) -> None:
    files = {"plug_a/__init__.py": "from plug_a import fruits\n"}
    files["plug_a/fruits.py"] = REGISTERS.format("pear", 2)
    install(tmp_path, "plug_a", "plug_a", files)
    assert code_behind("basket.fruit", "apple") is None
    assert code_behind("a registry that is not imported", "apple") is None
    code = code_behind("basket.fruit", "pear")
    assert code is not None
    assert {path.name for path in code.sources.content} == {"__init__.py", "fruits.py"}


BROKEN = {
    "raises": ("plug_b", "raise RuntimeError('no licence')\n", r"RuntimeError: no licence"),
    "no such function": ("plug_b:no", "", r"AttributeError: .*"),
    "not a function": ("plug_b:x", "x = 3\n", r"TypeError: .*"),
    "no such module": ("plug_c", "", r"plug_c is not installed as Python"),
    "a name twice": ("plug_b", REGISTERS.format("apple", 2), r"ValueError: .*registered twice"),
    "of another type": (
        "plug_b",
        REGISTERS.format("plum", "'x'"),
        r"TypeError: basket.fruit: 'plum' is of type str; expected int",
    ),
    "not Python": ("plug_b", "def f(:\n", r"/.*/plug_b\.py:1: invalid syntax"),
    "no entry point": ("plug b", "", r"its entry point is 'plug b'; expected module or module:.*"),
    "half": (
        "plug_b",
        REGISTERS.format("plum", 3) + "raise KeyError('half')\n",
        r"KeyError: .*",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_named_and_stops_nothing_else(
    name: str, fruit: Registry[int], tmp_path: Path
) -> None:
    point, text, why = BROKEN[name]
    install(tmp_path, "plug_a", "plug_a", {"plug_a.py": REGISTERS.format("pear", 2)})
    install(tmp_path, "plug_b", point, {"plug_b.py": text})
    assert fruit["apple"] == 1
    assert fruit["pear"] == 2
    said = rf"The plugin plug_b of plug_b cannot be loaded: {why}\.$"
    with pytest.raises(QbenchError, match=said):
        fruit["plum"]
    assert fruit.names() == ("apple", "pear")
    assert code_behind("basket.fruit", "plum") is None


@pytest.mark.parametrize("then", ["", "raise RuntimeError('no licence')\n"], ids=["good", "broken"])
def test_what_qbench_registers_meanwhile_is_not_theirs(
    then: str, fruit: Registry[int], tmp_path: Path
) -> None:
    """A plugin may be the first to import a package of qbench."""
    own = f"exec({REGISTERS.format('plum', 3)!r}, {{'__name__': 'qbench.fruits'}})\n"
    install(tmp_path, "plug_a", "plug_a", {"plug_a.py": own + REGISTERS.format("pear", 2) + then})
    assert fruit["plum"] == 3
    assert code_behind("basket.fruit", "plum") is None
    assert (code_behind("basket.fruit", "pear") is None) == bool(then)
    assert fruit.names() == (("apple", "plum") if then else ("apple", "plum", "pear"))


def test_a_name_of_two_plugins_means_neither(fruit: Registry[int], tmp_path: Path) -> None:
    for name, number in (("plug_a", 2), ("plug_b", 3)):
        install(tmp_path, name, name, {f"{name}.py": REGISTERS.format("pear", number)})
    assert not fruit.accepts("pear")
    with pytest.raises(QbenchError, match=r"plug_b of plug_b .*'pear' is registered twice"):
        fruit["pear"]
    assert code_behind("basket.fruit", "pear") is None


def qbench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a process that has a folder on Python's path."""
    path = os.pathsep.join([str(folder), *sys.path])
    return subprocess.run(
        [sys.executable, "-m", "qbench", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
    )


DATA = """
from qbench.data import DATASETS, Source

DATASETS.add("plugged", Source((8, 8, 1), 10, flip=False, read=print, known={}))
"""


def test_a_plan_finds_a_plugin(tmp_path: Path) -> None:
    install(tmp_path, "plug_a", "plug_a", {"plug_a.py": DATA})
    plan = qbench(tmp_path, "plan", "data=digits,plugged", "design.factors=[]")
    assert "data=plugged" in plan.stdout, plan.stderr
    wrong = qbench(tmp_path, "plan", "data=plug").stderr
    assert f", plugged or {FORMS}. Did you mean 'plugged'?" in wrong


@pytest.mark.slow
def test_a_run_finds_a_plugin(tmp_path: Path) -> None:
    text = f"{NETWORK}\n\nfrom qbench.models import MODELS\n\nMODELS.add('plugged', build)\n"
    install(tmp_path, "plug_a", "plug_a", {"plug_a.py": text})
    small = ["train.steps=2", "threads=1", "eval.limit=100", f"out={tmp_path / 'out'}"]
    chosen = ["study=digits", "model=plugged", "model.width=3", *small]
    done = qbench(tmp_path, "train", *chosen)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "out" / "runs").iterdir()
    assert set(json.loads((run / "record.json").read_bytes())["code"]) == {"model.name=plugged"}


def test_commands_do_not_need_a_broken_plugin(tmp_path: Path) -> None:
    install(tmp_path, "plug_b", "plug_b", {"plug_b.py": "raise RuntimeError('no licence')\n"})
    assert qbench(tmp_path, "--help").returncode == 0
    assert qbench(tmp_path, "plan").returncode == 0
    wrong = qbench(tmp_path, "plan", "model=resnet9")
    assert wrong.returncode == 2
    assert wrong.stderr.endswith(
        "The plugin plug_b of plug_b cannot be loaded: RuntimeError: no licence.\n"
    )
