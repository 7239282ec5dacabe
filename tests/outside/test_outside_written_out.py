"""Choices of code from outside, written out for Hydra."""

from __future__ import annotations

from qbench.cli.outside import written_out


def test_arguments_that_are_texts_are_arguments_too() -> None:
    """A function of one's own may have an argument that qbench's own networks have."""
    typed = ["model=nets/mine.py:build", "model.kind=wide", "model.width=16", "train=adam"]
    assert written_out(typed, {"train": ["adam"]}) == [
        *("model=own", 'model.name="nets/mine.py:build"'),
        *("++model.kind=wide", "++model.width=16", "train=adam"),
    ]
