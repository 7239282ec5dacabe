"""Writes the tables of docs/benchmarks.md from benchmarks/figures/*.json.

    python scripts/benchmarks_page.py

The page's own text stays as it is: a table stands between `<!-- NAME -->` and `<!-- end -->`, NAME
being that of a file of figures, and only what is between is replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from markdown_tables import coverage, errors, table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
FIGURES = ROOT / "benchmarks" / "figures"

Figures = dict[str, Any]


def rounds(figures: Figures) -> str:
    """How many there were."""
    return "1 round" if figures["rounds"] == 1 else f"{figures['rounds']} rounds"


NETWORKS = {
    "resnet8": "resnet8, batch 128, 32x32",
    "resnet20": "resnet20, batch 128, 32x32",
    "resnet50_32": "resnet50_v1, batch 8, 32x32",
    "resnet50_64": "resnet50_v1, batch 8, 64x64",
}


def quartiles(row: Figures, form: str) -> str:
    """Between which values half of the rounds lie."""
    return f"{row['quarter']:{form}} to {row['three_quarters']:{form}}"


def machine(figures: Figures) -> str:
    """One line on where and how the figures were taken."""
    where = figures["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    return (
        f"`{figures['command']}` on {where['processor']}, {where['cores']} cores,"
        f" {where['memory_gb']} GB, {where['system']}; {versions}."
    )


def step(figures: Figures) -> list[str]:
    """Milliseconds and ratios of every network."""
    lines = [f"{rounds(figures)}, {figures['threads']} threads."]
    for name, network in figures["networks"].items():
        rows = [
            (who, f"{row['median']:.1f}", f"{row['best']:.1f}", quartiles(row, ".1f"))
            for who, row in network["milliseconds"].items()
        ]
        lines += ["", f"**{NETWORKS[name]}**", ""]
        lines += table(("milliseconds a step", "median", "best", "quartiles"), rows)
        rows = [
            (what, f"{row['median']:.3f}", quartiles(row, ".3f"), f"{row['aim']:.2f}")
            for what, row in network["ratios"].items()
        ]
        lines += ["", *table(("ratio within a round", "median", "quartiles", "aim"), rows)]
    return lines


def profile(figures: Figures) -> list[str]:
    """Op by op, one column a variant."""
    variants = figures["variants"]
    ops = list(dict.fromkeys(op for variant in variants.values() for op in variant["ops"]))
    rows = []
    for op in ops:
        found = [variant["ops"].get(op) for variant in variants.values()]
        shown = [f"{f['milliseconds']:.1f} ({f['calls']:.0f})" if f else "-" for f in found]
        rows.append((f"`{op}`", *shown))
    whole = ("the step, wall-clock", *(f"{variant['step']:.1f}" for variant in variants.values()))
    facts = variants["float"]
    limit = facts["gflop"] / facts["gemm_gflop_per_second"] * 1000
    return [
        *table(("milliseconds (calls)", *variants), [whole, *rows]),
        "",
        "A dash means: in this variant the op is not one of the slowest.",
        "",
        f"The convolutions are {facts['gflop']:.1f} GFLOP a step; a large matrix product reaches"
        f" {facts['gemm_gflop_per_second']:.0f} GFLOP/s here, so that the arithmetic alone takes"
        f" {limit:.0f} ms.",
    ]


def versions_of_peers(figures: Figures) -> list[str]:
    """What the contenders ran on."""
    found: dict[str, str] = {}
    for network in figures["networks"].values():
        for facts in network["contenders"].values():
            found |= facts["versions"]
    return ["", "Versions: " + ", ".join(f"{k} {v}" for k, v in sorted(found.items())) + "."]


def sharing(figures: Figures) -> list[str]:
    """Seconds with and without sharing."""
    rows = []
    for part in ("training", "whole"):
        row = figures[part]
        shared, alone = (row[f"{kind}_seconds"]["median"] for kind in ("shared", "alone"))
        ratio = row["ratio"]
        spread = "-" if figures["rounds"] == 1 else quartiles(ratio, ".3f")
        rows.append((part, f"{shared:.1f}", f"{alone:.1f}", f"{ratio['median']:.3f}", spread))
    steps = figures["steps"]
    heads = (rounds(figures), "shared, s", "alone, s", "ratio", "quartiles")
    counted = f"{steps['shared']:,} steps in place of {steps['alone']:,}: {steps['ratio']:.3f}."
    return [*table(heads, rows), "", counted]


def parallel(figures: Figures) -> list[str]:
    """Whole sweeps by processes and threads."""
    rows = [
        (name, f"{row['seconds']['median']:.1f}", f"{row['ratio']['median']:.3f}")
        for name, row in figures["contenders"].items()
    ]
    return table((rounds(figures), "median, s", "ratio"), rows)


def planning(figures: Figures) -> list[str]:
    """Seconds against runs."""
    rows = [
        (runs, f"{row['median']:.2f}", f"{row['best']:.2f}")
        for runs, row in sorted(
            figures["seconds"].items(), key=lambda item: int(item[0].split()[0].replace(",", ""))
        )
    ]
    return table(("runs", "median, s", "best, s"), rows)


def thresholds(figures: Figures) -> list[str]:
    """Seconds of the search by length of vectors and kind of scale."""
    rows = [
        (str(row["length"]), row["scale"], f"{found['median']:.1f}", f"{found['best']:.1f}")
        for row, found in ((row, row["seconds"]) for row in figures["rows"])
    ]
    slowest = max(row["seconds"]["median"] for row in figures["rows"])
    return [
        f"{figures['weights']:,} weights, codes up to {figures['phi']}, {rounds(figures)},"
        f" {figures['workers']} threads. Seconds are CPU seconds by the number of threads, those of"
        f" so many idle cores. The slowest takes {slowest:.1f} (aim {figures['aim']:.0f}).",
        "",
        *table(("values of a vector", "scale", "median, s", "best, s"), rows),
    ]


def overhead(figures: Figures) -> list[str]:
    """The engine over the bare loop."""
    row = figures["ratio"]
    return [
        f"Median ratio over {rounds(figures)} **{row['median']:.3f}**, quartiles"
        f" {quartiles(row, '.3f')}."
    ]


def folder(figures: Figures) -> list[str]:
    """The time to cache images, and a step on images on disk."""
    cached = figures["caching"]
    rows = [
        (what, f"{row['median']:.1f}", f"{row['best']:.1f}", quartiles(row, ".1f"))
        for what, row in figures["milliseconds"].items()
    ]
    compared = [
        (what, f"{row['median']:.3f}", quartiles(row, ".3f"), f"{row['aim']:.2f}")
        for what, row in figures["ratios"].items()
    ]
    return [
        f"{figures['images']:,} JPEGs are decoded into the cache in **{cached['seconds']:.1f} s**"
        f" (aim {cached['aim']:.0f} s) and loaded again in {cached['again']:.2f} s."
        f" {rounds(figures)}, {figures['threads']} threads.",
        "",
        *table(("milliseconds a step", "median", "best", "quartiles"), rows),
        "",
        *table(("ratio within a round", "median", "quartiles", "aim"), compared),
    ]


def commands(figures: Figures) -> list[str]:
    """Whole commands, and the parts of a sweep."""
    rows = [
        (f"`qbench {name}`", f"{row['median']:.2f}", f"{row['best']:.2f}")
        for name, row in figures["seconds"].items()
    ]
    sweep = figures["sweep"]
    parts = [(name, f"{taken:.1f}") for name, taken in sweep["parts"].items()]
    wholes = [
        ("whole, `workers=1`", f"{sweep['one_worker']:.1f}"),
        ("whole, as the study says (two workers)", f"{sweep['seconds']:.1f}"),
    ]
    wholes += [(name, f"{taken:.1f}") for name, taken in sweep.get("default", {}).items()]
    return [
        *table((rounds(figures), "median, s", "best, s"), rows),
        "",
        *table(("`qbench sweep study=digits`", "s"), [*parts, *wholes]),
    ]


def conversion(figures: Figures) -> list[str]:
    """CPU seconds of a file, and of TensorFlow's own conversion beside it."""
    names = {
        "whole": "a file, made and measured",
        "running": "of these: running it on all kernel paths",
        "rest": "of these: the rest",
        "plain": "`tf.lite` alone, of the float network",
    }
    rows = []
    for key, name in names.items():
        row = figures["seconds"][key]
        ratio = f"{figures['ratios'][key]:.2f}" if key in figures["ratios"] else ""
        rows.append((name, f"{row['median']:.2f}", f"{row['best']:.2f}", ratio))
    return table((f"{figures['files']} files", "median, s", "best, s", "/ `tf.lite` alone"), rows)


