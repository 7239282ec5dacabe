"""Classes that gained or lost, and images whose prediction changed, against one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from qbench.planning.designs import DEFAULT
from qbench.report.collect import Sweep
from qbench.report.texts import counted, short
from qbench.storage import layout

LABEL, PREDICTED = "label", "predicted"
_MOST_CLASSES = 12
_MOST_IMAGES = 12

Array = NDArray[np.int64]
Kept = tuple[Array, Array]
"""The label and the predicted class of each test image, (N,) each."""


@dataclass(frozen=True)
class Count:
    """A number of images over the seeds.

    Attributes:
        mean: its mean.
        deviation: its sample standard deviation; None with one seed.
    """

    mean: float
    deviation: float | None = None


@dataclass(frozen=True)
class Changed:
    """A row against the reference.

    Attributes:
        label: the label of the row.
        images: test images with another prediction.
        gained: those of them that are right now.
        lost: those of them that were right before.
        classes: by class, images gained less images lost.
    """

    label: str
    images: Count
    gained: Count
    lost: Count
    classes: list[Count]


@dataclass(frozen=True)
class Classes:
    """The section.

    Attributes:
        reference: the label of the row that the others are compared with.
        names: the names of the classes that are shown.
        rows: the other rows, if a prediction changed.
        images: (number of the image, its label, what the reference predicts, what the other runs
            predict, how many of them) for the images that change most often.
        largest: the largest absolute mean in `Changed.classes`, at least 1.
        digits: decimal places of counts.
        said: sentences about what is shown, and about the reference's own seeds.
    """

    reference: str
    names: list[str]
    rows: list[Changed]
    images: list[tuple[int, str, str, str, str]]
    largest: float
    digits: int
    said: list[str]


def classes(sweep: Sweep, reference: str = DEFAULT) -> Classes | None:
    """The section; None if predictions are no classes, or no row can be compared."""
    kept = {row["label"]: _of_row(sweep, row) for row in sweep.trained}
    base = kept.pop(reference, {})
    pairs = {
        label: [(base[seed], other[seed]) for seed in base if seed in other]
        for label, other in kept.items()
    }
    pairs = {label: _comparable(found) for label, found in pairs.items() if found}
    pairs = {label: found for label, found in pairs.items() if found}
    if not pairs:
        return None
    labels = [one[0] for found in pairs.values() for one, _ in found]
    names = _names(sweep, max(int(one.max()) for one in labels) + 1)
    rows = [_changed(label, found, len(names)) for label, found in pairs.items()]
    shown = _shown(rows)
    said = [
        f"Predictions of every row against those of {reference}, seed by seed"
        + ("; counts are means ± standard deviations over the seeds." if len(base) > 1 else ".")
    ]
    if len(shown) < len(names):
        said.append(f"Of {len(names):,} classes these {len(shown)} changed most.")
    said += _own(reference, list(base.values()))
    same = [one.label for one in rows if not one.images.mean]
    if same:
        said.append(
            f"No prediction changes in {counted(len(same), 'row')}: {', '.join(map(short, same))}."
        )
    rows_shown = [
        Changed(one.label, one.images, one.gained, one.lost, [one.classes[k] for k in shown])
        for one in rows
        if one.images.mean
    ]
    largest = max([1.0, *(abs(one.mean) for row in rows_shown for one in row.classes)])
    shown_names = [names[k] for k in shown]
    digits = 1 if any(len(found) > 1 for found in pairs.values()) else 0
    return Classes(reference, shown_names, rows_shown, _images(pairs, names), largest, digits, said)


def _of_row(sweep: Sweep, row: dict[str, Any]) -> dict[int, Kept]:
    """What each run of a row predicts, by seed."""
    found = {
        run["seed"]: _read(sweep.run_folder(run["id"]) / layout.PREDICTIONS)
        for run in row["runs"]
        if (sweep.records.get(run["id"]) or {}).get("metrics")
    }
    return {seed: kept for seed, kept in found.items() if kept is not None}


def _read(path: Path) -> Kept | None:
    """The labels and the predicted classes in a run's file; None if it has no such arrays."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if not {LABEL, PREDICTED} <= set(stored):
                return None
            found = stored[LABEL], stored[PREDICTED]
    except (OSError, ValueError, BadZipFile):
        return None
    alike = found[0].shape == found[1].shape and found[0].ndim == 1 and len(found[0])
    if not alike or any(array.dtype.kind not in "iu" for array in found):
        return None
    return found[0].astype(np.int64), found[1].astype(np.int64)


