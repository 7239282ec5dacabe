"""What the values that a network gives mean is said by tasks alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import qbench

ROOT = Path(qbench.__file__).parent
WORDS = re.compile(r"logit|cross.?entropy|top_?k|precision_macro", re.IGNORECASE)
# Builders of classifiers call their last layer so, and a new study has one.
OWN = ("tasks/", "models/", "cli/starter/")


def _texts(source: str) -> Iterator[str]:
    """Every identifier and every string of a module, docstrings among them."""
    for node in ast.walk(ast.parse(source)):
        for _, value in ast.iter_fields(node):
            found = value if isinstance(value, list) else [value]
            yield from (one for one in found if isinstance(one, str))


def _found(source: str) -> list[str]:
    return [text for text in _texts(source) if WORDS.search(text)]


def test_no_other_module_says_what_outputs_mean() -> None:
    paths = {str(path.relative_to(ROOT)): path for path in ROOT.rglob("*.py")}
    others = [name for name in paths if not name.startswith(OWN)]
    assert len(others) > 100
    assert [(name, one) for name in others for one in _found(paths[name].read_text())] == []


def test_identifiers_and_strings_are_looked_at() -> None:
    for source in (
        "tf.sparse_softmax_cross_entropy_with_logits(a, b)",
        "from a import cross_entropy",
        "def f(logits): 1",
        "f(top_k=1)",
        "'softmax cross-entropy'",
        "f'{x} logits'",
        'class F:\n    """The logits of it."""',
    ):
        assert _found(source), source
