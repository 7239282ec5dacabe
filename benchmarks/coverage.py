"""How often intervals show a difference that does not exist, and how often one that does.

    python benchmarks/coverage.py

Values of 15 rows and a reference are drawn without any effect, 5,000 times for each number of
seeds and each kind of noise. The family-wise error is the share of these tables in which at least
one interval excludes 0; it should be 5 % at most. The power curve is of a single row with an
effect in such a table. It draws docs/statistics_power.svg as well.

`stop_when=decided` looks at the table after each seed from the third on. Its error is the share of
tables in which an interval of *any* look excludes 0, and so bounds that of every rule that ends a
sweep at one of them. Its gain is the number of seeds until no row is undecided, against the
smallest fixed number that leaves none undecided in 9 of 10 tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from common import save
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qbench.planning.execution import FIRST_LOOK
from qbench.report.drawing import save_figure
from qbench.report.figures import COLOURS
from qbench.statistics import dunnett, paired
from qbench.statistics.methods import LEVEL

ROWS, REPETITIONS = 15, 5_000
SEEDS = (3, 5, 8)
OF_POWER = (3, 5, 8, 12)
MOST = (8, 12, 20)  # seeds at most, with stop_when=decided
MARGIN = 0.5  # points
SPREADS = (0.05, 0.1, 0.15, 0.2, 0.25)  # of paired differences, in points
# True differences like those of the default study, in points.
EFFECTS = (-3.4, 0.9, *(round(-0.12 + 0.02 * number, 2) for number in range(13)))
CURVE = Path(__file__).parent.parent / "docs" / "statistics_power"

Array = NDArray[np.float64]


def _noise(noisier: Mapping[int, float]) -> Array:
    """Standard deviations of the reference (row 0) and the other rows."""
    deviations = np.ones(ROWS + 1)
    for row, factor in noisier.items():
        deviations[row] = factor
    return deviations


# Name, standard deviations by row, step between two values (0: continuous).
KINDS: dict[str, tuple[Array, float]] = {
    "equal noise": (_noise({}), 0.0),
    "one row 3 times noisier": (_noise({1: 3}), 0.0),
    "one row 5 times noisier": (_noise({1: 5}), 0.0),
    "two rows 3 times noisier": (_noise({1: 3, 2: 3}), 0.0),
    "two rows 5 times noisier": (_noise({1: 5, 2: 5}), 0.0),
    "reference 3 times noisier": (_noise({0: 3}), 0.0),
    "reference 5 times noisier": (_noise({0: 5}), 0.0),
    "equal noise, steps of it": (_noise({}), 1.0),
    "equal noise, steps of twice it": (_noise({}), 2.0),
}


def tables(seeds: int, deviations: Array, step: float, random: np.random.Generator) -> Array:
    """Values by repetition, row and seed; every seed shifts all rows alike."""
    values = random.standard_normal((REPETITIONS, ROWS + 1, seeds)) * deviations[:, None]
    values += 5 * random.standard_normal((REPETITIONS, 1, seeds))
    return np.round(values / step) * step if step else values


def intervals(values: Array, family: int, step: float, level: float = LEVEL) -> tuple[Array, Array]:
    """Middle and half-width of the paired interval of each row, by repetition and row."""
    differences = values[:, 1:] - values[:, :1]
    seeds = values.shape[2]
    spread = np.maximum(differences.std(axis=2, ddof=1), step / 2)
    # Half-widths are proportional to the deviation.
    return differences.mean(axis=2), paired.half_width(1.0, seeds, family, level) * spread


def by_pairs(values: Array, family: int, step: float, level: float = LEVEL) -> Array:
    """Whether the paired interval of each row excludes 0, by repetition and row."""
    middle, reach = intervals(values, family, step, level)
    found: Array = np.abs(middle) > reach
    return found


def by_dunnett(values: Array, step: float) -> Array:
    """The same by Dunnett's method with seeds as blocks."""
    differences = (values[:, 1:] - values[:, :1]).mean(axis=2)
    rest = values - values.mean(axis=2, keepdims=True) - values.mean(axis=1, keepdims=True)
    rest += values.mean(axis=(1, 2), keepdims=True)
    seeds = values.shape[2]
    spread = np.sqrt(2 * (rest**2).sum(axis=(1, 2)) / (ROWS * (seeds - 1)))
    spread = np.maximum(spread, step / 2)
    reach = dunnett.half_width(1.0, seeds, ROWS, LEVEL) * spread
    found: Array = np.abs(differences) > reach[:, None]
    return found


METHODS: dict[str, Callable[[Array, float], Array]] = {
    "paired": lambda values, step: by_pairs(values, ROWS, step),
    "paired, spreads below half a step": lambda values, _: by_pairs(values, ROWS, 0.0),
    "dunnett": by_dunnett,
    "uncorrected": lambda values, step: by_pairs(values, 1, step),
}


