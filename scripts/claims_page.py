"""Writes the numbers of docs/claims.md: the papers' from their tables, ours from committed runs.

    python scripts/claims_page.py

The page's own text stays as it is: a table stands between `<!-- NAME -->` and `<!-- end -->`, and
only what is between is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

import claims_regularization
import pandas as pd
from markdown_tables import table

from qbench.planning.published import PUBLISHED
from qbench.report.values import signed
from qbench.statistics.comparison import Comparison, compare_differences

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "claims.md"
RESULTS = ROOT / "results" / "fashion"
PAPER = PUBLISHED["kwasniewska2019"]
METRIC, TOP_5 = "accuracy", "recall_at_5"
MARGIN = 0.5  # percentage points, as `stats.margin` is by default

BASELINE, DEFAULT = "baseline", "default"
DELAYS = {
    40: "quant.delay=0.4",
    50: "quant.delay=0.5",
    60: "quant.delay=0.6",
    70: "quant.delay=0.7",
    80: DEFAULT,
    90: "quant.delay=0.9",
}

Values = Mapping[str, float]
"""A metric by the label of the row."""


def mean_of_quantized(values: Values) -> float:
    """The mean of all quantized rows."""
    return fmean(value for row, value in values.items() if row != BASELINE)


def trend(values: Values) -> float:
    """The change from 40 to 90 % along the least-squares line through the six delays."""
    middle = fmean(DELAYS)
    spread = sum((delay - middle) ** 2 for delay in DELAYS)
    rise = sum((delay - middle) * values[row] for delay, row in DELAYS.items())
    return rise / spread * (max(DELAYS) - min(DELAYS))


def less(row: str, other: str) -> Callable[[Values], float]:
    """A row less another one."""
    return lambda values: values[row] - values[other]


CONTRASTS: dict[str, Callable[[Values], float]] = {
    "mean of the 15 quantized rows less baseline": lambda values: (
        mean_of_quantized(values) - values[BASELINE]
    ),
    "8 bits, QDQv2 (the default) less baseline": less(DEFAULT, BASELINE),
    "FakeQuant less baseline": less("quant.op=fake_quant", BASELINE),
    "FakeQuant less QDQv2": less("quant.op=fake_quant", DEFAULT),
    "half to even less half up": less(DEFAULT, "quant.rounding=half_up"),
    "4 bits less baseline": less("quant.bits=4", BASELINE),
    "16 bits less baseline": less("quant.bits=16", BASELINE),
    "32 bits less baseline": less("quant.bits=32", BASELINE),
    "delay 40 % less delay 80 %": less("quant.delay=0.4", DEFAULT),
    "line through the delays, 40 to 90 %": trend,
    "range measured by the op less range given": less(DEFAULT, "quant.range_given=true"),
    "adds quantized too less not": less("quant.placement=[conv,activation,add]", DEFAULT),
    "vgg less inception": less(DEFAULT, "data.preprocessing=inception"),
    "unsigned less signed": less("quant.signed=false", DEFAULT),
}
"""What each sentence of the paper compares, as a difference in percentage points."""


def of_paper(metric: str) -> dict[str, float]:
    """The paper's values by the labels of the rows."""
    lines = {}
    for label, row in rows().items():
        line = PAPER.line(*row)
        assert line is not None, label
        lines[label] = float(line[metric])
    return lines


def rows() -> dict[str, tuple[list[str], bool, dict[str, str]]]:
    """Label, and what `Published.line` takes, of the 16 rows: the default with one change each."""
    default = {
        **{"op": "QDQv2", "rounding": "half_to_even", "bits": "8", "preprocessing": "vgg"},
        **{"signedness": "signed", "placement": "conv+activation", "range_given": "no"},
        "delay_pct": "80",
    }
    changes = {
        DEFAULT: {},
        "quant.op=fake_quant": {"op": "FakeQuant"},
        "quant.rounding=half_up": {"rounding": "half_up"},
        **{f"quant.bits={bits}": {"bits": f"{bits}"} for bits in (4, 16, 32)},
        "data.preprocessing=inception": {"preprocessing": "inception"},
        "quant.signed=false": {"signedness": "unsigned"},
        "quant.placement=[conv,activation,add]": {"placement": "conv+activation+add"},
        "quant.range_given=true": {"range_given": "yes"},
        **{row: {"delay_pct": f"{delay}"} for delay, row in DELAYS.items()},
    }
    nothing = dict.fromkeys(default, "")
    quantized = {label: ([], True, default | change) for label, change in changes.items()}
    return {BASELINE: ([], False, nothing), **quantized}


def of_runs(folder: Path, metric: str) -> dict[int, dict[str, float]]:
    """Our values by seed and row, from a folder's runs.csv."""
    runs = pd.read_csv(folder / "runs.csv")
    found: dict[int, dict[str, float]] = {}
    for _, run in runs.iterrows():
        found.setdefault(int(run["seed"]), {})[str(run["configuration"])] = float(run[metric])
    return found


def compared(folder: Path) -> Comparison:
    """Every contrast over the seeds of a folder; all intervals hold together with 95 %."""
    seeds = of_runs(folder, METRIC)
    differences = {
        name: {seed: contrast(values) for seed, values in seeds.items()}
        for name, contrast in CONTRASTS.items()
    }
    return compare_differences(differences, "nothing", margin=MARGIN, unit="percentage points")


def contrasts(folder: Path) -> list[str]:
    """The contrasts as a table: the paper's, ours, the interval."""
    paper, ours = of_paper(METRIC), compared(folder)
    lines = []
    for name, contrast in CONTRASTS.items():
        one = ours.row(name)
        assert one.low is not None and one.high is not None
        interval = f"[{one.low:.2f}, {one.high:.2f}]"
        lines.append(
            [name, signed(contrast(paper), 2), signed(one.mean, 2), interval, one.verdict.value]
        )
    heads = ["accuracy, percentage points", "paper", "ours", "95 % interval", "ours, in words"]
    return table(heads, lines)


def averages() -> list[str]:
    """Mean and sample deviation over rows of the paper."""
    lines = []
    for name, kept in SUBSETS.items():
        cells = [name]
        for metric in (METRIC, TOP_5):
            values = [value for row, value in of_paper(metric).items() if kept(row)]
            cells.append(f"{fmean(values):.2f} ± {stdev(values):.2f}")
        lines.append(cells)
    text = ["the paper's text", "86.15 ± 10.54", "99.04 ± 1.44"]
    return table(["rows of Table I", "accuracy %", "recall@5 %"], [text, *lines])


SUBSETS: dict[str, Callable[[str], bool]] = {
    "15 quantized rows": lambda row: row != BASELINE,
    "without 4 bits": lambda row: row not in (BASELINE, "quant.bits=4"),
    "8 bits alone": lambda row: row != BASELINE and "bits" not in row,
}


def written(text: str, name: str, lines: Sequence[str]) -> str:
    """The page with this table replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    assert pattern.search(text), f"docs/claims.md has no place for {name}"
    return pattern.sub(lambda found: f"{found[1]}{chr(10).join(lines)}\n{found[2]}", text)


def page(text: str, folder: Path) -> str:
    """The page with the numbers of this folder, and of those of the VGGs beside it."""
    text = written(text, "averages", averages())
    text = written(text, "slips", claims_regularization.slips())
    text = written(text, "regularization", claims_regularization.regularization(folder.parent))
    return written(text, "fashion", contrasts(folder))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), RESULTS))
