"""The quoted form that is shown gives the text back, through a real shell and through Hydra."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from qbench.cli.overrides import as_hydra_takes_it, read
from qbench.cli.quoting import in_hydra, in_shell

TEXTS = [
    "epoch=999-step=1.ckpt",
    "/data/with space (1)",
    "don't",
    "a, b",
    "50% [test]",
    "{x}",
    "see: it",
    'say "hi"',
    """both ' and " of them""",
    "'",
    '"',
    "\\",
    "a\\",
    "a\\'b\\\\\"c",
    "C:\\new folder\\",
    "`date` $HOME $(ls) $",
    "wow! !! !a",
    "don't!",
    "a;b|c&d <e> *?",
    "line\nbreak\ttab",
    "  padded  ",
    "",
    "null",
    "12",
    "~/x",
    "-- =",
    "ünïcode \u2013 „quotes“ \u00a0 \u200f😀",
    "${",
    "$${a",
    "\\${",
    "a ${b",
    "${a${b}",
    "\\\\${{",
]


def _resolved(override: str) -> Any:
    """The value that a command finds in its configuration."""
    value = OverridesParser.create().parse_override(override).value()
    return OmegaConf.to_container(OmegaConf.create({"key": value}), resolve=True)["key"]


def test_through_a_shell_and_through_hydra() -> None:
    forms = [in_shell("data.note", text) for text in TEXTS]
    script = "\n".join(f"printf '%s\\0' {form}" for form in forms)
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    typed = done.stdout.decode().split("\0")[:-1]
    assert [_resolved(override) for override in typed] == TEXTS


@pytest.mark.parametrize("text", TEXTS)
def test_every_form_is_accepted(text: str) -> None:
    (override,) = shlex.split(in_shell("data.note", text))
    assert _resolved(as_hydra_takes_it(override, several=True)) == text
    assert read(override) == ("data.note", text)


# No text that a person means as a reference to another setting: those are left as they are.
WITHOUT_REFERENCE = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
) | st.text("\\'\"${ a!=", max_size=12)


@given(WITHOUT_REFERENCE)
def test_any_text_comes_back(text: str) -> None:
    form = in_shell("out", text)
    assert not (form.startswith('"') and "!" in form)
    (override,) = shlex.split(form)
    assert _resolved(override) == text


@given(st.text("\\'\"${} ax", max_size=12))
def test_any_text_comes_back_literally(text: str) -> None:
    assert _resolved(f"out={in_hydra(text, literal=True)}") == text


def test_a_reference_to_another_setting_is_left_to_be_one() -> None:
    (override,) = shlex.split(in_shell("out", "${study.name} (1)"))
    config = OmegaConf.create({"study": {"name": "digits"}})
    config.out = OverridesParser.create().parse_override(override).value()
    assert config.out == "digits (1)"


def test_the_shortest_form_is_shown() -> None:
    assert in_shell("out", "a, b") == """'out="a, b"'"""
    assert in_shell("out", "don't") == r'''"out=\"don't\""'''
    assert in_shell("out", 'a "b"') == r"""'out="a \"b\""'"""
