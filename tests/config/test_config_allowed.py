"""What a setting may be: the ends of what is taken, the form that is kept, and what docs say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import config_examples as examples
import pytest

from qbench.base import allowed
from qbench.base.allowed import Allowed
from qbench.base.errors import QbenchError
from qbench.base.registry import Registry
from qbench.base.setting import EVALUATION, UNSET, Group, declared, setting
from qbench.planning.settings import Settings

REGISTRY: Registry[int] = Registry("some")
REGISTRY.register("first")(1)
REGISTRY.register("second")(2)


def _spelled(value: Any) -> Any:
    return "first" if value is True else value


# What is declared, what docs say of it, its kind.
DESCRIBED: dict[str, tuple[Allowed, str, str]] = {
    "whole": (allowed.whole(1, 62), "1 to 62", "value"),
    "whole and up": (allowed.whole(0), "0 and up", "value"),
    "whole or null": (allowed.whole(1).or_null, "1 and up, or null", "value"),
    "number": (allowed.number(0.5, 2), "0.5 to 2", "value"),
    "number below": (allowed.number(0, 1, open_end=True), "0 to 1, without 1", "value"),
    "number and up": (allowed.number(0), "0 and up", "value"),
    "share or number": (
        allowed.share_or_count(),
        "share between 0 and 1, or number from 1",
        "value",
    ),
    "switch": (allowed.switch(), "true, false", "value"),
    "one of": (allowed.one_of(("a", "b")), "`a`, `b`", "value"),
    "one of a registry": (allowed.one_of(REGISTRY), "`first`, `second`", "value"),
    "one of what is asked": (allowed.one_of(lambda: ("a",)), "`a`", "value"),
    "list": (allowed.list_of(("a", "b")), "list of `a`, `b`", "list"),
    "list or null": (allowed.list_of(("a",)).or_null, "list of `a`, or null", "list"),
    "text": (allowed.text_or_null(), "text or null", "text"),
    "folder": (allowed.text_or_null("folder"), "folder or null", "folder"),
    "name": (allowed.name(), "name", "value"),
    "anything": (allowed.anything("what you like"), "what you like", "value"),
}


@pytest.mark.parametrize(("one", "text", "kind"), DESCRIBED.values(), ids=DESCRIBED.keys())
def test_docs_say_what_is_allowed(one: Allowed, text: str, kind: str) -> None:
    assert (one.describe(), one.kind) == (text, kind)


TAKEN: list[tuple[str, list[tuple[Any, Any]]]] = [
    ("whole", [(1, 1), (62, 62)]),
    ("whole and up", [(0, 0), (10**12, 10**12)]),
    ("whole or null", [(None, None), (1, 1)]),
    ("number", [(0.5, 0.5), (2, 2.0)]),
    ("number below", [(0, 0.0), (0.999, 0.999)]),
    ("number and up", [(1e300, 1e300)]),
    ("share or number", [(0.5, 0.5), (1e-9, 1e-9), (1, 1), (500, 500)]),
    ("switch", [(True, True), (False, False)]),
    ("one of a registry", [("second", "second")]),
    ("one of what is asked", [("a", "a")]),
    ("list", [(["b", "a"], ("b", "a")), (("a",), ("a",))]),
    ("list or null", [(None, None)]),
    ("text", [("", ""), (None, None)]),
    ("name", [("whatever", "whatever")]),
    ("anything", [((1, [2]), (1, [2])), (None, None)]),
]


@pytest.mark.parametrize(("name", "values"), TAKEN, ids=[name for name, _ in TAKEN])
def test_values_are_kept_in_one_form(name: str, values: list[tuple[Any, Any]]) -> None:
    for value, kept in values:
        found = DESCRIBED[name][0].read("some.key", value)
        assert (found, type(found)) == (kept, type(kept))


REFUSED: list[tuple[str, Any, str]] = [
    ("whole", 0, "some.key=0 is not allowed: expected a whole number from 1 to 62."),
    ("whole", 63, "some.key=63 is not allowed: expected a whole number from 1 to 62."),
    ("whole and up", -1, "some.key=-1 is not allowed: expected a whole number of at least 0."),
    ("whole or null", 0, "some.key=0 is not allowed: expected a whole number of at least 1."),
    ("number", 0.4, "some.key=0.4 is not allowed: expected a number from 0.5 to 2."),
    ("number", 2.1, "some.key=2.1 is not allowed: expected a number from 0.5 to 2."),
    ("number below", 1, "some.key=1 is not allowed: expected a number from 0 to 1 (not included)."),
    ("number and up", -1, "some.key=-1 is not allowed: expected a number of at least 0."),
    (
        "share or number",
        1.0,
        "some.key=1.0 is not allowed: expected a share above 0 and below 1, or a whole number of at"
        " least 1.",
    ),
    ("switch", 1, "some.key=1 is not allowed: expected true or false."),
    ("one of", "c", "some.key=c is not allowed: expected a or b."),
    ("one of a registry", "a", "some.key=a is not allowed: expected first or second."),
    ("text", 5, "some.key=5 is not allowed: expected a text or null."),
    ("name", 5, "some.key=5 is not allowed: expected a name."),
]


@pytest.mark.parametrize(("name", "value", "said"), REFUSED)
def test_other_values_are_refused(name: str, value: Any, said: str) -> None:
    with pytest.raises(QbenchError) as error:
        DESCRIBED[name][0].read("some.key", value)
    assert str(error.value) == said


def test_a_value_may_be_spelled_in_another_way() -> None:
    one = allowed.one_of(REGISTRY, spelled=_spelled)
    assert [one.read("some.key", value) for value in (True, "second")] == ["first", "second"]


def test_a_group_has_what_its_fields_declare() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Made(Group, prefix="some"):
        one: int = setting(3, check=allowed.whole(1), help="Help.", effect=EVALUATION, column="a")
        bare: str = setting(check=allowed.name(), help="More.", key="other.place")

    first, second = declared(Made)
    assert (first.key, first.group, first.name) == ("some.one", "some", "one")
    assert (second.key, second.group, second.name) == ("other.place", "other", "place")
    assert (first.default, first.help, first.effect, first.column) == (3, "Help.", EVALUATION, "a")
    assert (Made(bare="x").one, second.default) == (3, UNSET)
    with pytest.raises(TypeError, match="bare"):
        Made()
    with pytest.raises(QbenchError, match=r"some\.one=0 is not allowed"):
        Made(bare="x", one=0)


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("seeds", 3, (3,)),
        ("seeds", [2**31 - 1, 0], (2**31 - 1, 0)),
        ("design.factors", "quant.bits", ("quant.bits",)),
        ("design.factors", ["quant.bits", "quant.op"], ("quant.bits", "quant.op")),
        ("design.levels", {"quant.bits": [8, 4]}, {"quant.bits": (8, 4)}),
        ("design.levels", None, {}),
        ("design.baseline", "each", "each"),
        ("design.rows", [{"quant.placement": ["conv"]}], ({"quant.placement": ("conv",)},)),
        ("design.rows", None, ()),
        ("design.ensembles", 3, (3,)),
        ("design.ensembles", [3, 2], (3, 2)),
        ("design.ensembles", [], ()),
    ],
)
def test_a_command_keeps_lists_in_one_form(key: str, value: Any, kept: Any) -> None:
    found: Any = examples.settings({key: value})
    for name in key.split("."):
        found = getattr(found, name)
    assert found == kept


WRONG: list[tuple[str, Any, str]] = [
    ("seeds", [], "seeds=[] is not allowed: expected a list of whole numbers such as [0,1,2]."),
    ("seeds", [1, 1], "seeds=[1,1] is not allowed: expected a list without repeats."),
    ("design.factors", 5, "design.factors=5 is not allowed: expected null or a list of keys."),
    ("design.factors", [1], "design.factors=[1] is not allowed: expected null or a list of keys."),
    (
        "design.levels",
        [8],
        "design.levels=[8] is not allowed: expected null or keys with a list of levels each.",
    ),
    (
        "design.levels",
        {"quant.bits": 8},
        "design.levels.quant.bits=8 is not allowed: expected a list of levels.",
    ),
    ("study.name", "a/b", "study.name=a/b is not allowed: expected a name without '/'."),
]


@pytest.mark.parametrize(("key", "value", "said"), WRONG)
def test_what_a_command_refuses_is_said_to_the_letter(key: str, value: Any, said: str) -> None:
    with pytest.raises(QbenchError) as error:
        examples.settings({key: value})
    assert str(error.value) == said


def test_where_a_study_lies() -> None:
    assert examples.settings().root == Path("outputs/digits")
    assert examples.settings({"out": "elsewhere"}).root == Path("elsewhere")
    assert examples.settings({"out": "~/elsewhere"}).root == Path.home() / "elsewhere"


def test_a_command_needs_every_setting_but_its_job() -> None:
    assert examples.settings({"job": "run-0123"}).job == "run-0123"
    assert Settings.from_config(examples.without("job")).job is None
    with pytest.raises(QbenchError) as error:
        Settings.from_config(examples.without("retries"))
    assert str(error.value) == "retries is missing; give it a value."
    with pytest.raises(QbenchError, match=r"^shared is not a setting; did you mean share\?"):
        Settings.from_config(examples.PLAIN | {"shared": True})
