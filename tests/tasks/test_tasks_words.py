"""What depends on the kind of target is named in the tasks alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import qbench

ROOT = Path(qbench.__file__).parent
METRICS = re.compile(r"accurac|recall|argmax|cross.?entropy|precision_macro|top_?k", re.IGNORECASE)
# Builders of classifiers call their last layer so.
OUTPUTS = re.compile(r"logit", re.IGNORECASE)
# A set of labelled images knows what it is for.
OWN = ("tasks/", "data/cifar10.py")
# Tables and what is printed of conversions.
PENDING = ("report/", "cli/commands/convert.py")


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every identifier and every string of a module, docstrings among them."""
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str):
                    yield one


def _found(module: str, text: str) -> list[str]:
    """The words in a module that are a task's."""
    if module.startswith(OWN):
        return []
    words = [METRICS] if module.startswith("models/") else [METRICS, OUTPUTS]
    texts = list(_texts(ast.parse(text)))
    return [f"{module}: {one!r}" for one in texts if any(word.search(one) for word in words)]


def test_no_other_module_names_a_metric_or_what_outputs_mean() -> None:
    modules = {str(path.relative_to(ROOT)): path for path in ROOT.rglob("*.py")}
    looked_at = [name for name in modules if not name.startswith(PENDING)]
    assert len(looked_at) > 100
    assert [one for name in looked_at for one in _found(name, modules[name].read_text())] == []


def test_identifiers_and_strings_are_looked_at() -> None:
    for text in (
        "x.argmax(1)",
        "from a import cross_entropy",
        "def f(recall): 1",
        "f(accuracy=1)",
        "'recall@5'",
        "logits = 1",
        "f'{x} logits'",
        "class F:\n    '''Top_k of it.'''",
    ):
        assert _found("deploy/measure.py", text), text
    assert _found("models/resnet.py", "layer(name='logits')") == []
    assert _found("tasks/logits.py", "logits.argmax(1)") == []
