"""The notes beside the tables, written once for every form of the report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qbench.base.plain import sentence
from qbench.deploy.kernel_facts import named_kernels
from qbench.planning.derived import DERIVED
from qbench.planning.early_stopping import MOST
from qbench.report import balance, deployed
from qbench.report.collect import Sweep
from qbench.report.reference import reference
from qbench.report.texts import counted
from qbench.storage.records import READ_BY_SCHEME

_NAMED = 20  # classes that a note names

SIZE = (
    "Size is theoretical: kernels and one bias per channel, batch normalization folded in, times"
    " the bits of the weights, in MB of 10^6 bytes."
)

SEEDS = "Figures are means ± sample standard deviations of {} seeds."


def notes(sweep: Sweep) -> list[str]:
    """Sentences on the data, the runs and the columns."""
    data = [f"Data: {line}" for line in about_data(sweep)]
    return [*data, *about_values(sweep), f"Run on: {'; '.join(machines(sweep)) or '-'}."]


def about_data(sweep: Sweep, noted: bool = True) -> list[str]:
    """What each data set of a sweep has.

    Args:
        sweep: the sweep.
        noted: whether the notes on the data are among the sentences.
    """
    lines = []
    for name, note, images, classes in sorted(
        {
            (
                r["name"],
                r["note"] if noted else "",
                (r["train_images"], r["test_images"]),
                tuple(r.get("classes", ())),
            )
            for r in sweep.data
        }
    ):
        hashes = {r["hash"][:12] for r in sweep.data if r["name"] == name}
        lines.append(
            f"{name}, {images[0]:,} training and {images[1]:,} test images (SHA-256"
            f" {', '.join(sorted(hashes))}...)."
            + _classes(classes)
            + (f" Note: {sentence(note)}" if note.strip() else "")
        )
    return lines


def about_values(sweep: Sweep) -> list[str]:
    """Sentences on the runs and the columns."""
    lines = [*validation(sweep), *decided_steps(sweep)]
    seeds = len(sweep.manifest["seeds"])
    lines += [SEEDS.format(seeds)] if seeds > 1 else []
    lines += balance.sentences(sweep.manifest, sweep.left_out)
    kinds = dict.fromkeys(row["derived"]["kind"] for row in sweep.derived)
    lines += [DERIVED[kind].note() for kind in kinds if kind in DERIVED.names()]
    lines += [*(metric.note for metric in sweep.metrics if metric.note), SIZE]
    lines += [deployed.note(sweep.task)] if sweep.exports else []
    lines += [*converted_seeds(sweep), *mostly_zero(sweep)]
    return lines + reference(sweep)


def machines(sweep: Sweep) -> list[str]:
    """The devices and versions of all runs."""
    return sorted(
        {
            f"{r['device']['name']}, {counted(r['threads'], 'thread')},"
            f" TensorFlow {r['versions']['tensorflow']}, Keras {r['versions']['keras']},"
            f" qbench {r['versions']['qbench']}"
            for r in sweep.records.values()
        }
    )


def _classes(names: tuple[str, ...]) -> str:
    """The classes of a data set in a sentence; empty if they have no names."""
    if not names:
        return ""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f" Classes ({len(names):,}): {', '.join(names[:_NAMED])}{more}."


def validation(sweep: Sweep) -> list[str]:
    """A sentence for each set of validation images in a sweep; none if no run has such images."""
    parts = {
        (
            record["data"]["name"],
            record["validation"]["images"],
            record["data"]["train_images"],
            -1 if record["validation"]["seed"] is None else record["validation"]["seed"],
        )
        for record in sweep.records.values()
        if "validation" in record
    }
    return [
        f"Validation: {images:,} of {all_images:,} training images of {name},"
        f" {f'seed {seed}' if seed >= 0 else 'as the data divide them'}; runs with this part train"
        " on the others."
        for name, images, all_images, seed in sorted(parts)
    ] + _read_by_schemes(sweep)


def reads_validation(sweep: Sweep, row: Mapping[str, Any]) -> bool:
    """Whether the scheme of a row chose by validation images."""
    return any(
        READ_BY_SCHEME in (sweep.records.get(run["id"]) or {}).get("validation", {})
        for run in row["runs"]
    )


def _read_by_schemes(sweep: Sweep) -> list[str]:
    rows = [row["label"] for row in sweep.trained if reads_validation(sweep, row)]
    if not rows:
        return []
    return [
        "The schemes of these rows chose by validation images, so their values on them are too"
        f" good: {', '.join(rows)}."
    ]


def decided_steps(sweep: Sweep) -> list[str]:
    """A sentence for each number of steps that a first stage decided; none if it was given."""
    found = sweep.manifest.get("decided", [])
    every = {row for one in found for row in one["rows"]}
    return [
        f"Steps: {one['steps']:,}{_of_rows(one['rows'], every)}, decided by early stopping of the"
        f" float network with seed {one['seed']} on the validation images (an evaluation every"
        f" {one['auto_every']:,} steps, patience {one['auto_patience']:,})." + _of_end(one)
        for one in found
    ]


def _of_end(decided: Mapping[str, Any]) -> str:
    """A sentence if a first stage did not run out of patience; older manifests do not say it."""
    if decided.get("ended") != MOST:
        return ""
    return f" It ended at train.auto_most={decided['auto_most']}, perhaps before the best step."


def _of_rows(rows: Sequence[str], every: Collection[str]) -> str:
    """Whose number of steps it is; empty if it is that of all rows that have such a number."""
    if len(rows) == len(every):
        return ""
    more = f" and {len(rows) - 2} more" if len(rows) > 2 else ""
    return f" for {', '.join(rows[:2])}{more}"


def converted_seeds(sweep: Sweep) -> list[str]:
    """A sentence if the runs of some seeds only were converted; else none."""
    every = sweep.manifest["seeds"]
    runs = [run for row in sweep.trained for run in row["runs"]]
    tried = {run["seed"] for run in runs if run["id"] in sweep.exports}
    if len(tried) in (0, len(every)):
        return []
    named = ", ".join(str(seed) for seed in every if seed in tried)
    return [
        f"Converted: the runs of {'seeds' if len(tried) > 1 else 'seed'} {named}, of"
        f" {len(every)} seeds. Deployed figures are theirs alone, the others are means of all"
        " seeds; runs.csv has a file beside its own run."
    ]


def mostly_zero(sweep: Sweep) -> list[str]:
    """A sentence for each row with kernels of which nearly all weights are 0."""
    lines = []
    for row in sweep.trained:
        found = (sweep.records.get(run["id"], {}).get("kernels", {}) for run in row["runs"])
        each = [one["mostly_zero"] for one in found if "mostly_zero" in one]
        if each:
            kernels = named_kernels(list(dict.fromkeys(name for one in each for name in one)))
            runs = f"{len(each)} of {counted(len(row['runs']), 'run')}"
            lines.append(f"{row['label']}: {kernels} (in {runs}).")
    return lines