def errors() -> dict[str, dict[str, dict[str, float]]]:
    """The family-wise error in percent, by kind of noise, method and number of seeds."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for number, (kind, (deviations, step)) in enumerate(KINDS.items()):
        found[kind] = {method: {} for method in METHODS}
        for seeds in SEEDS:
            values = tables(seeds, deviations, step, np.random.default_rng([1, number, seeds]))
            for method, shows in METHODS.items():
                share = shows(values, step).any(axis=1).mean()
                found[kind][method][str(seeds)] = 100 * float(share)
    return found


def errors_of_looks() -> dict[str, dict[str, dict[str, float]]]:
    """The family-wise error of all looks in percent, by kind of noise and most seeds.

    `corrected`: at the level of `stop_when`. `one look`: at the level of a table that is looked at
    once.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for number, (kind, (deviations, step)) in enumerate(KINDS.items()):
        found[kind] = {"corrected": {}, "one look": {}}
        for most in MOST:
            values = tables(most, deviations, step, np.random.default_rng([3, number, most]))
            looks = range(FIRST_LOOK, most + 1)
            for name, level in (
                ("corrected", paired.corrected(LEVEL, len(looks))),
                ("one look", LEVEL),
            ):
                shown = [by_pairs(values[:, :, :n], ROWS, step, level).any(axis=1) for n in looks]
                found[kind][name][str(most)] = 100 * float(np.any(shown, axis=0).mean())
    return found


def decided(values: Array, level: float) -> Array:
    """Whether no row of a table is undecided, by repetition."""
    middle, reach = intervals(values, ROWS, 0.0, level)
    clear = np.abs(middle) > reach
    equivalent = np.abs(middle) + reach < MARGIN
    found: Array = (clear | equivalent).all(axis=1)
    return found


def seeds_until_decided() -> dict[str, dict[str, float | None]]:
    """Numbers of seeds by the spread of paired differences.

    `mean` with `stop_when`, of at most the last of MOST seeds; `undecided`, the share of tables in
    percent that have an undecided row then; `fixed`, the smallest number of seeds that leaves no
    row undecided in 90 % of tables, null if this many do not; and `five`, the share of tables in
    percent without an undecided row at five seeds.
    """
    most, found = MOST[-1], {}
    level = paired.corrected(LEVEL, most - FIRST_LOOK + 1)
    for number, spread in enumerate(SPREADS):
        # Half the variance of a difference is the row's, half the reference's.
        values = tables(most, np.ones(ROWS + 1), 0.0, np.random.default_rng([4, number]))
        values *= spread / np.sqrt(2)
        values[:, 1:] += np.array(EFFECTS)[None, :, None]
        ends = np.full(REPETITIONS, most)
        open_ = np.ones(REPETITIONS, bool)
        for n in range(FIRST_LOOK, most + 1):
            done = decided(values[:, :, :n], level) & open_
            ends[done] = n
            open_ &= ~done
        shares = {n: decided(values[:, :, :n], LEVEL).mean() for n in range(2, most + 1)}
        found[str(spread)] = {
            "mean": float(ends.mean()),
            "undecided": 100 * float(open_.mean()),
            "fixed": next((n for n, share in shares.items() if share >= 0.9), None),
            "five": 100 * float(shares[5]),
        }
    return found


def power() -> dict[str, dict[str, list[float]]]:
    """Shares in percent, against the size in units of the spread of paired differences.

    `shown`: a row whose true difference has this size has an interval without 0. `equivalent`: a
    row without a difference has an interval inside a margin of this size.
    """
    sizes = np.linspace(0, 6, 61)
    found: dict[str, dict[str, list[float]]] = {"shown": {}, "equivalent": {}}
    for seeds in OF_POWER:
        noise = np.random.default_rng([2, seeds]).standard_normal((REPETITIONS, seeds))
        reach = paired.half_width(1.0, seeds, ROWS, LEVEL) * noise.std(axis=1, ddof=1)
        means = noise.mean(axis=1)
        shown = [100 * float((np.abs(means + size) > reach).mean()) for size in sizes]
        inside = [100 * float((np.abs(means) + reach < size).mean()) for size in sizes]
        found["shown"][str(seeds)] = shown
        found["equivalent"][str(seeds)] = inside
    return {"sizes": {"spreads": sizes.tolist()}, **found}


def draw(curves: dict[str, dict[str, list[float]]]) -> Figure:
    """Both curves, side by side."""
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    sizes = curves["sizes"]["spreads"]
    for axes, kind, along in zip(
        panels,
        ("shown", "equivalent"),
        ("true difference / spread of the differences", "margin / spread of the differences"),
        strict=True,
    ):
        for colour, (seeds, shares) in zip(COLOURS, curves[kind].items(), strict=False):
            axes.plot(sizes, shares, color=colour, label=f"{seeds} seeds")
        axes.set_xlabel(along)
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="% of rows", title="a difference is shown")
    panels[1].set(title="no difference: shown to be equivalent")
    panels[1].legend(frameon=False)
    return figure


def main() -> None:
    """Print the errors, keep the figures and draw the curve."""
    found = errors()
    for kind, methods in found.items():
        for method, of_seeds in methods.items():
            shown = ", ".join(f"{seeds} seeds {value:.1f} %" for seeds, value in of_seeds.items())
            print(f"{kind:<32}{method:<36}{shown}")
    looks, until = errors_of_looks(), seeds_until_decided()
    for kind, methods in looks.items():
        for method, of_most in methods.items():
            shown = ", ".join(f"{most} seeds {value:.1f} %" for most, value in of_most.items())
            print(f"{kind:<32}{'every look, ' + method:<36}{shown}")
    for spread, numbers in until.items():
        print(f"spread {spread}: {numbers}")
    curves = power()
    result: dict[str, Any] = {"repetitions": REPETITIONS, "rows": ROWS, "error": found}
    result |= {"error_of_looks": looks, "seeds_until_decided": until}
    save("coverage", "python benchmarks/coverage.py", {**result, "power": curves})
    save_figure(draw(curves), CURVE, ())
    CURVE.with_suffix(".png").unlink()


if __name__ == "__main__":
    main()
