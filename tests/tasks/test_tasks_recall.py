"""Recall@k: k is five, or with five classes or fewer one less than there are, at least one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.cli.main import main
from qbench.data import DATASETS, Source, load
from qbench.tasks.classification import Classification

LABEL = {1: "has the largest logit"} | {
    k: f"is among the {word} largest logits"
    for k, word in {2: "two", 3: "three", 4: "four", 5: "five"}.items()
}
KS = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 10: 5, 1000: 5}


@pytest.mark.parametrize(("classes", "k"), KS.items())
def test_k_is_named_in_key_and_heading(classes: int, k: int) -> None:
    task = Classification(classes)
    metric = task.metrics[1]
    assert (metric.name, metric.heading) == (f"recall_at_{k}", f"recall@{k} %")
    said = f"Recall@{k} is the share of test images whose label {LABEL[k]}."
    assert metric.note.startswith(said)
    # The paper's figure is that of five.
    assert ("Kwasniewska" in metric.note) == (k == 5)
    labels = np.arange(classes)
    outputs = np.tile(-np.arange(classes, dtype=np.float32), (classes, 1))  # 0 before 1 before 2
    assert task.score(outputs, labels)[metric.name] == pytest.approx(100 * k / classes)


def test_of_two_classes_it_is_accuracy() -> None:
    outputs = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    scores = Classification(2).score(outputs, np.arange(50) % 2)
    assert scores["recall_at_1"] == scores["accuracy"] < 100


def test_of_ten_classes_the_words_stay() -> None:
    """Records and tables of the committed studies are read by these keys."""
    keys = ["accuracy", "recall_at_5", "recall_macro", "precision_macro", "loss"]
    assert [metric.name for metric in Classification(10).metrics] == keys


PAPER = (
    "Recall@5 is the share of test images whose label is among the five largest logits. It is what"
    ' Kwasniewska et al. 2019 call "recall": their evaluation script printed accuracy and Recall_5,'
    " and on a balanced test set recall averaged over the classes equals accuracy. The"
    " class-averaged (macro) recall stands beside it."
)
TWO = (
    "Recall@2 is the share of test images whose label is among the two largest logits. The"
    " class-averaged (macro) recall stands beside it."
)


@pytest.mark.parametrize(("classes", "k", "note"), [(10, 5, PAPER), (3, 2, TWO)])
def test_metrics_are_what_tables_have_always_shown(classes: int, k: int, note: str) -> None:
    """Name, label, unit, digits, whether higher is better, place and note."""
    assert [tuple(metric.as_config().values()) for metric in Classification(classes).metrics] == [
        ("accuracy", "accuracy", "%", 2, True, "first", ""),
        (f"recall_at_{k}", f"recall@{k}", "%", 2, True, "first", note),
        ("recall_macro", "recall, macro", "%", 2, True, "table", ""),
        ("precision_macro", "precision, macro", "%", 2, True, "file", ""),
        ("loss", "loss", "", 4, False, "table", ""),
    ]


def _three(folder: Any) -> Any:
    """The digits 0, 1 and 2."""
    images, labels, others, theirs = DATASETS["digits"].read(None)
    return images[labels < 3], labels[labels < 3], others[theirs < 3], theirs[theirs < 3]


def test_train_prints_every_metric(
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = Source((8, 8, 1), 3, flip=False, read=_three, known={})
    monkeypatch.setitem(DATASETS._items, "three", source)
    load.cache_clear()
    assert main(["train", *tiny, "data.name=three", f"out={tmp_path}"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    (folder,) = (tmp_path / "runs").iterdir()
    scores = json.loads((folder / "record.json").read_bytes())["metrics"]
    for metric in Classification(3).metrics:
        shown = metric.show(scores[metric.name])
        assert f"{metric.label} {shown:>6}" in line
    assert " recall@2 " in line and " loss " in line
