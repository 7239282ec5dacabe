"""Which files are the content of a reference, and the modules that are made of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from outside_files import digest, value, write

from qbench.base.errors import QbenchError
from qbench.base.outside import code, session

MAIN = "mine.py"
# The main file, other files that it imports, and what X is.
TREES = {
    "beside": ({MAIN: "from parts import X\n", "parts.py": "X = 1\n"}, {"parts.py"}),
    "of a module": ({MAIN: "import parts\nX = parts.X\n", "parts.py": "X = 1\n"}, {"parts.py"}),
    "under another name": (
        {MAIN: "import a.b as c\nX = c.X\n", "a/b.py": "X = 1\n"},
        {"a/b.py"},
    ),
    "dotted": ({MAIN: "import a.b\nX = a.b.X\n", "a/b.py": "X = 1\n"}, {"a/b.py"}),
    "a module from a folder": (
        {MAIN: "from a import b\nX = b.X\n", "a/b.py": "X = 1\n"},
        {"a/b.py"},
    ),
    "a package": (
        {MAIN: "from a import X\n", "a/__init__.py": "from .b import X\n", "a/b.py": "X = 1\n"},
        {"a/__init__.py", "a/b.py"},
    ),
    "from a module beside": (
        {MAIN: "from a.b import X\n", "a/b.py": "from c import X\n", "c.py": "X = 1\n"},
        {"a/b.py", "c.py"},
    ),
    "relative": ({MAIN: "from .parts import X\n", "parts.py": "X = 1\n"}, {"parts.py"}),
    "relative, a module": (
        {MAIN: "from . import parts\nX = parts.X\n", "parts.py": "X = 1\n"},
        {"parts.py"},
    ),
    "in a function": (
        {MAIN: "def f():\n    from parts import X\n    return X\nX = f()\n", "parts.py": "X = 1\n"},
        {"parts.py"},
    ),
    "round": (
        {MAIN: "Y = 1\nfrom parts import X\n", "parts.py": "import mine\nX = mine.Y\n"},
        {"parts.py"},
    ),
    "everything": ({MAIN: "from parts import *\n", "parts.py": "X = 1\n"}, {"parts.py"}),
    "a name of the standard library": (
        {MAIN: "from colorsys import X\n", "colorsys.py": "X = 1\n"},
        {"colorsys.py"},
    ),
    "not imported": ({MAIN: "import os\nX = 1\n", "other.py": "X = 2\n", "os/x.py": ""}, set()),
}


@pytest.mark.parametrize("name", TREES)
def test_imports_of_a_file_are_followed(name: str, tmp_path: Path) -> None:
    files, others = TREES[name]
    write(tmp_path, files)
    with session(tmp_path):
        found = code("thing", f"{MAIN}:X").sources.content
    assert {path.relative_to(tmp_path).as_posix() for path in found} == {MAIN, *others}
    before = set(sys.modules)
    assert value(tmp_path, f"{MAIN}:X") == 1
    made = set(sys.modules) - before
    assert all(module.startswith("qbench_outside_") for module in made)


@pytest.mark.parametrize("name", [name for name in TREES if TREES[name][1]])
def test_every_file_counts(name: str, tmp_path: Path) -> None:
    files, others = TREES[name]
    write(tmp_path, files)
    first = digest(tmp_path, f"{MAIN}:X")
    for other in sorted(others):
        text = (tmp_path / other).read_text()
        (tmp_path / other).write_text(text.replace("X = 1", "X = 2") + "#\n")
        assert digest(tmp_path, f"{MAIN}:X") != first
        (tmp_path / other).write_text(text)
    assert digest(tmp_path, f"{MAIN}:X") == first


def test_a_file_in_a_package_reaches_the_package_above(tmp_path: Path) -> None:
    files = {
        "nets/__init__.py": "ONE = 1\n",
        "nets/deep/mine.py": "from nets.common import X\nfrom ..more import Y\n",
        "nets/common.py": "from nets import ONE\nX = ONE\n",
        "nets/more.py": "from . import common\nY = common\n",
    }
    write(tmp_path, files)
    assert value(tmp_path, "nets/deep/mine.py:X") == 1
    assert value(tmp_path, "nets/deep/mine.py:Y").X == 1
    with session(tmp_path):
        found = code("thing", "nets/deep/mine.py:X").sources.content
    assert {path.relative_to(tmp_path).as_posix() for path in found} == set(files)


IN_THE_WORKING_FOLDER = {
    "nets/mine.py": "from common import X\nimport colorsys\nY = colorsys.rgb_to_hsv\n",
    "common.py": "from tools.more import X\n",
    "tools/more.py": "X = 1\n",
    "colorsys.py": "no\n",
}


@pytest.mark.parametrize("on_path", [False, True], ids=["", "on Python's path"])
@pytest.mark.parametrize("name", ["nets/mine.py", "nets.mine", "common.py", "common"])
def test_modules_of_the_working_folder_count_unless_python_has_them_elsewhere(
    name: str, on_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, IN_THE_WORKING_FOLDER)
    if on_path:
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    first = digest(tmp_path, f"{name}:X")
    assert value(tmp_path, f"{name}:X") == 1
    if "nets" in name:
        assert value(tmp_path, f"{name}:Y")(1, 1, 1) == (0, 0, 1)
    write(tmp_path, {"tools/more.py": "X = 2\n"})
    assert digest(tmp_path, f"{name}:X") != first
    assert value(tmp_path, f"{name}:X") == 2


def test_the_working_folder_is_not_that_of_a_file_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "there", {"mine.py": "import common\n"})
    write(tmp_path / "here", {"common.py": ""})
    with pytest.raises(QbenchError, match="No module named 'common'"):
        value(tmp_path / "here", "../there/mine.py:X")


def test_a_file_may_be_called_like_a_module_of_python(tmp_path: Path) -> None:
    write(tmp_path, {"colorsys.py": "import colorsys\nX = colorsys.rgb_to_hsv(1, 1, 1)\n"})
    assert value(tmp_path, "colorsys.py:X") == (0, 0, 1)
    write(tmp_path, {"mine.py": "import sys\nX = sys.path\n", "sys.py": ""})
    assert value(tmp_path, "mine.py:X") is sys.path


def test_a_folder_above_a_link_is_above_its_target(tmp_path: Path) -> None:
    write(tmp_path, {"mine.py": "X = 1\n", "a/mine.py": "X = 2\n", "a/b/none.py": ""})
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    assert value(tmp_path, "link/../mine.py:X") == 2


def test_a_folder_called_like_a_library_does_not_hide_it(tmp_path: Path) -> None:
    write(tmp_path, {"numpy/mine.py": "import numpy\nX = numpy.int64(1)\n", "qbench/x.py": ""})
    assert value(tmp_path, "numpy/mine.py:X") == 1
    write(tmp_path, {"a.py": "import qbench.base\nX = qbench.base\n", "qbench/base.py": "no\n"})
    assert value(tmp_path, "a.py:X") is sys.modules["qbench.base"]


def test_names_of_files_need_not_be_names_of_python(tmp_path: Path) -> None:
    write(tmp_path, {"my nets/v2.1-b.py": "from parts import X\n", "my nets/parts.py": "X = 1\n"})
    assert value(tmp_path, "my nets/v2.1-b.py:X") == 1
    write(tmp_path, {"v2.1.py": "from v2_1 import X\n", "v2_1.py": "X = 1\n"})
    assert value(tmp_path, "v2.1.py:X") == 1


def test_two_folders_may_have_modules_of_the_same_name(tmp_path: Path) -> None:
    for number in "12":
        files = {"mine.py": "from parts import X\n", "parts.py": f"X = {number}\n"}
        write(tmp_path / number, files)
    assert value(tmp_path, "1/mine.py:X") == 1
    assert value(tmp_path, "2/mine.py:X") == 2
    assert value(tmp_path, "1/mine.py:X") == 1
    assert "parts" not in sys.modules


def test_versions_of_a_file_live_side_by_side(tmp_path: Path) -> None:
    files = {"mine.py": "def f():\n    from parts import X\n    return X\n", "parts.py": "X = 1\n"}
    old = value(write(tmp_path, files), "mine.py:f")
    new = value(write(tmp_path, {"parts.py": "X = 2\n"}), "mine.py:f")
    assert (old(), new()) == (1, 2)
    again = value(write(tmp_path, {"parts.py": "X = 1\n"}), "mine.py:f")
    assert again is old


def test_what_is_imported_is_what_was_hashed(tmp_path: Path) -> None:
    write(tmp_path, {"mine.py": "import parts\nX = parts.X\n", "parts.py": "X = 1\n"})
    with session(tmp_path):
        first = code("thing", "mine.py:X").sha256
        write(tmp_path, {"mine.py": "X = 3\n", "parts.py": "X = 2\n"})
        assert code("thing", "mine.py:X").sha256 == first
        from qbench.base.outside.objects import object_of

        assert object_of("thing", "mine.py:X", object) == 1
    assert value(tmp_path, "mine.py:X") == 3


def test_neither_the_folder_nor_the_name_of_the_file_counts(tmp_path: Path) -> None:
    files = {"mine.py": "from parts import X\n", "parts.py": "X = 1\n"}
    one, other = write(tmp_path / "one", files), write(tmp_path / "other", files)
    assert digest(one, "mine.py:X") == digest(other, "mine.py:X")
    assert digest(tmp_path, "one/mine.py:X") == digest(one, str(other / "mine.py") + ":X")
    (one / "mine.py").rename(one / "theirs.py")
    assert digest(one, "theirs.py:X") == digest(other, "mine.py:X")
    (one / "parts.py").rename(one / "others.py")
    (one / "theirs.py").write_text("from others import X\n")
    assert digest(one, "theirs.py:X") != digest(other, "mine.py:X")


def test_a_relative_path_begins_in_the_folder_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"here/mine.py": "X = 1\n", "there/mine.py": "X = 2\n"})
    monkeypatch.chdir(tmp_path / "there")
    assert value(tmp_path / "here", "mine.py:X") == 1
    with session():
        monkeypatch.chdir(tmp_path)
        assert code("thing", "mine.py:X").found.file == tmp_path / "there" / "mine.py"


WRONG = {
    "no such file": ({}, "no.py:f", r"thing=no\.py:f: no such file \(.*/no\.py\)\."),
    "a folder": ({"a.py/b": ""}, "a.py:f", r"no such file"),
    "no name": ({MAIN: ""}, "mine.py:", r"thing=mine\.py:: expected FILE\.py:NAME or package"),
    "not a name": ({MAIN: ""}, "mine.py:a.b", r"expected FILE\.py:NAME or package\.module:NAME"),
    "nothing": ({}, ":f", r"expected FILE\.py:NAME or package\.module:NAME"),
    "not python": ({MAIN: "\ndef f(:\n"}, "mine.py:f", r"/mine\.py:2: invalid syntax\."),
    "nested": ({MAIN: f"X = {'-' * 100_000}1\n"}, "mine.py:f", "mine.py: it is nested too deeply."),
    "not text": ({MAIN: "a\0"}, "mine.py:f", r"/mine\.py.*null bytes"),
    "not python beside": (
        {MAIN: "import parts\n", "parts.py": "1 +\n"},
        "mine.py:f",
        r"thing=mine\.py:f: .*/parts\.py:1: invalid syntax\.",
    ),
    "raises": (
        {MAIN: "\nraise RuntimeError('no licence.')\n"},
        "mine.py:f",
        r"mine\.py:f: cannot be imported: RuntimeError: no licence \(.*/mine\.py:2\)\.",
    ),
    "raises beside": (
        {MAIN: "import parts\n", "parts.py": "import numpy\nnumpy.array(1)[3]\n"},
        "mine.py:f",
        r"mine\.py:f: cannot be imported: IndexError: .* \(.*/parts\.py:2\)\.",
    ),
    "imports nothing": (
        {MAIN: "import no_such_library\n"},
        "mine.py:f",
        r"ModuleNotFoundError: No module named 'no_such_library' \(.*/mine\.py:1\)\.",
    ),
    "no such name beside": (
        {MAIN: "from parts import Y\n", "parts.py": "X = 1\n"},
        "mine.py:f",
        r"ImportError: cannot import name 'Y' from 'parts'.*\(.*/mine\.py:1\)\.",
    ),
    "ends Python": ({MAIN: "import sys\nsys.exit(3)\n"}, "mine.py:f", r"ends Python \(.*:2\)\."),
    "no such name": (
        {MAIN: "def g(): pass\n_h = 1\n"},
        "mine.py:f",
        r"thing=mine\.py:f: .*/mine\.py has no f; it has g\.",
    ),
    "empty": ({MAIN: ""}, "mine.py:f", r"/mine\.py has no f; it has nothing\."),
    "no module": ({}, "no.such:f", r"thing=no\.such:f: no module no\.such is installed or in /"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_sentence(name: str, tmp_path: Path) -> None:
    files, reference, said = WRONG[name]
    with pytest.raises(QbenchError, match=said) as error:
        value(write(tmp_path, files), reference)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"thing={reference}: ")
    assert "qbench_outside" not in str(error.value)