def resnet50_file(figures: Figures) -> list[str]:
    """Sizes, and milliseconds by kernel path and threads."""
    sizes = figures["megabytes"]
    rows = []
    for row in figures["rows"]:
        start = (f"{row['kernels']}, {row['threads']}", str(row["runs"]))
        cells = [
            f"{row['milliseconds'][name][kind]:.1f}"
            for name in ("float", "int8")
            for kind in ("median", "p90", "minimum")
        ]
        rows.append((*start, *cells, f"{row['ratio']['int8']:.3f}"))
    kinds = ("median", "p90", "min")
    heads = [f"{name} {kind}, ms" for name in ("float", "int8") for kind in kinds]
    return [
        *table(("MB of 10^6 bytes", "float", "int8"), [(k, *v) for k, v in _shown(sizes)]),
        "",
        *table(("kernels, threads", "rounds", *heads, "int8 / float"), rows),
    ]


def _shown(sizes: Figures) -> Iterable[tuple[str, list[str]]]:
    for name, row in sizes.items():
        yield name, [f"{row[kind]:.2f}" for kind in ("float", "int8")]


def integer(figures: Figures) -> list[str]:
    """What differs from the integer reference, by kernel path."""
    groups = {"the whole file": figures["whole"], **figures["operators"]}
    rows = [
        (
            name,
            path,
            f"{row['differing']:,}",
            f"{row['codes']:,}",
            f"{100 * row['differing'] / row['codes']:.3f}",
            str(row["largest"]),
        )
        for name, paths in groups.items()
        for path, row in paths.items()
    ]
    (runtime,) = (f"{name} {number}" for name, number in figures["runtime"].items())
    classes = [f"{path} {row['classes']}" for path, row in figures["whole"].items()]
    return [
        f"{figures['images']:,} images, {runtime}.",
        "",
        *table(("operator", "kernels", "codes that differ", "of", "%", "largest"), rows),
        "",
        f"Images that get another class: {', '.join(classes)}.",
    ]