def _comparable(pairs: Sequence[tuple[Kept, Kept]]) -> list[tuple[Kept, Kept]]:
    """The pairs of runs with the same test images."""
    return [(one, two) for one, two in pairs if np.array_equal(one[0], two[0])]


def _names(sweep: Sweep, classes: int) -> list[str]:
    """The names of the classes; their numbers if the data have no names."""
    for data in sweep.data:
        names = data.get("classes") or []
        if len(names) >= classes:
            return [str(name) for name in names]
    return [str(number) for number in range(classes)]


def _changed(label: str, pairs: list[tuple[Kept, Kept]], classes: int) -> Changed:
    images, gained, lost, nets = [], [], [], []
    for (labels, before), (_, after) in pairs:
        better = (after == labels) & (before != labels)
        worse = (before == labels) & (after != labels)
        images.append(int((before != after).sum()))
        gained.append(int(better.sum()))
        lost.append(int(worse.sum()))
        net = better.astype(np.float64) - worse
        nets.append(np.bincount(labels, net, minlength=classes).tolist())
    by_class = [_count(own) for own in zip(*nets, strict=True)]
    return Changed(label, _count(images), _count(gained), _count(lost), by_class)


def _count(values: Sequence[float]) -> Count:
    return Count(fmean(values), stdev(values) if len(values) > 1 else None)


def _shown(rows: list[Changed]) -> list[int]:
    """The classes to show: all, or those that changed most, in their own order."""
    sums = np.abs([[one.mean for one in row.classes] for row in rows]).max(axis=0)
    return sorted(np.argsort(-sums, kind="stable")[:_MOST_CLASSES].tolist())


def _own(reference: str, runs: list[Kept]) -> list[str]:
    """How many images change between two seeds of the reference itself, for scale."""
    pairs = _comparable(list(combinations(runs, 2)))
    if not pairs:
        return []
    mean = fmean(int((one[1] != two[1]).sum()) for one, two in pairs)
    return [
        f"For scale: between two seeds of {reference} itself, {mean:.1f} images change on average."
    ]


def _images(
    pairs: dict[str, list[tuple[Kept, Kept]]], names: list[str]
) -> list[tuple[int, str, str, str, str]]:
    """The images that change in most runs."""
    runs = [pair for found in pairs.values() for pair in found]
    sizes = {len(labels) for (labels, _), _ in runs}
    if len(sizes) > 1:
        return []
    counts = np.zeros(sizes.pop(), np.int64)
    for (_, before), (_, after) in runs:
        counts += before != after
    found = []
    for image in np.argsort(-counts, kind="stable")[:_MOST_IMAGES].tolist():
        if counts[image]:
            changed = [pair for pair in runs if pair[0][1][image] != pair[1][1][image]]
            found.append(
                (
                    int(image),
                    _name(names, int(changed[0][0][0][image])),
                    _often([_name(names, int(one[1][image])) for one, _ in changed]),
                    _often([_name(names, int(two[1][image])) for _, two in changed]),
                    f"{counts[image]} of {counted(len(runs), 'run')}",
                )
            )
    return found


def _name(names: list[str], number: int) -> str:
    return names[number] if number < len(names) else str(number)


def _often(texts: list[str]) -> str:
    """The texts, each once, the most frequent first."""
    return ", ".join(sorted(set(texts), key=lambda text: (-texts.count(text), text)))
