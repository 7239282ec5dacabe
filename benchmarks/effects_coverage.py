"""How often effects of crossed factors show where there are none.

    python benchmarks/effects_coverage.py

Values of crossed factors are drawn without any effect, 2,000 times for each number of seeds and
each kind of noise. The family-wise error is the share of these tables in which at least one
interval excludes 0; it should be 5 % at most. Shared float steps are noise that all rows with the
same levels of the first two factors have in common, as rows with the same trunk have.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from common import save

from qbench.statistics.factorial import Effects, effects

REPETITIONS = 2_000
SEEDS = (3, 5, 8)
OWN, POOLED = "spread of each effect", "pooled residuals"


@dataclass(frozen=True)
class Kind:
    """Levels of three factors; noise of shared float steps and of the last level (a row has 1)."""

    levels: tuple[int, int, int]
    shared: float = 0.0
    last: float = 1.0


KINDS = {
    "2 x 2 x 2, equal noise": Kind((2, 2, 2)),
    "2 x 2 x 2, the last level 5 times noisier": Kind((2, 2, 2), last=5),
    "2 x 2 x 2, shared float steps as noisy as the rest": Kind((2, 2, 2), shared=1),
    "2 x 2 x 2, shared float steps 3 times noisier": Kind((2, 2, 2), shared=3),
    "2 x 2 x 3, equal noise": Kind((2, 2, 3)),
    "2 x 2 x 3, the last level 5 times noisier": Kind((2, 2, 3), last=5),
    "2 x 2 x 3, shared float steps as noisy as the rest": Kind((2, 2, 3), shared=1),
    "2 x 2 x 3, shared float steps 3 times noisier": Kind((2, 2, 3), shared=3),
}


def tables(kind: Kind, seeds: int, random: np.random.Generator) -> Iterator[Effects]:
    """The effects of tables without any effect."""
    cells = list(itertools.product(*map(range, kind.levels)))
    trunks = [cell[0] * kind.levels[1] + cell[1] for cell in cells]
    noise = np.where([cell[2] == kind.levels[2] - 1 for cell in cells], kind.last, 1.0)
    for _ in range(REPETITIONS):
        values = random.normal(size=(seeds, len(cells))) * noise
        values += kind.shared * random.normal(size=(seeds, max(trunks) + 1))[:, trunks]
        values += 5 * random.normal(size=(seeds, 1))
        own = {
            cell: dict(enumerate(row)) for cell, row in zip(cells, values.T.tolist(), strict=True)
        }
        yield effects(kind.levels, own)


def shows(low: float | None, high: float | None) -> bool:
    """Whether an interval excludes 0."""
    return low is not None and high is not None and not low <= 0 <= high


def errors() -> dict[str, dict[str, dict[str, float]]]:
    """By kind, method and number of seeds: the share of tables that show an effect, in percent."""
    random = np.random.default_rng(0)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, kind in KINDS.items():
        methods: dict[str, dict[str, float]] = {OWN: {}, POOLED: {}}
        for seeds in SEEDS:
            made = list(tables(kind, seeds, random))
            own = [any(shows(one.low, one.high) for one in table.effects) for table in made]
            pooled = [
                any(shows(*one.pooled) for one in table.effects if one.pooled) for table in made
            ]
            methods[OWN][str(seeds)] = 100 * float(np.mean(own))
            methods[POOLED][str(seeds)] = 100 * float(np.mean(pooled))
        found[name] = methods
    return found


def main() -> None:
    """Print the errors and keep the figures."""
    found = errors()
    for kind, methods in found.items():
        for method, of_seeds in methods.items():
            shown = ", ".join(f"{seeds} seeds {value:.1f} %" for seeds, value in of_seeds.items())
            print(f"{kind:<52}{method:<24}{shown}")
    result = {"repetitions": REPETITIONS, "rows": "8 or 12", "error": found}
    save("effects_coverage", "python benchmarks/effects_coverage.py", result)


if __name__ == "__main__":
    main()
