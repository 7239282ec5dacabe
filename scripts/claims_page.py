"""Writes the numbers of docs/claims.md: the papers' from their tables, ours from committed runs.

    python scripts/claims_page.py

The page's own text stays as it is: a table stands between `<!-- NAME -->` and `<!-- end -->`, and
only what is between is replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import claims_contrasts as claimed
import claims_files
import claims_regularization
import claims_scalable
import pandas as pd
from claims_contrasts import BASELINE, DEFAULT, DELAYS, Contrasts
from claims_lines import MARGIN
from markdown_tables import table

from qbench.planning.published import PUBLISHED
from qbench.report.values import signed
from qbench.statistics.compared import Comparison
from qbench.statistics.comparison import compare_differences

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "claims.md"
RESULTS = ROOT / "results"
PAPER = PUBLISHED["kwasniewska2019"]
METRIC, TOP_5 = "accuracy", "recall_at_5"
SAID = {METRIC: "accuracy", TOP_5: "recall@5"}


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


def looks_at(folder: Path) -> int:
    """How often the rows of a folder were compared while results decided on its seeds."""
    told = json.loads((folder / "manifest.json").read_bytes()).get("by_seed", {})
    return int(told.get("looks", 1))


def compared(
    folder: Path, contrasts: Contrasts, metric: str = METRIC, beside: str = ""
) -> Comparison:
    """Every contrast over the seeds of a folder; all intervals hold together with 95 %.

    Args:
        folder: the folder.
        contrasts: what is compared.
        metric: a metric of the records.
        beside: the name of another folder with the same seeds, whose rows count too, with this name
            before theirs.
    """
    seeds = of_runs(folder, metric)
    for seed, values in of_runs(folder.parent / beside, metric).items() if beside else ():
        seeds[seed] |= {f"{beside} {row}": value for row, value in values.items()}
    differences = {
        name: {seed: contrast(values) for seed, values in seeds.items()}
        for name, contrast in contrasts.items()
    }
    unit = "percentage points"
    looks = looks_at(folder)
    return compare_differences(differences, "nothing", margin=MARGIN, unit=unit, looks=looks)


def lines_of(tested: Tested, folder: Path) -> list[str]:
    """The contrasts as a table: the paper's if it has them, ours, the interval."""
    contrasts, metric = tested.contrasts, tested.metric
    ours = compared(folder, contrasts, metric, tested.beside)
    paper = of_paper(metric) if tested.published else None
    lines = []
    for name, contrast in contrasts.items():
        one = ours.row(name)
        theirs = [signed(contrast(paper), 2)] if paper else []
        interval = "-" if one.low is None else f"[{one.low:.2f}, {one.high:.2f}]"
        lines.append([name, *theirs, signed(one.mean, 2), interval, one.verdict.value])
    heads = [f"{SAID[metric]}, percentage points", *(["paper"] if paper else [])]
    return table([*heads, "ours", "95 % interval", "ours, in words"], lines)


@dataclass(frozen=True)
class Tested:
    """A table of the page.

    Attributes:
        folder: the folder in results/.
        contrasts: its lines.
        published: whether the paper's Table I has them too.
        metric: a metric of the records.
        beside: see `compared`.
    """

    folder: str
    contrasts: Contrasts
    published: bool = False
    metric: str = METRIC
    beside: str = ""

    @property
    def place(self) -> str:
        """The name of the table's place on the page."""
        return self.folder if self.metric == METRIC else f"{self.folder} {self.metric}"


TABLES = (
    Tested("fashion", claimed.PAPER, published=True),
    Tested("fashion", claimed.PAPER, published=True, metric=TOP_5),
    Tested("cifar10_resnet8", claimed.PAPER, published=True),
    Tested("cifar10_resnet8", claimed.PAPER, published=True, metric=TOP_5),
    Tested("contrib", claimed.CONTRIB, beside="fashion"),
    Tested("cifar10_resnet20", claimed.DEEPER),
    Tested("interactions", claimed.FEW_BITS),
    Tested("ties", claimed.TIES),
    Tested("jacob_bits", claimed.JACOB_BITS),
    Tested("jacob_activation", claimed.JACOB_ACTIVATION),
)


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


def page(text: str, results: Path) -> str:
    """The page with the numbers of these folders."""
    text = written(text, "averages", averages())
    for one in TABLES:
        if (results / one.folder).exists():
            text = written(text, one.place, lines_of(one, results / one.folder))
    text = written(text, "scalable", claims_scalable.scalable(results))
    text = written(text, "files", claims_files.files(results))
    text = written(text, "slips", claims_regularization.slips())
    return written(text, "regularization", claims_regularization.regularization(results))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), RESULTS))
