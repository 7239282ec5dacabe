"""The registry of named things, and the hints for misspelt names."""

from __future__ import annotations

import pytest

from qbench.base.errors import QbenchError
from qbench.base.outside import FORMS
from qbench.base.registry import Registry, nearest
from qbench.data import DATASETS
from qbench.models import MODELS
from qbench.optimizers.optimizers import OPTIMIZERS, SCHEDULES
from qbench.planning.designs import DESIGNS
from qbench.quantize.ops import OPS
from qbench.quantize.placement import PLACEMENTS

ALL = [DATASETS, MODELS, DESIGNS, OPS, PLACEMENTS, OPTIMIZERS, SCHEDULES]


def _fruit() -> Registry[int]:
    registry: Registry[int] = Registry("basket.fruit")
    registry.add("apple", 1)
    registry.add("pear", 2)
    return registry


def test_names_keep_their_order() -> None:
    assert _fruit().names() == ("apple", "pear")
    assert _fruit()["pear"] == 2


def test_a_name_can_be_registered_only_once() -> None:
    registry = _fruit()
    with pytest.raises(ValueError, match=r"basket\.fruit: 'apple' is registered twice"):
        registry.add("apple", 3)
    assert registry["apple"] == 1


def test_a_name_is_lent_for_a_time() -> None:
    registry = _fruit()
    with pytest.raises(KeyError), registry.lent("plum", 9), registry.lent("apple", 8):
        assert (registry["plum"], registry["apple"]) == (9, 8)
        registry.add("fig", 4)  # as a plugin may that is loaded meanwhile
        raise KeyError
    assert registry.names() == ("apple", "pear", "fig")
    assert registry["apple"] == 1


def test_the_decorator_returns_what_it_stores() -> None:
    registry: Registry[type] = Registry("key")

    @registry.register("thing")
    class Thing:
        pass

    assert registry["thing"] is Thing
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("thing")(Thing)


def test_unknown_name_with_a_hint() -> None:
    with pytest.raises(QbenchError) as error:
        _fruit()["aple"]
    assert str(error.value) == (
        f"basket.fruit=aple is not known; allowed: apple, pear or {FORMS}. Did you mean 'apple'?"
    )


def test_unknown_name_without_a_hint() -> None:
    with pytest.raises(QbenchError) as error:
        _fruit()["zzz"]
    assert str(error.value) == f"basket.fruit=zzz is not known; allowed: apple, pear or {FORMS}."


@pytest.mark.parametrize("registry", ALL, ids=lambda registry: registry.key)
def test_every_registry_knows_its_key_and_refuses_unknown_names(registry: Registry[object]) -> None:
    assert registry.names()
    assert all(registry[name] is not None for name in registry.names())
    with pytest.raises(QbenchError) as error:
        registry["no such name"]
    assert str(error.value).startswith(f"{registry.key}=no such name is not known; allowed: ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("bit", " Did you mean 'bits'?"), ("qqq", ""), ("bits", " Did you mean 'bits'?")],
)
def test_nearest(name: str, hint: str) -> None:
    assert nearest(name, ["bits", "delay"]) == hint
