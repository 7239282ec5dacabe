"""Every registry takes references, unless it says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from outside_files import write

from qbench.base.errors import QbenchError
from qbench.base.outside import session
from qbench.base.registry import Registry


def test_a_registry_takes_references(tmp_path: Path) -> None:
    registry: Registry[int] = Registry("basket.name", int)
    write(tmp_path, {"fruit.py": "PLUM = 3\ncalls = []\n\ndef pear():\n    return 4\n"})
    with session(tmp_path):
        assert registry.accepts("fruit.py:PLUM")
        assert (registry["fruit.py:PLUM"], registry["fruit.py:pear"]) == (3, 4)
        with pytest.raises(QbenchError, match=r"basket=fruit\.py:calls: a list stands there; expe"):
            registry["fruit.py:calls"]
    assert registry.names() == ()


def test_a_function_is_called_once_for_each_content(tmp_path: Path) -> None:
    registry: Registry[list[int]] = Registry("basket.name", list)
    write(tmp_path, {"fruit.py": "def fruit():\n    return []\n"})
    with session(tmp_path):
        first = registry["fruit.py:fruit"]
    with session(tmp_path):
        assert registry["fruit.py:fruit"] is first
    write(tmp_path, {"fruit.py": "def fruit():\n    return [1]\n"})
    with session(tmp_path):
        assert registry["fruit.py:fruit"] == [1]


def test_a_registry_may_be_closed(tmp_path: Path) -> None:
    registry: Registry[int] = Registry("basket.name", outside=False)
    registry.add("apple", 1)
    write(tmp_path, {"fruit.py": "PLUM = 3\n"})
    with session(tmp_path):
        assert not registry.accepts("fruit.py:PLUM")
        with pytest.raises(QbenchError, match=r"fruit\.py:PLUM is not known; allowed: apple\.$"):
            registry["fruit.py:PLUM"]


def test_a_registered_name_has_no_colon() -> None:
    registry: Registry[int] = Registry("basket.name")
    with pytest.raises(ValueError, match="has a colon"):
        registry.add("a:b", 1)