def deployment(figures: Figures) -> list[str]:
    """Simulated against deployed accuracy, by tool and kernel path."""
    rows = [
        (name, f"{row['accuracy']:.2f}", path, f"{one['accuracy']:.2f}", f"{one['agreement']:.2f}")
        for name, row in figures["rows"].items()
        for path, one in row["kernels"].items()
        if "error" not in one
    ]
    heads = ("", "simulated %", "kernels", "file %", "agreement %")
    note = f" Note: {figures['note']}." if figures["note"] else ""
    return [f"{figures['steps']:,} steps.{note}", "", *table(heads, rows)]


WRITERS: dict[str, Callable[[Figures], list[str]]] = {
    "step": lambda figures: step(figures) + versions_of_peers(figures),
    "profile_resnet20": profile,
    "sharing_digits": sharing,
    "sharing_cifar10_resnet8": sharing,
    "parallel_digits": parallel,
    "parallel_cifar10_resnet8": parallel,
    "planning": planning,
    "thresholds": thresholds,
    "coverage": coverage,
    "effects_coverage": errors,
    "overhead": overhead,
    "commands": commands,
    "conversion": conversion,
    "folder": folder,
    "resnet50_file": resnet50_file,
    "deployment": deployment,
    "integer_digits": integer,
    "integer_cifar10_resnet8": integer,
    "integer_mobilenet": integer,
}


def filled(page: str) -> str:
    """The page with every table that has figures written anew."""

    def fill(match: re.Match[str]) -> str:
        path = FIGURES / f"{match[1]}.json"
        if not path.exists():
            return match[0]
        figures = json.loads(path.read_text())
        lines = [machine(figures), "", *WRITERS[match[1]](figures)]
        return f"<!-- {match[1]} -->\n" + "\n".join(lines) + "\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", fill, page, flags=re.DOTALL)


def main() -> None:
    """Rewrite the page in place."""
    PAGE.write_text(filled(PAGE.read_text()))


if __name__ == "__main__":
    main()
