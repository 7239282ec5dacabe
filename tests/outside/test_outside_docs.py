"""docs/own.md: its files are written and its commands are run, in the order of the page."""

from __future__ import annotations

import re
import shlex
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doc_pages import BLOCK, SMALL, commands, files, page
from outside_files import run_of, write
from PIL import Image

from qbench.base.outside.plugins import PLUGINS
from qbench.base.registry import Registry
from qbench.cli.main import main

TEXT = page("own.md")
FILES, COMMANDS = files(TEXT), commands(TEXT)


def photos(place: Path) -> None:
    """Images of three classes, of odd sizes."""
    random = np.random.default_rng(1)
    for label in ("one", "two", "three"):
        (place / label).mkdir(parents=True)
        for k in range(10):
            pixels = random.integers(0, 256, (20 + k, 31, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(place / label / f"{k}.jpg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder of the page: its files, data, and its plugin as pip installs it."""
    place = write(tmp_path_factory.mktemp("own"), FILES)
    (place / "FOLDER").mkdir()
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        images = random.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
        np.savez(place / "FOLDER" / f"{part}.npz", images=images, labels=np.arange(20) % 10)
    photos(place / "photos")
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    ((name, point),) = project["entry-points"]["qbench.plugins"].items()
    info = f"site/{point}-{project['version']}.dist-info"
    installed = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n",
        f"{info}/entry_points.txt": f"[qbench.plugins]\n{name} = {point}\n",
        f"site/{point}/__init__.py": FILES[f"{point}/__init__.py"],
        f"site/{point}/small.py": FILES["nets/mine.py"],
    }
    write(place, installed)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place / "site"))
        patch.setattr(PLUGINS, "_loaded", False)
        yield place
    for key, name in [key for key, code in PLUGINS.origins.items()]:
        Registry.by_key[key]._items.pop(name)
        del PLUGINS.origins[key, name]
    for module in [module for module in sys.modules if module.partition(".")[0] == point]:
        del sys.modules[module]


def test_the_page_has_files_and_commands() -> None:
    assert set(FILES) >= {"nets/mine.py", "images.py", "regression.py", "spots.py", "ops.py"}
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize(
    "command",
    # A sweep through the command line is also in test_outside_runs.py.
    [pytest.param(c, marks=pytest.mark.slow if " sweep " in c else ()) for c in COMMANDS],
)
def test_a_command_runs(
    command: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    _, verb, *arguments = shlex.split(command)
    few = [] if any("design.factors" in one for one in arguments) else ["design.factors=[]"]
    if verb == "train":
        few = []
    own = [one for one in arguments if not one.startswith("out=")]
    if verb == "graph":
        assert main([verb, *own, "threads=2"]) == 0
    else:
        assert main([verb, *own, *SMALL, *few, f"out={tmp_path / 'out'}"]) == 0


def test_a_trained_network_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    sweep = ["sweep", "model=nets/mine.py:build", "model.width=16", *SMALL, "design.factors=[]"]
    assert main([*sweep, "out=out"]) == 0
    (text,) = re.findall(rf"loads a trained network into Keras:\n\n{BLOCK}", TEXT)
    code = textwrap.dedent(text).replace("outputs/fashion/runs/<id>", str(run_of(folder)))
    monkeypatch.syspath_prepend(folder)
    names: dict[str, object] = {}
    exec(compile(code, "own.md", "exec"), names)
    for module in ("nets", "nets.mine"):
        del sys.modules[module]
    assert names["model"].output.shape == (None, 10)  # type: ignore[attr-defined]
